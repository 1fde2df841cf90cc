"""Promises in tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.reservation import Owner, Reservation, ReservationState
from new_core.ports import ReservationQuery
from new_core.storage import tables as t
from new_core.storage.statements import Row, fetch, one_of

_R = t.reservation.c
_OWNED = sa.and_(
    _R.owner_type == sa.bindparam("owner_type"), _R.owner_id == sa.bindparam("owner_id")
)
_OF = sa.select(t.reservation).where(_OWNED).order_by(_R.id)
_OPEN_OF = (
    sa.select(t.reservation)
    .where(_OWNED, _R.state.in_(["held", "committed", "expired"]))
    .order_by(_R.stock_level_id)
    .with_for_update()
)
_IS_OVERDUE = sa.and_(
    _R.state == sa.literal_column("'held'"),
    _R.expires_at <= sa.bindparam("now", type_=_R.expires_at.type),
)
_OVERDUE = (
    sa.select(_R.stock_level_id)
    .where(_IS_OVERDUE)
    .order_by(_R.expires_at)
    .limit(sa.bindparam("most"))
)
_CLAIMED = (
    sa.select(_R.id)
    .where(
        one_of(_R.stock_level_id), _IS_OVERDUE,
        sa.or_(
            _R.owner_type != sa.bindparam("spared_type"), _R.owner_id != sa.bindparam("spared_id")
        ),
    )
    .with_for_update(skip_locked=True)
)  # fmt: skip
_EXPIRE = (
    sa.update(t.reservation)
    .where(_R.id.in_(_CLAIMED.scalar_subquery()), _IS_OVERDUE)
    .values(state="expired", version=_R.version + 1, updated_at=sa.bindparam("at"))
    .returning(*t.reservation.c)
)
_OVERDUE_UNITS = (
    sa.select(_R.stock_level_id, sa.func.sum(_R.quantity).label("units"))
    .where(one_of(_R.variant_id), _IS_OVERDUE)
    .group_by(_R.stock_level_id)
)
_CHANGING = ("quantity", "state", "expires_at", "updated_at")


class SqlReservations:
    """Rows of reservations, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def locked(self, owner: Owner) -> tuple[Reservation, ...]:
        if self._connection.dialect.name == "postgresql":
            # Rows that are not there yet cannot be locked, so the owner is.
            key = int.from_bytes(owner.id.bytes[8:], signed=True)
            await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        rows = (await self._connection.execute(_OPEN_OF, _named(owner))).mappings()
        return tuple(_reservation(row) for row in rows)

    async def of(self, owner: Owner) -> tuple[Reservation, ...]:
        rows = (await self._connection.execute(_OF, _named(owner))).mappings()
        return tuple(_reservation(row) for row in rows)

    async def put(self, reservations: Sequence[Reservation], now: datetime) -> None:
        if not reservations:
            return
        rows = [
            {
                "id": one.id,
                **_named(one.owner),
                "variant_id": one.variant_id,
                "stock_level_id": one.stock_level_id,
                "quantity": one.quantity,
                "state": one.state.value,
                "expires_at": one.expires_at,
                "created_at": now,
                "version": 1,
                "updated_at": now,
            }
            for one in reservations
        ]
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        insert = make(t.reservation)
        changes = {name: insert.excluded[name] for name in _CHANGING}
        statement = insert.on_conflict_do_update(
            index_elements=["id"], set_={**changes, "version": _R.version + 1}
        )
        await self._connection.execute(statement, rows)

    async def overdue(self, now: datetime, limit: int) -> tuple[UUID, ...]:
        found = await self._connection.execute(_OVERDUE, {"now": now, "most": limit})
        return tuple(dict.fromkeys(found.scalars()))

    async def expire(
        self, level_ids: Collection[UUID], now: datetime, *, but: Owner | None = None
    ) -> tuple[Reservation, ...]:
        spared = but or Owner("", UUID(int=0))
        rows = await fetch(
            self._connection, _EXPIRE, level_ids,
            now=now, at=now, spared_type=spared.type, spared_id=spared.id,
        )  # fmt: skip
        return tuple(_reservation(row) for row in rows)

    async def overdue_units(
        self, variant_ids: Collection[UUID], now: datetime
    ) -> Mapping[UUID, int]:
        rows = await fetch(self._connection, _OVERDUE_UNITS, variant_ids, now=now)
        return {row["stock_level_id"]: int(row["units"]) for row in rows}

    async def page(self, query: ReservationQuery) -> tuple[Stored[Reservation], ...]:
        chosen = sa.select(t.reservation).order_by(_R.id).limit(query.limit)
        if query.after is not None:
            chosen = chosen.where(_R.id > query.after)
        if query.owner is not None:
            chosen = chosen.where(_R.owner_type == query.owner.type, _R.owner_id == query.owner.id)
        if query.stock_level_id is not None:
            chosen = chosen.where(_R.stock_level_id == query.stock_level_id)
        if query.state is not None:
            chosen = chosen.where(_R.state == query.state.value)
        rows = (await self._connection.execute(chosen)).mappings()
        return tuple(Stored(_reservation(row), row["version"], row["updated_at"]) for row in rows)


def _named(owner: Owner) -> dict[str, Any]:
    return {"owner_type": owner.type, "owner_id": owner.id}


def _reservation(row: Row) -> Reservation:
    return Reservation(
        id=row["id"],
        owner=Owner(row["owner_type"], row["owner_id"]),
        variant_id=row["variant_id"],
        stock_level_id=row["stock_level_id"],
        quantity=row["quantity"],
        state=ReservationState(row["state"]),
        expires_at=row["expires_at"],
    )
