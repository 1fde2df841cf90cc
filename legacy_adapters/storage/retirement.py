"""Samples of domains that may be retired, in the core's database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.opening import first_line
from legacy_adapters.storage.streams_sessions import microseconds
from legacy_adapters.storage.tables import flips, streams
from legacy_adapters.storage.tables.retirement import retired, sample
from new_core.errors import StoreUnavailable
from new_core.storage.engine import WRITING


@dataclass(frozen=True, slots=True)
class SampleRow:
    """What was seen of a domain at one moment; see `cutover.core.retirement.Sample`."""

    domain: str
    at: datetime
    owner: str
    term: int
    legacy_requests: int | None
    unmatched: int | None
    position: int | None
    problem: str
    beat_at: datetime | None
    reads: Mapping[str, int] | None
    unread: str
    writes: int | None


class SqlRetirement:
    """Raises: StoreUnavailable, from any call."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Args: engine: of the core's database, which has the sync's tables."""
        self._engine = engine

    async def add(self, rows: Sequence[SampleRow]) -> None:
        """Keep what was seen."""
        values = [
            {name: getattr(row, name) for name in row.__slots__}
            | {"reads": None if row.reads is None else json.dumps(dict(row.reads))}
            for row in rows
        ]
        async with self._transaction(writing=True) as connection:
            if values:
                await connection.execute(sa.insert(sample), values)

    async def samples(self, domain: str, since: datetime) -> Sequence[SampleRow]:
        """Oldest first."""
        asked = sa.select(sample).where(sample.c.domain == domain, sample.c.at >= since)
        async with self._transaction() as connection:
            found = await connection.execute(asked.order_by(sample.c.at, sample.c.id))
            return [
                SampleRow(
                    row.domain, row.at, row.owner, row.term, row.legacy_requests, row.unmatched,
                    row.position, row.problem, row.beat_at,
                    None if row.reads is None else json.loads(row.reads), row.unread, row.writes,
                )
                for row in found
            ]  # fmt: skip

    async def rogues(self, domain: str, since: datetime) -> int:
        """Writes of others than the replicator that the legacy's log has, settled ones too."""
        known = streams.rogue.c
        asked = sa.select(sa.func.count()).select_from(streams.rogue)
        wanted = asked.where(
            known.side == Side.LEGACY.value,
            known.domain == domain,
            known.at_us >= microseconds(since),
        )
        async with self._transaction() as connection:
            return int((await connection.execute(wanted)).scalar_one())

    async def owned_since(self, domain: str) -> datetime | None:
        """When the core last became the owner by a flip; None where it never did."""
        known = flips.flip.c
        asked = sa.select(known.target, known.ended_at).where(
            known.domain == domain, known.outcome == "committed"
        )
        async with self._transaction() as connection:
            row = (await connection.execute(asked.order_by(known.id.desc()).limit(1))).first()
        return row.ended_at if row is not None and row.target == Side.CORE.value else None

    async def retire(self, domain: str, at: datetime, actor: str, certificate: str) -> None:
        """Note that a domain was retired; a second time takes the place of the first."""
        async with self._transaction(writing=True) as connection:
            await connection.execute(sa.delete(retired).where(retired.c.domain == domain))
            values = {"domain": domain, "at": at, "actor": actor, "certificate": certificate}
            await connection.execute(sa.insert(retired).values(values))

    @asynccontextmanager
    async def _transaction(self, *, writing: bool = False) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(**{WRITING: writing})
                async with connection.begin():
                    yield connection
        except (SQLAlchemyError, OSError) as exc:
            raise StoreUnavailable(first_line(exc)) from exc
