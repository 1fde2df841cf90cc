"""The book of movements, and the looks into it, in tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.actor import Actor
from new_core.domain.stock_accuracy import Accuracy, Counts, Drift
from new_core.domain.stock_movement import Booked, Movement, MovementKind
from new_core.ports import MovementQuery
from new_core.storage import tables as t
from new_core.storage.statements import Row, fetch, one_of

_S, _M, _R = t.stock_level.c, t.stock_movement.c, t.reservation.c
_ACTIVE = _R.state.in_(["held", "committed"])


def _drifts(only: bool) -> sa.Select[Any]:
    """Levels against the sums of their movements and of their active reservations."""
    moved = sa.select(
        _M.stock_level_id,
        sa.func.sum(_M.qty_on_hand).label("on_hand"),
        sa.func.sum(_M.qty_reserved).label("reserved"),
    ).group_by(_M.stock_level_id)
    promised = (
        sa.select(_R.stock_level_id, sa.func.sum(_R.quantity).label("units"))
        .where(_ACTIVE)
        .group_by(_R.stock_level_id)
    )
    if only:
        moved, promised = (
            moved.where(one_of(_M.stock_level_id)),
            promised.where(one_of(_R.stock_level_id)),
        )
    m, p = moved.subquery("m"), promised.subquery("p")
    on_hand, reserved = sa.func.coalesce(_S.on_hand, 0), sa.func.coalesce(_S.reserved, 0)
    moved_on_hand = sa.func.coalesce(m.c.on_hand, 0)
    moved_reserved = sa.func.coalesce(m.c.reserved, 0)
    units = _S.reserved_elsewhere + sa.func.coalesce(p.c.units, 0)
    found = (
        sa.select(
            _S.id, on_hand.label("on_hand"), reserved.label("reserved"),
            moved_on_hand.label("moved_on_hand"), moved_reserved.label("moved_reserved"),
            units.label("promised"),
        )
        .select_from(t.stock_level)
        .outerjoin(m, m.c.stock_level_id == _S.id)
        .outerjoin(p, p.c.stock_level_id == _S.id)
        .where(sa.or_(on_hand != moved_on_hand, reserved != moved_reserved, reserved != units))
        .order_by(_S.id)
    )  # fmt: skip
    return found.where(one_of(_S.id)) if only else found


_ALL_DRIFTS, _DRIFTS_OF = _drifts(only=False), _drifts(only=True)


class SqlStockBooks:
    """Movements, counts and measurements, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def movements(self, query: MovementQuery) -> tuple[Booked, ...]:
        chosen = sa.select(t.stock_movement).order_by(_M.seq).limit(query.limit)
        if query.after is not None:
            chosen = chosen.where(_M.seq > query.after)
        if query.stock_level_id is not None:
            chosen = chosen.where(_M.stock_level_id == query.stock_level_id)
        if query.variant_id is not None:
            chosen = chosen.where(_M.variant_id == query.variant_id)
        if query.kind is not None:
            chosen = chosen.where(_M.kind == query.kind.value)
        rows = (await self._connection.execute(chosen)).mappings()
        return tuple(_booked(row) for row in rows)

    async def level_count(self) -> int:
        counted = await self._connection.execute(
            sa.select(sa.func.count()).select_from(t.stock_level)
        )
        return int(counted.scalar_one())

    async def drifts(self, ids: Collection[UUID] | None = None) -> tuple[Drift, ...]:
        if ids is not None:
            rows = await fetch(self._connection, _DRIFTS_OF, ids)
        else:
            rows = list((await self._connection.execute(_ALL_DRIFTS)).mappings())
        return tuple(_drift(row) for row in rows)

    async def counts(self, since: datetime) -> Counts:
        count = t.stock_count.c
        off_by = sa.func.abs(count.expected - count.counted)
        sums = sa.select(
            sa.func.count(), sa.func.coalesce(sa.func.sum(count.counted), 0),
            sa.func.coalesce(sa.func.sum(off_by), 0),
        ).where(count.at >= since)  # fmt: skip
        row = (await self._connection.execute(sums)).one()
        return Counts(*(int(one) for one in row))

    async def repair(self, drift: Drift, actor: Actor, now: datetime) -> None:
        # The book may say fewer than none; a shelf cannot.
        on_hand = max(0, drift.moved_on_hand)
        over = drift.promised - on_hand - _S.backorder_limit
        mended = sa.update(t.stock_level).where(_S.id == drift.stock_level_id).values(
            on_hand=on_hand or sa.case((_S.on_hand.is_(None), None), else_=0),
            reserved=drift.promised, shortfall=sa.case((over > 0, over), else_=0),
            version=_S.version + 1, updated_at=now,
        ).returning(_S.variant_id, _S.warehouse_id)  # fmt: skip
        level = (await self._connection.execute(mended)).one()
        movement = {
            "stock_level_id": drift.stock_level_id,
            "variant_id": level.variant_id,
            "warehouse_id": level.warehouse_id,
            "kind": MovementKind.ADJUST.value,
            "qty_on_hand": on_hand - drift.moved_on_hand,
            "qty_reserved": drift.promised - drift.moved_reserved,
            "reason": "repaired",
            "reference": "",
            "actor_kind": actor.kind.value,
            "actor_id": actor.id,
            "at": now,
        }
        await self._connection.execute(sa.insert(t.stock_movement), movement)

    async def add(self, measured: Accuracy, *, keep_since: datetime) -> bool:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        row = {
            "id": measured.id,
            "at": measured.at,
            "since": measured.since,
            **asdict(measured.counts),
            "levels": measured.levels,
            "drifted": measured.drifted,
            "drifts": [_plain(one) for one in measured.drifts],
        }
        insert = make(t.stock_accuracy).values(row).on_conflict_do_nothing(index_elements=["id"])
        added = (await self._connection.execute(insert)).rowcount == 1
        old = sa.delete(t.stock_accuracy).where(t.stock_accuracy.c.at < keep_since)
        await self._connection.execute(old)
        return added

    async def latest(self) -> Accuracy | None:
        newest = sa.select(t.stock_accuracy).order_by(t.stock_accuracy.c.at.desc()).limit(1)
        row = (await self._connection.execute(newest)).mappings().one_or_none()
        return _accuracy(row) if row is not None else None


def _booked(row: Row) -> Booked:
    movement = Movement(
        stock_level_id=row["stock_level_id"],
        variant_id=row["variant_id"],
        warehouse_id=row["warehouse_id"],
        kind=MovementKind(row["kind"]),
        on_hand=row["qty_on_hand"],
        reserved=row["qty_reserved"],
        reason=row["reason"],
        reference=row["reference"],
    )
    return Booked(row["seq"], movement, row["actor_kind"], row["actor_id"], row["at"])


def _drift(row: Row) -> Drift:
    return Drift(
        stock_level_id=row["id"],
        on_hand=int(row["on_hand"]),
        reserved=int(row["reserved"]),
        moved_on_hand=int(row["moved_on_hand"]),
        moved_reserved=int(row["moved_reserved"]),
        promised=int(row["promised"]),
    )


def _plain(drift: Drift) -> dict[str, Any]:
    return {**asdict(drift), "stock_level_id": str(drift.stock_level_id)}


def _read(plain: Mapping[str, Any]) -> Drift:
    return Drift(**{**plain, "stock_level_id": UUID(plain["stock_level_id"])})


def _accuracy(row: Row) -> Accuracy:
    return Accuracy(
        id=row["id"],
        at=row["at"],
        since=row["since"],
        counts=Counts(row["counts"], row["counted"], row["off_by"]),
        levels=row["levels"],
        drifted=row["drifted"],
        drifts=tuple(_read(one) for one in row["drifts"]),
    )
