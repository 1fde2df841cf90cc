"""Checkouts in tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.checkout import CheckoutState, Offer, OfferedLine
from new_core.errors import NotFound
from new_core.ports import Checkout, RequestKey
from new_core.storage.statements import Row
from new_core.storage.tables.checkout import checkout as _table

_c = _table.c
_BY_ID = sa.select(_table).where(_c.id == sa.bindparam("id"))
_OF_CART = sa.select(_table).where(_c.cart_id == sa.bindparam("id"))
_OF_ORDER = sa.select(_table).where(_c.order_id == sa.bindparam("id"))
_PAYING = (
    sa.select(_table)
    .where(_c.state == CheckoutState.PAYING.value, _c.updated_at < sa.bindparam("before"))
    .order_by(_c.updated_at)
    .limit(sa.bindparam("most", type_=sa.Integer()))
)


class SqlCheckout:
    """Rows of checkouts, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, checkout_id: UUID) -> Stored[Checkout] | None:
        return await self._one(_BY_ID, checkout_id)

    async def locked(self, checkout_id: UUID) -> Stored[Checkout] | None:
        return await self._one(_BY_ID.with_for_update(), checkout_id)

    async def of_cart(self, cart_id: UUID) -> Stored[Checkout] | None:
        return await self._one(_OF_CART, cart_id)

    async def of_order(self, order_id: UUID) -> Stored[Checkout] | None:
        return await self._one(_OF_ORDER, order_id)

    async def begin(self, checkout: Checkout, now: datetime) -> Stored[Checkout]:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        statement = make(_table).on_conflict_do_nothing(index_elements=["cart_id"])
        await self._connection.execute(
            statement, {**_row(checkout), "version": 1, "updated_at": now}
        )
        found = await self.of_cart(checkout.cart_id)
        if found is None:
            raise NotFound("checkout", str(checkout.id))
        return found

    async def put(self, checkout: Checkout, now: datetime) -> Stored[Checkout]:
        changes = {**_row(checkout), "version": _c.version + 1, "updated_at": now}
        version = await self._connection.scalar(
            sa.update(_table).where(_c.id == checkout.id).values(changes).returning(_c.version)
        )
        if version is None:
            raise NotFound("checkout", str(checkout.id))
        return Stored(checkout, version, now)

    async def paying_since(self, before: datetime, limit: int) -> tuple[Stored[Checkout], ...]:
        result = await self._connection.execute(_PAYING, {"before": before, "most": limit})
        return tuple(_stored(row) for row in result.mappings())

    async def _one(self, statement: sa.Select[Any], ident: UUID) -> Stored[Checkout] | None:
        row = (await self._connection.execute(statement, {"id": ident})).mappings().first()
        return None if row is None else _stored(row)


def _row(checkout: Checkout) -> dict[str, Any]:
    request = checkout.request
    return {
        "id": checkout.id,
        "cart_id": checkout.cart_id,
        "state": checkout.state.value,
        "order_id": checkout.order_id,
        "failure": checkout.failure,
        "offer": _offer_json(checkout.offer),
        "request_principal": request.principal if request else "",
        "request_route": request.route if request else "",
        "request_key": request.key if request else "",
        "request_fingerprint": request.fingerprint if request else "",
        "created_at": checkout.created_at,
    }


def _stored(row: Row) -> Stored[Checkout]:
    request = RequestKey(
        row["request_principal"], row["request_route"], row["request_key"],
        row["request_fingerprint"],
    )  # fmt: skip
    value = Checkout(
        id=row["id"],
        cart_id=row["cart_id"],
        state=CheckoutState(row["state"]),
        created_at=row["created_at"],
        order_id=row["order_id"],
        request=request if request.key else None,
        failure=row["failure"],
        offer=_offer(row["offer"]),
    )
    return Stored(value, row["version"], row["updated_at"])


def _offer_json(offer: Offer | None) -> dict[str, Any] | None:
    if offer is None:
        return None
    lines = [
        [one.line_id.hex, one.unit_micro, one.quantity, one.gross_minor] for one in offer.lines
    ]
    return asdict(replace(offer, lines=())) | {"lines": lines}


def _offer(kept: Mapping[str, Any] | None) -> Offer | None:
    if kept is None:
        return None
    lines = tuple(OfferedLine(UUID(hex=ident), *rest) for ident, *rest in kept["lines"])
    return Offer(**{**kept, "lines": lines})
