"""Orders in tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.order import NumberSeries, Order, OrderChange, OrderLine
from new_core.errors import Conflict
from new_core.ports import OrderQuery
from new_core.storage.order_rows import (
    change_of,
    change_row,
    line_of,
    line_rows,
    order_of,
    order_row,
)
from new_core.storage.statements import Row, fetch, one_of, upsert
from new_core.storage.tables.orders import order_change, order_line, order_number, sales_order

_c = sales_order.c
_ORDER = sa.select(sales_order).where(_c.id == sa.bindparam("id"))
_LOCKED = _ORDER.with_for_update()
_BY_NUMBER = sa.select(sales_order).where(_c.number == sa.bindparam("number"))
_OF_CART = (
    sa.select(sales_order)
    .where(_c.cart_id == sa.bindparam("cart_id"))
    .order_by(sa.case((_c.status == "cancelled", 1), else_=0), _c.created_at.desc(), _c.id.desc())
    .limit(1)
)
_LINES = (
    sa.select(order_line)
    .where(one_of(order_line.c.order_id))
    .order_by(order_line.c.order_id, order_line.c.position)
)
_CHANGES = (
    sa.select(order_change)
    .where(order_change.c.order_id == sa.bindparam("id"))
    .order_by(order_change.c.n)
)
_NEXT = sa.case(
    (order_number.c.next_value < sa.bindparam("first"), sa.bindparam("first")),
    else_=order_number.c.next_value,
)
_DRAW = (
    sa.update(order_number)
    .where(order_number.c.series == sa.bindparam("name"), sa.bindparam("last") >= _NEXT)
    .values(next_value=_NEXT + 1)
    .returning(order_number.c.next_value - 1)
)


class SqlOrders:
    """Rows of orders, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        # The lines of orders that this transaction holds: a change of status does not write
        # five hundred of them again.
        self._held: dict[UUID, tuple[OrderLine, ...]] = {}

    async def get(self, order_id: UUID) -> Stored[Order] | None:
        return await self._one(_ORDER, id=order_id)

    async def of_cart(self, cart_id: UUID) -> Stored[Order] | None:
        return await self._one(_OF_CART, cart_id=cart_id)

    async def by_number(self, number: str) -> Stored[Order] | None:
        return await self._one(_BY_NUMBER, number=number)

    async def locked(self, order_id: UUID) -> Stored[Order] | None:
        found = await self._one(_LOCKED, id=order_id)
        if found is not None:
            self._held[order_id] = found.value.lines
        return found

    async def page(self, query: OrderQuery) -> tuple[Stored[Order], ...]:
        rows = (await self._connection.execute(_page(query))).mappings().all()
        return await self._whole(rows, with_lines=query.with_lines)

    async def put(self, order: Order, now: datetime) -> Stored[Order]:
        row = order_row(order) | {"version": 1, "updated_at": now}
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        insert = make(sales_order)
        changes: dict[str, Any] = {name: insert.excluded[name] for name in row if name != "id"}
        statement = insert.on_conflict_do_update(
            index_elements=[_c.id], set_=changes | {"version": _c.version + 1}
        )
        version = await self._connection.scalar(statement.returning(_c.version), row)
        if self._held.get(order.id) != order.lines:
            await upsert(self._connection, order_line, line_rows(order), now)
            self._held[order.id] = order.lines
        return Stored(order, int(version or 1), now)

    async def next_number(self, series: NumberSeries) -> str:
        drawn = await self._draw(series)
        if drawn is None:
            make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
            # 1. Two transactions find no such series, 2. one makes it, 3. the other waits for
            # its end here, and then draws what comes after.
            await self._connection.execute(
                make(order_number).on_conflict_do_nothing(),
                {"series": series.name, "next_value": series.first},
            )
            drawn = await self._draw(series)
        if drawn is None:
            raise Conflict(
                "order_numbers_exhausted",
                f"the order numbers {series.first} to {series.last} are used up",
            )
        return str(drawn)

    async def changes(self, order_id: UUID) -> tuple[OrderChange, ...]:
        result = await self._connection.execute(_CHANGES, {"id": order_id})
        return tuple(change_of(row) for row in result.mappings())

    async def forget_texts(self, order_id: UUID) -> None:
        for one in await self.changes(order_id):
            actions = [
                {key: value for key, value in action.items() if _is_no_text(key, value)}
                for action in one.actions
            ]
            mine = sa.update(order_change).where(
                order_change.c.order_id == order_id, order_change.c.n == one.n
            )
            await self._connection.execute(mine.values(actions=actions, reason=""))

    async def add_changes(self, changes: Sequence[OrderChange]) -> None:
        if changes:
            rows = [change_row(one) for one in changes]
            await self._connection.execute(sa.insert(order_change), rows)

    async def _draw(self, series: NumberSeries) -> int | None:
        drawn: int | None = await self._connection.scalar(
            _DRAW, {"name": series.name, "first": series.first, "last": series.last}
        )
        return drawn

    async def _one(self, statement: sa.Select[Any], **parameters: object) -> Stored[Order] | None:
        rows = (await self._connection.execute(statement, parameters)).mappings().all()
        found = await self._whole(rows, with_lines=True)
        return found[0] if found else None

    async def _whole(self, rows: Sequence[Row], *, with_lines: bool) -> tuple[Stored[Order], ...]:
        lines = await self._lines([row["id"] for row in rows]) if with_lines else {}
        return tuple(
            Stored(order_of(row, lines.get(row["id"], ())), row["version"], row["updated_at"])
            for row in rows
        )

    async def _lines(self, order_ids: Collection[UUID]) -> dict[UUID, list[OrderLine]]:
        found: dict[UUID, list[OrderLine]] = {}
        for row in await fetch(self._connection, _LINES, order_ids):
            found.setdefault(row["order_id"], []).append(line_of(row))
        return found


def _page(query: OrderQuery) -> sa.Select[Any]:
    statement = sa.select(sales_order).limit(query.limit)
    if query.newest_first:
        statement = statement.order_by(_c.created_at.desc(), _c.id.desc())
    else:
        statement = statement.order_by(_c.updated_at, _c.id)
    return statement.where(*_conditions(query))


def _conditions(query: OrderQuery) -> Iterable[sa.ColumnElement[bool]]:
    if query.after is not None:
        at, last = query.after
        if query.newest_first:
            yield sa.or_(_c.created_at < at, sa.and_(_c.created_at == at, _c.id < last))
        else:
            yield sa.or_(_c.updated_at > at, sa.and_(_c.updated_at == at, _c.id > last))
    if query.statuses:
        yield _c.status.in_([one.value for one in query.statuses])
    if query.customer_id is not None:
        yield _c.customer_id == query.customer_id
    if query.account_ids is not None:
        # Few accounts, one after the other in a text: nobody asks for parts of an id.
        yield sa.or_(sa.false(), *(_c.account_ids.contains(str(one)) for one in query.account_ids))
    if query.number is not None:
        yield _c.number == query.number
    if query.placed_from is not None:
        yield _c.placed_at >= query.placed_from
    if query.placed_before is not None:
        yield _c.placed_at < query.placed_before
    if query.updated_since is not None:
        yield _c.updated_at >= query.updated_since


def _is_no_text(key: str, value: object) -> bool:
    return key in {"action", "line_id", "sku"} or isinstance(value, int)
