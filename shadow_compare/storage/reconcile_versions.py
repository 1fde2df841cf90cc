"""The table of applied versions in either database, read and never locked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.storage.tables.marks import version
from shadow_compare.errors import SidesUnavailable

_LOT = 500


class SqlAppliedVersions:
    """Implements ports.applied_versions.AppliedVersions over an engine of that database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def orders(self, kind: str, ids: Collection[UUID]) -> Mapping[UUID, int]:
        asked, found = sorted(map(str, ids)), dict[UUID, int]()
        if not asked:
            return found
        async with self._reading() as connection:
            for at in range(0, len(asked), _LOT):
                query = sa.select(version.c.id, version.c.position).where(
                    version.c.kind == kind, version.c.id.in_(asked[at : at + _LOT])
                )
                for row in await connection.execute(query):
                    found[UUID(row.id)] = int(row.position)
        return found

    async def behind(self, kind: str, order: int, after: UUID | None, size: int) -> Sequence[UUID]:
        query = (
            sa.select(version.c.id)
            .where(
                version.c.kind == kind,
                version.c.position > order,
                version.c.id > ("" if after is None else str(after)),
            )
            .order_by(version.c.id)
            .limit(size)
        )
        async with self._reading() as connection:
            return [UUID(row.id) for row in await connection.execute(query)]

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as exc:
            raise SidesUnavailable(f"versions cannot be read: {exc}") from exc
