"""Which lists hold for a buyer, and what is known about variants: one statement each.

The second reads the catalogue's tables, for speed: a read model without rows of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.buyer import Buyer
from new_core.domain.pricing import AssignedTo, PriceListKind, Standing
from new_core.domain.promotions_when import ItemFacts
from new_core.domain.tax import STANDARD
from new_core.storage import tables as t
from new_core.storage.statements import Row, fetch, one_of
from new_core.storage.types import UtcDateTime

_LIST, _ASSIGNED, _CONTRACT = t.price_list, t.price_assignment, t.price_contract
_FOR_ALL = (PriceListKind.BASE.value, PriceListKind.PROMO.value)
_NO_TIME = sa.null().cast(UtcDateTime())
_NO_ID = sa.null().cast(sa.Uuid())


def lists_for(buyer: Buyer) -> sa.CompoundSelect[Any]:
    """Every list that holds for a buyer, a row per reason: those for everybody, those that are
    assigned, and those of contracts.
    """
    in_currency = _LIST.c.currency == buyer.currency
    for_all = _with_reason(_words(""), _words(""), _NO_ID, _NO_ID, _NO_TIME, _NO_TIME).where(
        in_currency, _LIST.c.kind.in_(_FOR_ALL)
    )
    scope, key = _ASSIGNED.c.scope, _ASSIGNED.c.scope_key
    assigned = (
        _with_reason(scope, key, _NO_ID, _NO_ID, _NO_TIME, _NO_TIME)
        .join_from(_LIST, _ASSIGNED, _ASSIGNED.c.price_list_id == _LIST.c.id)
        .where(in_currency, sa.tuple_(scope, key).in_(list(_keys(buyer))))
    )
    account, place = _CONTRACT.c.account_id, _CONTRACT.c.location_id
    begins, ends = _CONTRACT.c.valid_from, _CONTRACT.c.valid_to
    contracts = (
        _with_reason(_words("contract"), _CONTRACT.c.number, account, place, begins, ends)
        .join_from(_LIST, _CONTRACT, _CONTRACT.c.price_list_id == _LIST.c.id)
        .where(in_currency, account.in_(buyer.account_ids))
        .where(sa.or_(place.is_(None), place == buyer.location_id))
    )
    return sa.union_all(for_all, assigned, contracts)


_REASON = ("r_scope", "r_key", "r_account", "r_location", "r_from", "r_to")


def _with_reason(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    labelled = (column.label(name) for name, column in zip(_REASON, columns, strict=True))
    return sa.select(*_LIST.c, *labelled)


def _words(text: str) -> sa.ColumnElement[str]:
    return sa.literal(text, sa.String())


def _keys(buyer: Buyer) -> Iterator[tuple[str, str]]:
    for account in buyer.account_ids:
        yield AssignedTo.ACCOUNT.value, str(account)
    if buyer.customer_id is not None:
        yield AssignedTo.CUSTOMER.value, str(buyer.customer_id)
    for group in sorted(buyer.group_ids):
        yield AssignedTo.GROUP.value, str(group)
    if buyer.channel:
        yield AssignedTo.CHANNEL.value, buyer.channel
    if buyer.country:
        yield AssignedTo.COUNTRY.value, buyer.country


def reason_of(row: Row, buyer: Buyer) -> dict[str, Any]:
    """Why a row of `lists_for` holds, as the rest of an Entitled's fields."""
    scope, key = row["r_scope"], row["r_key"]
    if not scope:
        return {"standing": Standing(row["kind"])}
    if scope != "contract":
        accounts = {str(one): above for above, one in enumerate(buyer.account_ids)}
        return {
            "standing": Standing(scope),
            "distance": accounts.get(key, 0),
            "source": f"{scope} {key}",
        }
    above = buyer.account_ids.index(row["r_account"])
    at_location = row["r_location"] is not None
    standing = Standing.LOCATION_CONTRACT if at_location else Standing.ACCOUNT_CONTRACT
    return {
        "standing": standing,
        "distance": above,
        "valid_from": row["r_from"],
        "valid_to": row["r_to"],
        "source": f"contract {key}",
    }


_PARENT = t.product.alias("parent")
_OWN, _ABOVE, _OF_TYPE = (t.tax_class.alias(name) for name in ("own", "above", "of_type"))
_TYPE = sa.func.coalesce(_PARENT.c.type_id, t.product.c.type_id)
_FACTS = (
    sa.select(
        t.variant.c.id,
        t.variant.c.product_id,
        t.product.c.parent_id,
        _TYPE.label("type_id"),
        sa.func.coalesce(_PARENT.c.discountable, t.product.c.discountable).label("discountable"),
        sa.func.coalesce(
            _OWN.c.tax_class, _ABOVE.c.tax_class, _OF_TYPE.c.tax_class, STANDARD
        ).label("tax_class"),
    )
    .join_from(t.variant, t.product, t.product.c.id == t.variant.c.product_id)
    .outerjoin(_PARENT, _PARENT.c.id == t.product.c.parent_id)
    .outerjoin(_OWN, _OWN.c.target_id == t.product.c.id)
    .outerjoin(_ABOVE, _ABOVE.c.target_id == t.product.c.parent_id)
    .outerjoin(_OF_TYPE, _OF_TYPE.c.target_id == _TYPE)
    .where(one_of(t.variant.c.id))
)
_CATEGORIES = sa.select(t.product_category).where(one_of(t.product_category.c.product_id))


async def facts_of(
    connection: AsyncConnection, variant_ids: Collection[UUID]
) -> Mapping[UUID, ItemFacts]:
    """What promotions and taxes ask about variants."""
    rows = await fetch(connection, _FACTS, variant_ids)
    products = {one for row in rows for one in (row["product_id"], row["parent_id"]) if one}
    categories: dict[UUID, list[UUID]] = {}
    for row in await fetch(connection, _CATEGORIES, products):
        categories.setdefault(row["product_id"], []).append(row["category_id"])
    return {row["id"]: _facts(row, categories) for row in rows}


def _facts(row: Row, categories: Mapping[UUID, list[UUID]]) -> ItemFacts:
    of = [one for one in (row["product_id"], row["parent_id"]) if one is not None]
    return ItemFacts(
        variant_id=row["id"],
        product_ids=frozenset(of),
        category_ids=frozenset(one for product in of for one in categories.get(product, ())),
        type_id=row["type_id"],
        discountable=bool(row["discountable"]),
        tax_class=row["tax_class"],
    )
