"""Carts in tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.cart import Cart, CartLine, CartState
from new_core.domain.cart_lines import Beside, Goods, QuantityRule, options_hash
from new_core.domain.catalog import Status, Stored, Structure
from new_core.ports.carts import CartQuery
from new_core.storage import tables as t
from new_core.storage.statements import Row, fetch, one_of, upsert

_CART, _LINE, _RULE = t.carts.cart, t.carts.cart_line, t.carts.quantity_rule
_MEMBER = t.customers.customer_group_member
_WHOLE = sa.select(_CART).where(_CART.c.id == sa.bindparam("id"))
_LOCKED = _WHOLE.with_for_update()
_LINES = (
    sa.select(_LINE)
    .where(_LINE.c.cart_id == sa.bindparam("cart_id"))
    .order_by(_LINE.c.position, _LINE.c.id)
)
_BESIDE = _LINES.where(
    sa.or_(
        _LINE.c.variant_id.in_(sa.bindparam("variant_ids", expanding=True)),
        _LINE.c.id.in_(sa.bindparam("line_ids", expanding=True)),
    )
)
_COUNTED = sa.select(sa.func.count(), sa.func.max(_LINE.c.position)).where(
    _LINE.c.cart_id == sa.bindparam("cart_id")
)
_PARENT = t.product.alias("parent")
# A read model over the catalogue's tables: one query instead of one per module that knows a
# part of it. Nothing is written there.
_GOODS = (
    sa.select(
        t.variant.c.id,
        t.variant.c.sku,
        t.product.c.id.label("product_id"),
        t.product.c.title,
        t.product.c.structure,
        t.product.c.status,
        _PARENT.c.title.label("parent_title"),
        _PARENT.c.status.label("parent_status"),
        t.product.c.parent_id,
        t.product_type.c.id.label("type_id"),
        t.product_type.c.requires_shipping,
        _RULE.c.minimum,
        _RULE.c.maximum,
        _RULE.c.step,
    )
    .select_from(t.variant)
    .join(t.product, t.product.c.id == t.variant.c.product_id)
    .outerjoin(_PARENT, _PARENT.c.id == t.product.c.parent_id)
    .outerjoin(
        t.product_type,
        t.product_type.c.id == sa.func.coalesce(_PARENT.c.type_id, t.product.c.type_id),
    )
    .outerjoin(_RULE, _RULE.c.variant_id == t.variant.c.id)
)
_GOODS_BY_ID = _GOODS.where(t.variant.c.id.in_(sa.bindparam("ids", expanding=True)))
_GOODS_BY_EITHER = _GOODS.where(
    sa.or_(
        t.variant.c.id.in_(sa.bindparam("ids", expanding=True)),
        t.variant.c.sku.in_(sa.bindparam("skus", expanding=True)),
    )
)

_RULE_OF = sa.select(_RULE).where(_RULE.c.variant_id == sa.bindparam("variant_id"))
_CATEGORIES = sa.select(t.product_category).where(one_of(t.product_category.c.product_id))


class SqlCarts:
    """Carts with their lines, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, cart_id: UUID) -> Stored[Cart] | None:
        return await self._read(_WHOLE, cart_id)

    async def locked(self, cart_id: UUID) -> Stored[Cart] | None:
        # Two statements: on PostgreSQL the second one sees what the writer that the first one
        # waited for has committed. SQLite's writers waited at BEGIN.
        return await self._read(_LOCKED, cart_id)

    async def put(self, cart: Cart, now: datetime) -> Stored[Cart]:
        version = await self._put_head(cart, now)
        before = {one.id: one for one in await self._lines(cart.id)}
        removed = before.keys() - {one.id for one in cart.lines}
        await self._change(
            cart.id, [one for one in cart.lines if before.get(one.id) != one], removed, now
        )
        return Stored(cart, version, now)

    async def locked_beside(
        self, cart_id: UUID, variant_ids: Collection[UUID], line_ids: Collection[UUID] = ()
    ) -> tuple[Stored[Cart], Beside] | None:
        row = (await self._connection.execute(_LOCKED, {"id": cart_id})).mappings().one_or_none()
        if row is None:
            return None
        wanted = {
            "cart_id": cart_id,
            "variant_ids": list(variant_ids),
            "line_ids": list(line_ids),
        }
        found = (await self._connection.execute(_BESIDE, wanted)).mappings()
        lines = tuple(_line(one) for one in found)
        counted = await self._connection.execute(_COUNTED, {"cart_id": cart_id})
        count, last = counted.one()
        return _stored(row, ()), Beside(lines, count, 0 if last is None else last + 1)

    async def put_lines(
        self, cart: Cart, lines: Sequence[CartLine], removed: Collection[UUID], now: datetime
    ) -> int:
        await self._change(cart.id, lines, removed, now)
        written = await self._connection.execute(
            sa.update(_CART)
            .where(_CART.c.id == cart.id)
            .values(version=_CART.c.version + 1, updated_at=now, expires_at=cart.expires_at)
            .returning(_CART.c.version)
        )
        version: int = written.scalar_one()
        return version

    async def goods(
        self, variant_ids: Collection[UUID], skus: Collection[str] = ()
    ) -> tuple[Goods, ...]:
        # One statement for a whole batch; both databases take ten times as many values.
        ids: dict[str, Any] = {"ids": list(variant_ids)}
        result = (
            await self._connection.execute(_GOODS_BY_EITHER, ids | {"skus": list(skus)})
            if skus
            else await self._connection.execute(_GOODS_BY_ID, ids)
        )
        return tuple(_goods(row) for row in result.mappings())

    async def forget(self, customer_id: UUID, now: datetime) -> tuple[UUID, ...]:
        nothing = {"email": "", "shipping_address": None, "billing_address": None}
        written = await self._connection.execute(
            sa.update(_CART)
            .where(_CART.c.customer_id == customer_id)
            .values(**nothing, version=_CART.c.version + 1, updated_at=now)
            .returning(_CART.c.id)
        )
        return tuple(written.scalars())

    async def categories_of(self, product_ids: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
        found: dict[UUID, set[UUID]] = {}
        for row in await fetch(self._connection, _CATEGORIES, product_ids):
            found.setdefault(row["product_id"], set()).add(row["category_id"])
        return {one: frozenset(some) for one, some in found.items()}

    async def groups_of(self, customer_id: UUID) -> frozenset[UUID]:
        statement = sa.select(_MEMBER.c.group_id).where(_MEMBER.c.customer_id == customer_id)
        return frozenset((await self._connection.execute(statement)).scalars())

    async def rule(self, variant_id: UUID) -> Stored[QuantityRule] | None:
        return await self._rule(variant_id, _RULE_OF)

    async def locked_rule(self, variant_id: UUID) -> Stored[QuantityRule] | None:
        return await self._rule(variant_id, _RULE_OF.with_for_update())

    async def _rule(self, variant_id: UUID, which: sa.Select[Any]) -> Stored[QuantityRule] | None:
        found = await self._connection.execute(which, {"variant_id": variant_id})
        row = found.mappings().one_or_none()
        if row is None:
            return None
        rule = QuantityRule(variant_id, row["minimum"], row["maximum"], row["step"])
        return Stored(rule, row["version"], row["updated_at"])

    async def put_rule(self, rule: QuantityRule, now: datetime) -> None:
        await upsert(self._connection, _RULE, [asdict(rule)], now)

    async def delete_rule(self, variant_id: UUID) -> None:
        await self._connection.execute(sa.delete(_RULE).where(_RULE.c.variant_id == variant_id))

    async def open_of(self, customer_id: UUID, currency: str, channel: str) -> UUID | None:
        statement = (
            sa.select(_CART.c.id)
            .where(
                _CART.c.customer_id == customer_id,
                _CART.c.state == CartState.OPEN.value,
                _CART.c.currency == currency,
                _CART.c.channel == channel,
            )
            .order_by(_CART.c.updated_at.desc(), _CART.c.id.desc())
            .limit(1)
        )
        found: UUID | None = (await self._connection.execute(statement)).scalar_one_or_none()
        return found

    async def page(self, query: CartQuery) -> tuple[Stored[Cart], ...]:
        column = _CART.c
        statement = sa.select(_CART).order_by(column.updated_at, column.id).limit(query.limit)
        if query.after is not None:
            at, last = query.after
            same = sa.and_(column.updated_at == at, column.id > last)
            statement = statement.where(sa.or_(column.updated_at > at, same))
        if query.customer_id is not None:
            statement = statement.where(column.customer_id == query.customer_id)
        if query.state is not None:
            statement = statement.where(column.state == query.state.value)
        if query.updated_since is not None:
            statement = statement.where(column.updated_at >= query.updated_since)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(_stored(row, ()) for row in rows)

    async def expired(self, at: datetime, limit: int) -> tuple[UUID, ...]:
        statement = (
            sa.select(_CART.c.id)
            .where(_CART.c.state == CartState.OPEN.value, _CART.c.expires_at <= at)
            .order_by(_CART.c.expires_at, _CART.c.id)
            .limit(limit)
        )
        return tuple((await self._connection.execute(statement)).scalars())

    async def _read(self, head: sa.Select[Any], cart_id: UUID) -> Stored[Cart] | None:
        row = (await self._connection.execute(head, {"id": cart_id})).mappings().one_or_none()
        return None if row is None else _stored(row, await self._lines(cart_id))

    async def _lines(self, cart_id: UUID) -> tuple[CartLine, ...]:
        rows = (await self._connection.execute(_LINES, {"cart_id": cart_id})).mappings()
        return tuple(_line(row) for row in rows)

    async def _put_head(self, cart: Cart, now: datetime) -> int:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        row = {**_head_row(cart), "version": 1, "updated_at": now}
        insert = make(_CART).values(row)
        changes: dict[str, Any] = {name: insert.excluded[name] for name in row if name != "id"}
        changes["version"] = _CART.c.version + 1
        written = await self._connection.execute(
            insert.on_conflict_do_update(index_elements=["id"], set_=changes).returning(
                _CART.c.version
            )
        )
        version: int = written.scalar_one()
        return version

    async def _change(
        self,
        cart_id: UUID,
        lines: Sequence[CartLine],
        removed: Collection[UUID],
        now: datetime,
    ) -> None:
        # What goes, goes first: a new line may be of the same variant and options.
        if removed:
            gone = sa.and_(_LINE.c.cart_id == cart_id, _LINE.c.id.in_(list(removed)))
            await self._connection.execute(sa.delete(_LINE).where(gone))
        await upsert(self._connection, _LINE, [_line_row(cart_id, one) for one in lines], now)


def _head_row(cart: Cart) -> dict[str, Any]:
    buyer = cart.buyer
    return {
        "id": cart.id,
        "state": cart.state.value,
        "customer_id": buyer.customer_id,
        "location_id": buyer.location_id,
        "account_ids": [str(one) for one in buyer.account_ids],
        "group_ids": sorted(str(one) for one in buyer.group_ids),
        "currency": buyer.currency,
        "channel": buyer.channel,
        "country": buyer.country,
        "coupons": list(cart.coupons),
        "token_sha256": cart.token_sha256,
        "email": cart.email,
        "shipping_code": cart.shipping_code,
        "shipping_address": _address_row(cart.shipping_address),
        "billing_address": _address_row(cart.billing_address),
        "merged_into": cart.merged_into,
        "created_at": cart.created_at,
        "expires_at": cart.expires_at,
    }


def _address_row(address: PostalAddress | None) -> dict[str, Any] | None:
    return None if address is None else asdict(address)


def _line_row(cart_id: UUID, line: CartLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "cart_id": cart_id,
        "variant_id": line.variant_id,
        "options_hash": options_hash(line.options),
        "options": [list(pair) for pair in line.options],
        "quantity": line.quantity,
        "position": line.position,
        "shown_micro": line.shown_micro,
    }


def _stored(row: Row, lines: tuple[CartLine, ...]) -> Stored[Cart]:
    buyer = Buyer(
        currency=row["currency"],
        customer_id=row["customer_id"],
        location_id=row["location_id"],
        account_ids=tuple(UUID(one) for one in row["account_ids"]),
        group_ids=frozenset(UUID(one) for one in row["group_ids"]),
        channel=row["channel"],
        country=row["country"],
    )
    cart = Cart(
        id=row["id"],
        buyer=buyer,
        state=CartState(row["state"]),
        lines=lines,
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        coupons=tuple(row["coupons"]),
        token_sha256=row["token_sha256"],
        email=row["email"],
        shipping_code=row["shipping_code"],
        shipping_address=_address(row["shipping_address"]),
        billing_address=_address(row["billing_address"]),
        merged_into=row["merged_into"],
    )
    return Stored(cart, row["version"], row["updated_at"])


def _address(stored: dict[str, Any] | None) -> PostalAddress | None:
    return None if stored is None else PostalAddress(**{**stored, "lines": tuple(stored["lines"])})


def _line(row: Row) -> CartLine:
    return CartLine(
        id=row["id"],
        variant_id=row["variant_id"],
        quantity=row["quantity"],
        position=row["position"],
        options=tuple((code, value) for code, value in row["options"]),
        shown_micro=row["shown_micro"],
    )


def _goods(row: Row) -> Goods:
    published = Status.PUBLISHED.value
    is_for_sale = (
        row["structure"] != Structure.PARENT.value
        and row["status"] == published
        and row["parent_status"] in (None, published)
    )
    return Goods(
        variant_id=row["id"],
        product_id=row["product_id"],
        sku=row["sku"] or "",
        title=row["title"] or row["parent_title"] or "",
        is_for_sale=is_for_sale,
        requires_shipping=row["requires_shipping"] is not False,
        quantity_min=row["minimum"] or 1,
        quantity_max=row["maximum"],
        quantity_step=row["step"] or 1,
        parent_id=row["parent_id"],
        type_id=row["type_id"],
    )
