"""Orders in the core's tables, read and written as documents."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.aggregates import Shape
from legacy_adapters.oscar.mapping.sync_order_documents import OrderDoc, Stage, placed_in_oscar
from legacy_adapters.oscar.storage.core_orders_merge import Held, merged
from legacy_adapters.oscar.storage.core_orders_rows import (
    Around,
    CoreRow,
    document,
    fresh_line,
    fresh_row,
)
from legacy_adapters.oscar.storage.core_orders_tables import ORDERS
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage.statements import chunks, fetch, one_of, upsert
from new_core.storage.tables.carts import cart
from new_core.storage.tables.catalog import product, variant
from new_core.storage.tables.customers import customer
from new_core.storage.tables.inventory import reservation
from new_core.storage.tables.orders import order_line, sales_order

_C = sales_order.c
_ORDERS = sa.select(sales_order).where(one_of(_C.id))
_LOCKED = _ORDERS.with_for_update()
_LINES = (
    sa.select(order_line)
    .where(one_of(order_line.c.order_id))
    .order_by(order_line.c.order_id, order_line.c.position)
)
_PROMISED = sa.select(
    reservation.c.owner_id, reservation.c.variant_id, reservation.c.stock_level_id
).where(reservation.c.owner_type == "order", one_of(reservation.c.owner_id))
_BILLED = sa.select(cart.c.id, cart.c.billing_address).where(one_of(cart.c.id))
_WHO = sa.select(customer.c.id, customer.c.email).where(one_of(customer.c.id))
_GOODS = (
    sa.select(product.c.id, variant.c.id.label("variant_id"))
    .outerjoin(variant, variant.c.product_id == product.c.id)
    .where(one_of(product.c.id))
    .order_by(product.c.id, variant.c.id)
)
_NUMBERED = sa.select(_C.id, _C.number).where(one_of(_C.number))
_LIVING = sa.select(_C.id, _C.cart_id).where(one_of(_C.cart_id), _C.status != "cancelled")


class OrderDocuments:
    """Orders of the core as documents."""

    @property
    def shapes(self) -> Sequence[Shape]:
        """Their rows."""
        return (ORDERS,)

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, OrderDoc]:
        """Documents as they are now."""
        held = await _held(connection_of(uow), _ORDERS, ids)
        return {ident: document(one.row, one.lines, one.around) for ident, one in held.items()}

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        wanted = sa.select(_C.id).order_by(_C.id).limit(size)
        if after is not None:
            wanted = wanted.where(_C.id > after)
        return (await connection_of(uow).execute(wanted)).scalars().all()

    async def write(
        self, uow: UnitOfWork, docs: Sequence[OrderDoc], now: datetime
    ) -> Mapping[UUID, str]:
        """Write orders and their lines. What the core alone knows of them stays, and orders
        that say what they said are not written.
        """
        connection = connection_of(uow)
        held = await _held(connection, _LOCKED, [one.id for one in docs])
        changed = [one for one in docs if one.id not in held or held[one.id].doc != one]
        ends = await _Ends.of(connection, changed)
        refused = ends.refused(changed)
        rows: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        gone: list[UUID] = []
        for doc in changed:
            if doc.id in refused:
                continue
            row, some = _rows_of(doc, held.get(doc.id), ends)
            rows.append(row)
            lines += some
            gone += _gone(doc, held.get(doc.id))
        # 1. A basket's first order is cancelled, 2. its second comes in the same batch: whoever
        # is cancelled makes room first.
        rows.sort(key=lambda row: row["status"] != "cancelled")
        await upsert(connection, sales_order, rows, now)
        for part in chunks(gone):
            await connection.execute(sa.delete(order_line).where(order_line.c.id.in_(part)))
        await upsert(connection, order_line, lines, now)
        return refused

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:  # noqa: ARG002 - nothing of them stays that a time could be kept in
        """Take orders out, with their lines and changes."""
        connection = connection_of(uow)
        for part in chunks(ids):
            await connection.execute(sa.delete(sales_order).where(_C.id.in_(part)))


def _rows_of(
    doc: OrderDoc, held: Held | None, ends: _Ends
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    email = doc.email if doc.customer_id is None else ends.mailboxes[doc.customer_id]
    if held is not None:
        return merged(held, doc, email, ends.variants)
    lines = [fresh_line(doc, at, one, ends.variants) for at, one in enumerate(doc.lines)]
    return fresh_row(doc, email), lines


def _gone(doc: OrderDoc, held: Held | None) -> Iterable[UUID]:
    if held is None:
        return ()
    stay = {one.id for one in doc.lines}
    return (one["id"] for one in held.lines if one["id"] not in stay)


async def _held(
    connection: AsyncConnection, wanted: sa.Select[Any], ids: Collection[UUID]
) -> dict[UUID, Held]:
    rows = await fetch(connection, wanted, ids)
    if not rows:
        return {}
    lines: dict[UUID, list[CoreRow]] = {}
    for line in await fetch(connection, _LINES, [row["id"] for row in rows]):
        lines.setdefault(line["order_id"], []).append(line)
    around = await _around(connection, [row for row in rows if not placed_in_oscar(row["id"])])
    return {row["id"]: Held(row, lines.get(row["id"], ()), around) for row in rows}


async def _around(connection: AsyncConnection, rows: Sequence[CoreRow]) -> Around:
    if not rows:
        return Around()
    held = await fetch(connection, _PROMISED, [row["id"] for row in rows])
    promised: dict[tuple[UUID, UUID], UUID] = {}
    for one in sorted(held, key=lambda row: row["stock_level_id"]):
        promised.setdefault((one["owner_id"], one["variant_id"]), one["stock_level_id"])
    carts = await fetch(connection, _BILLED, {row["cart_id"] for row in rows})
    return Around(
        promised,
        frozenset(one["id"] for one in carts if one["billing_address"] is not None),
    )


class _Ends:
    """What documents point at, as the core has it."""

    def __init__(
        self,
        mailboxes: Mapping[UUID, str],
        goods: Sequence[CoreRow],
        numbers: Mapping[str, UUID],
        living: Mapping[UUID, UUID],
    ) -> None:
        self.mailboxes = mailboxes
        self.products = {one["id"] for one in goods}
        self.variants: dict[UUID, UUID] = {}
        for one in goods:
            if one["variant_id"] is not None:
                self.variants.setdefault(one["id"], one["variant_id"])
        self._numbers = dict(numbers)
        self._living = dict(living)

    @classmethod
    async def of(cls, connection: AsyncConnection, docs: Sequence[OrderDoc]) -> _Ends:
        """Look it all up."""
        people = {one.customer_id for one in docs if one.customer_id is not None}
        goods = {line.product_id for one in docs for line in one.lines if line.product_id}
        carts = {one.cart_id for one in docs if one.cart_id is not None}
        return cls(
            {one["id"]: one["email"] for one in await fetch(connection, _WHO, people)},
            await fetch(connection, _GOODS, goods),
            {
                one["number"]: one["id"]
                for one in await fetch(connection, _NUMBERED, {one.number for one in docs})
            },
            {one["cart_id"]: one["id"] for one in await fetch(connection, _LIVING, carts)},
        )

    def refused(self, docs: Sequence[OrderDoc]) -> dict[UUID, str]:
        """Reasons of those that the core cannot take."""
        self._make_room(docs)
        found = {}
        for doc in docs:
            reason = self._reason(doc)
            if reason is not None:
                found[doc.id] = reason
                continue
            self._numbers[doc.number] = doc.id
            if doc.cart_id is not None and doc.stage is not Stage.CANCELLED:
                self._living[doc.cart_id] = doc.id
        return found

    def _make_room(self, docs: Sequence[OrderDoc]) -> None:
        for doc in docs:
            is_its = doc.cart_id is not None and self._living.get(doc.cart_id) == doc.id
            if is_its and doc.stage is Stage.CANCELLED:
                assert doc.cart_id is not None  # noqa: S101 - seen in the line above
                del self._living[doc.cart_id]

    def _reason(self, doc: OrderDoc) -> str | None:
        if doc.customer_id is not None and doc.customer_id not in self.mailboxes:
            return f"its customer {doc.customer_id} is not in the core"
        for line in doc.lines:
            if line.product_id is not None and line.product_id not in self.products:
                return f"its product {line.product_id} is not in the core"
        other = self._numbers.get(doc.number, doc.id)
        if other != doc.id:
            return f"its number {doc.number} is that of the order {other}"
        if doc.stage is not Stage.CANCELLED and doc.cart_id is not None:
            living = self._living.get(doc.cart_id, doc.id)
            if living != doc.id:
                return f"its basket has another order, {living}, which is not cancelled"
        return None
