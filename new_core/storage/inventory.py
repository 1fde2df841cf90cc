"""Stock that moves: levels by conditional updates, and the book of movements."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.actor import Actor, system
from new_core.domain.stock import StockLevel, StockPolicy
from new_core.domain.stock_movement import Movement, MovementKind
from new_core.domain.stock_plan import Shelf, VariantSupply
from new_core.errors import Conflict
from new_core.storage import tables as t
from new_core.storage.statements import Row, fetch, one_of
from new_core.storage.stock import SqlStock
from new_core.storage.types import UtcDateTime

IMPORT = system("import")

_LEVEL = t.stock_level.c
_KEYS = ("id", "variant_id", "warehouse_id", "rank", "on_hand", "reserved", "reserved_elsewhere",
         "safety", "backorder_limit")  # fmt: skip
_SHELVES = (
    sa.select(*(_LEVEL[name] for name in _KEYS), t.warehouse.c.priority, t.warehouse.c.active)
    .join(t.warehouse, t.warehouse.c.id == _LEVEL.warehouse_id)
    .where(one_of(_LEVEL.variant_id))
    .order_by(_LEVEL.variant_id, _LEVEL.warehouse_id, _LEVEL.id)
)
# Foreign keys of others on these rows do not wait for this lock.
_SHELVES_LOCKED = _SHELVES.with_for_update(of=t.stock_level, key_share=True)
_LEVELS_LOCKED = (
    sa.select(*(_LEVEL[name] for name in _KEYS))
    .where(one_of(_LEVEL.id))
    .order_by(_LEVEL.variant_id, _LEVEL.warehouse_id, _LEVEL.id)
    .with_for_update(key_share=True)
)
_EVER_PROMISED = (
    sa.select(t.reservation.c.stock_level_id)
    .where(one_of(t.reservation.c.stock_level_id))
    .distinct()
)
_PARENT = t.product.alias("parent")
_TRACKED = (
    sa.select(t.variant.c.id, t.product_type.c.track_stock)
    .join(t.product, t.product.c.id == t.variant.c.product_id)
    .outerjoin(_PARENT, _PARENT.c.id == t.product.c.parent_id)
    .outerjoin(
        t.product_type,
        t.product_type.c.id == sa.func.coalesce(_PARENT.c.type_id, t.product.c.type_id),
    )
    .where(one_of(t.variant.c.id))
)

# One statement for any number of levels. The conditions hold whatever the caller believed:
# on READ COMMITTED they are looked at again once the row's lock is had.
_MOVE = """
UPDATE stock_level AS s SET
    on_hand = s.on_hand + v.on_hand,
    reserved = CASE WHEN v.reserved = 0 THEN s.reserved
        ELSE coalesce(s.reserved, 0) + v.reserved END,
    shortfall = CASE WHEN v.reserved > 0 THEN s.shortfall
        WHEN coalesce(s.reserved, 0) + v.reserved - s.on_hand - v.on_hand > s.backorder_limit
        THEN coalesce(s.reserved, 0) + v.reserved - s.on_hand - v.on_hand - s.backorder_limit
        ELSE 0 END,
    incoming = CASE WHEN s.incoming > v.arrived THEN s.incoming - v.arrived ELSE 0 END,
    version = s.version + 1, updated_at = :now
FROM {changes} AS v
WHERE s.id = v.id
    AND (v.on_hand >= 0 OR s.on_hand + v.on_hand >= 0)
    AND (v.reserved >= 0 OR coalesce(s.reserved, 0) + v.reserved >= s.reserved_elsewhere)
    AND (v.reserved <= 0
        OR s.on_hand + s.backorder_limit - coalesce(s.reserved, 0) - s.safety >= v.reserved)
"""
_NOW = sa.bindparam("now", type_=UtcDateTime())
_MOVE_SQLITE = sa.text(
    _MOVE.format(
        changes="(SELECT value ->> 0 AS id, value ->> 1 AS on_hand, value ->> 2 AS reserved, "
        "value ->> 3 AS arrived FROM json_each(:changes))"
    )
).bindparams(_NOW)
_MOVE_POSTGRESQL = sa.text(
    _MOVE.format(changes="unnest(:ids, :on_hand, :reserved, :arrived)").replace(
        " AS v\n", " AS v(id, on_hand, reserved, arrived)\n"
    )
).bindparams(
    _NOW,
    sa.bindparam("ids", type_=postgresql.ARRAY(sa.Uuid())),
    sa.bindparam("on_hand", type_=postgresql.ARRAY(sa.BigInteger())),
    sa.bindparam("reserved", type_=postgresql.ARRAY(sa.BigInteger())),
    sa.bindparam("arrived", type_=postgresql.ARRAY(sa.BigInteger())),
)


_Sum = tuple[UUID, int, int, int]
"""A level, and units more: on the shelf, promised, and of those that were on their way."""
_NOTHING = (0, 0, 0)


class SqlInventory(SqlStock):
    """All that is known and done about stock, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    async def supplies(
        self, variant_ids: Collection[UUID], *, lock: bool = False
    ) -> dict[UUID, VariantSupply]:
        # In sorted parts, so that the whole is locked in one order however long it is.
        ids = sorted(set(variant_ids))
        rows = await fetch(self._connection, _SHELVES_LOCKED if lock else _SHELVES, ids)
        shelves: dict[UUID, list[Shelf]] = {}
        for row in rows:
            shelves.setdefault(row["variant_id"], []).append(_shelf(row))
        return {
            row["id"]: VariantSupply(
                row["id"], row["track_stock"] is not False, tuple(shelves.get(row["id"], ()))
            )
            for row in await fetch(self._connection, _TRACKED, ids)
        }

    async def shelves(self, ids: Collection[UUID]) -> dict[UUID, Shelf]:
        # In one statement as far as it goes: parts of it would be locked out of order.
        rows = await fetch(self._connection, _LEVELS_LOCKED, ids)
        return {row["id"]: _shelf(row) for row in rows}

    async def book(self, movements: Sequence[Movement], actor: Actor, now: datetime) -> None:
        await self._move(_summed(movements), now)
        await self._write_down(movements, actor, now)

    async def count(
        self, level: StockLevel, on_hand: int | None, actor: Actor, now: datetime
    ) -> None:
        if on_hand is not None and level.on_hand is not None:
            found = {"stock_level_id": level.id, "expected": level.on_hand, "counted": on_hand}
            await self._connection.execute(sa.insert(t.stock_count), {**found, "at": now})
        if on_hand == level.on_hand:
            return
        short: Any = 0
        if on_hand is not None:
            over = sa.func.coalesce(_LEVEL.reserved, 0) - _LEVEL.backorder_limit - on_hand
            short = sa.case((over > 0, over), else_=0)
        statement = sa.update(t.stock_level).where(_LEVEL.id == level.id).values(
            on_hand=on_hand, shortfall=short, version=_LEVEL.version + 1, updated_at=now
        )  # fmt: skip
        await self._connection.execute(statement)
        more = (on_hand or 0) - (level.on_hand or 0)
        counted = Movement(
            level.id, level.variant_id, level.warehouse_id, MovementKind.ADJUST, more,
            reason="counted",
        )  # fmt: skip
        await self._write_down([counted] if more else [], actor, now)

    async def add_level(
        self, level: StockLevel, policy: StockPolicy, actor: Actor, now: datetime
    ) -> bool:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        row = {**asdict(level), **asdict(policy), "version": 1, "updated_at": now}
        statement = make(t.stock_level).values(row).on_conflict_do_nothing(index_elements=["id"])
        if (await self._connection.execute(statement)).rowcount != 1:
            return False
        first = Movement(
            level.id, level.variant_id, level.warehouse_id, MovementKind.ADJUST,
            level.on_hand or 0, reason="first counted",
        )  # fmt: skip
        await self._write_down([first] if first.on_hand else [], actor, now)
        return True

    async def put_policy(self, stock_id: UUID, policy: StockPolicy, now: datetime) -> None:
        over = sa.func.coalesce(_LEVEL.reserved, 0) - _LEVEL.on_hand - policy.backorder_limit
        statement = sa.update(t.stock_level).where(_LEVEL.id == stock_id).values(
            **asdict(policy), shortfall=sa.case((over > 0, over), else_=0),
            version=_LEVEL.version + 1, updated_at=now,
        )  # fmt: skip
        await self._connection.execute(statement)

    async def retire(self, ids: Collection[UUID], now: datetime) -> frozenset[UUID]:
        kept = await fetch(self._connection, _EVER_PROMISED, ids)
        found = frozenset(row["stock_level_id"] for row in kept)
        for line in (await self.levels(found)).values():
            if line.level.value.on_hand is not None:
                await self.count(line.level.value, None, IMPORT, now)
        return found

    async def put_levels(self, levels: Sequence[StockLevel], now: datetime) -> None:
        """As another system has them: what it promised stands beside what is promised here."""
        if not levels:
            return
        ids = [one.id for one in levels]
        before = {row["id"]: row for row in await fetch(self._connection, _LEVELS_LOCKED, ids)}
        rows = [_imported(one, before.get(one.id)) for one in levels]
        await self._put_rows(rows, now)
        moved = (_difference(row, before.get(row["id"])) for row in rows)
        await self._write_down([one for one in moved if one is not None], IMPORT, now)

    async def _put_rows(self, rows: Sequence[dict[str, Any]], now: datetime) -> None:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        insert = make(t.stock_level)
        changes: dict[str, Any] = {name: insert.excluded[name] for name in rows[0] if name != "id"}
        changes["version"] = _LEVEL.version + 1
        changes["updated_at"] = insert.excluded.updated_at
        statement = insert.on_conflict_do_update(index_elements=["id"], set_=changes)
        written = {"version": 1, "updated_at": now}
        await self._connection.execute(statement, [{**row, **written} for row in rows])

    async def _move(self, changes: Sequence[_Sum], now: datetime) -> None:
        if not changes:
            return
        parameters: dict[str, Any] = {"now": now}
        if self._connection.dialect.name == "sqlite":
            statement = _MOVE_SQLITE
            parameters["changes"] = json.dumps([(one.hex, *sums) for one, *sums in changes])
        else:
            statement = _MOVE_POSTGRESQL
            columns = zip(*changes, strict=True)
            parameters |= dict(zip(("ids", "on_hand", "reserved", "arrived"), columns, strict=True))
        moved = await self._connection.execute(statement, parameters)
        if moved.rowcount != len(changes):
            raise Conflict("stock_moved", "a place has not that many units to give or take back")

    async def _write_down(self, movements: Sequence[Movement], actor: Actor, now: datetime) -> None:
        if not movements:
            return
        rows = [
            {
                "stock_level_id": one.stock_level_id,
                "variant_id": one.variant_id,
                "warehouse_id": one.warehouse_id,
                "kind": one.kind.value,
                "qty_on_hand": one.on_hand,
                "qty_reserved": one.reserved,
                "reason": one.reason,
                "reference": one.reference,
                "actor_kind": actor.kind.value,
                "actor_id": actor.id,
                "at": now,
            }
            for one in movements
        ]
        await self._connection.execute(sa.insert(t.stock_movement), rows)


def _summed(movements: Iterable[Movement]) -> list[_Sum]:
    """One change per level, in order of ids; those that cancel out are none."""
    sums: dict[UUID, tuple[int, int, int]] = {}
    for one in movements:
        on_hand, reserved, arrived = sums.get(one.stock_level_id, _NOTHING)
        came = one.on_hand if one.kind is MovementKind.RECEIPT else 0
        sums[one.stock_level_id] = (on_hand + one.on_hand, reserved + one.reserved, arrived + came)
    return [(level, *change) for level, change in sorted(sums.items()) if change != _NOTHING]


def _imported(level: StockLevel, before: Row | None) -> dict[str, Any]:
    """The row of a level that another system tells of."""
    row = asdict(level)
    elsewhere = level.reserved or 0
    own, limit = 0, 0
    if before is not None:
        own = (before["reserved"] or 0) - before["reserved_elsewhere"]
        limit = before["backorder_limit"]
    row["reserved"] = elsewhere + own if level.reserved is not None or own else None
    row["reserved_elsewhere"] = elsewhere
    # As it is: the row that is to be inserted is checked even where it only overwrites.
    row["backorder_limit"] = limit
    short = elsewhere + own - limit - level.on_hand if level.on_hand is not None else 0
    row["shortfall"] = max(0, short)
    return row


def _difference(after: dict[str, Any], before: Row | None) -> Movement | None:
    was = (before["on_hand"] or 0, before["reserved"] or 0) if before is not None else (0, 0)
    on_hand, reserved = (after["on_hand"] or 0) - was[0], (after["reserved"] or 0) - was[1]
    if not on_hand and not reserved:
        return None
    return Movement(
        after["id"], after["variant_id"], after["warehouse_id"], MovementKind.ADJUST,
        on_hand, reserved, "another system says so",
    )  # fmt: skip


def _shelf(row: Row) -> Shelf:
    return Shelf(
        stock_level_id=row["id"],
        variant_id=row["variant_id"],
        warehouse_id=row["warehouse_id"],
        rank=row["rank"],
        priority=row.get("priority", 0),
        sends=row.get("active", True),
        on_hand=row["on_hand"],
        reserved=row["reserved"] or 0,
        safety=row["safety"],
        backorder_limit=row["backorder_limit"],
    )
