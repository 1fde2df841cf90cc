"""Names in other systems, and where imports from them stand, in tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.identity import ExternalRef
from new_core.errors import CursorMoved
from new_core.ports import ImportCursor, Parked
from new_core.storage import tables as t
from new_core.storage.statements import Row, chunks, fetch, one_of, upsert

_REF = t.external_ref.c
_LIVING = sa.select(t.external_ref).where(_REF.removed_at.is_(None))

_SYSTEM = _REF.system == sa.bindparam("system")
_INTERNAL = _LIVING.where(
    _SYSTEM, _REF.entity_type == sa.bindparam("entity_type"), one_of(_REF.external_id)
)
_EXTERNAL = sa.select(_REF.internal_id, _REF.external_id).where(
    _SYSTEM, _REF.removed_at.is_(None), one_of(_REF.internal_id)
)
_EXTERNAL_OF = _EXTERNAL.where(_REF.entity_type == sa.bindparam("entity_type"))
_EVERY = sa.select(_REF.internal_id, _REF.external_id).where(
    _SYSTEM, _REF.entity_type == sa.bindparam("entity_type"), _REF.removed_at.is_(None)
)
_FIRST_SEEN = sa.select(_REF.entity_type, _REF.external_id, _REF.first_seen_at).where(
    _SYSTEM, one_of(_REF.internal_id)
)


class SqlRefs:
    """Who is who in other systems, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def internal(
        self, system: str, entity_type: str, external_ids: Collection[str]
    ) -> dict[str, ExternalRef]:
        rows = await fetch(
            self._connection, _INTERNAL, external_ids, system=system, entity_type=entity_type
        )
        return {row["external_id"]: _ref(row) for row in rows}

    async def external(
        self, system: str, internal_ids: Collection[UUID], *, entity_type: str = ""
    ) -> dict[UUID, str]:
        of = {"entity_type": entity_type} if entity_type else {}
        asked = _EXTERNAL_OF if entity_type else _EXTERNAL
        rows = await fetch(self._connection, asked, internal_ids, system=system, **of)
        return {row["internal_id"]: row["external_id"] for row in rows}

    async def every(self, system: str, entity_type: str) -> dict[UUID, str]:
        found = await self._connection.execute(
            _EVERY, {"system": system, "entity_type": entity_type}
        )
        return {one.internal_id: one.external_id for one in found}

    async def page(
        self, system: str, entity_type: str, after: str, limit: int
    ) -> tuple[ExternalRef, ...]:
        result = await self._connection.execute(
            _LIVING.where(
                _REF.system == system, _REF.entity_type == entity_type, _REF.external_id > after
            )
            .order_by(_REF.external_id)
            .limit(limit)
        )
        return tuple(_ref(row) for row in result.mappings())

    async def put(self, refs: Sequence[ExternalRef], now: datetime) -> None:
        if not refs:
            return
        first_seen = await self._first_seen(refs)
        rows = [
            {
                **asdict(one),
                "first_seen_at": first_seen.get((one.entity_type, one.external_id), now),
                "last_synced_at": now,
                "removed_at": None,
            }
            for one in refs
        ]
        await upsert(self._connection, t.external_ref, rows, now)

    async def _first_seen(self, refs: Sequence[ExternalRef]) -> dict[tuple[str, str], datetime]:
        ids = [one.internal_id for one in refs]
        found = await fetch(self._connection, _FIRST_SEEN, ids, system=refs[0].system)
        return {(one["entity_type"], one["external_id"]): one["first_seen_at"] for one in found}

    async def bury(self, system: str, internal_ids: Collection[UUID], now: datetime) -> None:
        for part in chunks(internal_ids):
            await self._connection.execute(
                sa.update(t.external_ref)
                .where(_REF.system == system, _REF.internal_id.in_(part))
                .values(removed_at=now, checksum="", last_synced_at=now)
            )


class SqlImports:
    """Cursors and parked rows of imports, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def cursor(self, stream: str) -> ImportCursor | None:
        table = t.import_cursor
        result = await self._connection.execute(sa.select(table).where(table.c.stream == stream))
        row = result.mappings().one_or_none()
        if row is None:
            return None
        return ImportCursor(row["stream"], row["position"], row["finished"])

    async def move_cursor(self, seen: ImportCursor | None, to: ImportCursor, now: datetime) -> None:
        # 1. Two imports of one stream start by mistake, 2. both read the cursor, 3. both
        # write their page. The condition lets one of them through; the other rolls back.
        table = t.import_cursor
        values = {"position": to.position, "finished": to.finished, "moved_at": now}
        if seen is None:
            taken = await self.cursor(to.stream)
            if taken is not None:
                raise CursorMoved(to.stream)
            await self._connection.execute(sa.insert(table).values(stream=to.stream, **values))
            return
        moved = await self._connection.execute(
            sa.update(table)
            .where(
                table.c.stream == seen.stream,
                table.c.position == seen.position,
                table.c.finished == seen.finished,
            )
            .values(**values)
        )
        if moved.rowcount != 1:
            raise CursorMoved(to.stream)

    async def park(self, rows: Sequence[Parked], now: datetime) -> None:
        values = [{**asdict(one), "parked_at": now} for one in rows]
        await upsert(self._connection, t.import_parked, values, now)

    async def unpark(self, system: str, entity_type: str, external_ids: Collection[str]) -> None:
        table = t.import_parked
        for part in chunks(external_ids):
            await self._connection.execute(
                sa.delete(table).where(
                    table.c.system == system,
                    table.c.entity_type == entity_type,
                    table.c.external_id.in_(part),
                )
            )

    async def parked(self, system: str, limit: int) -> tuple[Parked, ...]:
        table = t.import_parked
        result = await self._connection.execute(
            sa.select(table)
            .where(table.c.system == system)
            .order_by(table.c.entity_type, table.c.external_id)
            .limit(limit)
        )
        return tuple(
            Parked(row["system"], row["entity_type"], row["external_id"], row["reason"])
            for row in result.mappings()
        )

    async def parked_ids(self, system: str, entity_type: str) -> frozenset[str]:
        table = t.import_parked
        result = await self._connection.execute(
            sa.select(table.c.external_id).where(
                table.c.system == system, table.c.entity_type == entity_type
            )
        )
        return frozenset(result.scalars())

    async def counts(self, system: str) -> Mapping[str, int]:
        counted = {}
        for entity_type, table in _ROWS.items():
            statement = (
                sa.select(sa.func.count())
                .select_from(table)
                .where(_came_from(system, entity_type, table.c.id))
            )
            counted[entity_type] = (await self._connection.execute(statement)).scalar_one()
        return counted

    async def totals(self, system: str) -> Mapping[str, int]:
        product, level, price = t.product.c, t.stock_level.c, t.price.c
        own = _came_from(system, "product", product.id)
        counted = sa.select(sa.func.count().label("products")).where(own)
        summed = (
            sa.select(
                sa.func.count().label("stock_records"),
                sa.func.sum(level.on_hand).label("on_hand"),
                sa.func.sum(level.reserved).label("reserved"),
                sa.func.sum(price.unit_micro).label("price_micro"),
            )
            .select_from(t.stock_level)
            .join(t.variant, t.variant.c.id == level.variant_id)
            .join(t.product, product.id == t.variant.c.product_id)
            .outerjoin(t.price, price.stock_level_id == level.id)
            .where(own)
        )
        found: dict[str, int] = {}
        for statement in (counted.select_from(t.product), summed):
            row = (await self._connection.execute(statement)).mappings().one()
            found |= {str(name): int(value or 0) for name, value in row.items()}
        return found


_ROWS = {
    "product_type": t.product_type,
    "attribute": t.attribute_def,
    "option": t.option,
    "category": t.category,
    "warehouse": t.warehouse,
    "product": t.product,
    "stock_level": t.stock_level,
}


def _came_from(
    system: str, entity_type: str, ident: sa.ColumnElement[Any]
) -> sa.ColumnElement[bool]:
    """Whether a row has a living reference to a system and is not parked."""
    parked = t.import_parked.c
    return (
        sa.select(sa.literal(1))
        .where(
            _REF.system == system,
            _REF.entity_type == entity_type,
            _REF.internal_id == ident,
            _REF.removed_at.is_(None),
            ~sa.exists().where(
                parked.system == _REF.system,
                parked.entity_type == _REF.entity_type,
                parked.external_id == _REF.external_id,
            ),
        )
        .exists()
    )


def _ref(row: Row) -> ExternalRef:
    return ExternalRef(
        row["system"], row["entity_type"], row["external_id"], row["internal_id"], row["checksum"]
    )
