"""All domains of data at a glance, read from the core's database and never written to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.flips import Control, FlipRecord, Noted
from legacy_adapters.ports.stage import Checkpoint, Parked, Rogue
from legacy_adapters.storage.flips import read_control, read_noted, read_record
from legacy_adapters.storage.opening import first_line
from legacy_adapters.storage.streams_lists import load_terms
from legacy_adapters.storage.streams_sessions import moment_of
from legacy_adapters.storage.tables import backfill, flips, streams
from new_core.errors import StoreUnavailable

_TRIED = ("committed", "rehearsed")


@dataclass(frozen=True, slots=True)
class Carried:
    """What one stream has done and has to do for one domain.

    Attributes:
        dirty: aggregates that wait; `parked` cannot be taken across.
        applied, failed: since it was begun.
    """

    dirty: int = 0
    parked: int = 0
    applied: int = 0
    failed: int = 0
    applied_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Copying:
    """How far the backfill of a domain is, in rows."""

    total: int
    rows: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overlook:
    """Everything, in one state of the database.

    Attributes:
        is_installed: False where the database has none of the sync's tables.
        checkpoints: by stream.
        carried: by stream and domain.
        rogues: open ones by the side that wrote and the domain.
        tried: by domain and the side that owned, the last flip or rehearsal that held writes.
        altered: (stream, table) whose definition is not the declared one.
    """

    is_installed: bool
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    carried: Mapping[tuple[str, str], Carried] = field(default_factory=dict)
    rogues: Mapping[tuple[str, str], int] = field(default_factory=dict)
    controls: Mapping[str, Control] = field(default_factory=dict)
    copying: Mapping[str, Copying] = field(default_factory=dict)
    tried: Mapping[tuple[str, str], FlipRecord] = field(default_factory=dict)
    altered: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DomainLists:
    """Of one domain: the oldest parked aggregates, the newest rogue writes and flips."""

    parked: tuple[Parked, ...] = ()
    rogues: tuple[Rogue, ...] = ()
    flips: tuple[FlipRecord, ...] = ()


class SqlOverlook:
    """Reads. Each call sees one state of the database, and may be cancelled.

    Raises: StoreUnavailable, from any call.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        """Args: engine: of the core's database, for reading alone."""
        self._engine = engine

    async def everything(self) -> Overlook:
        """How all domains stand."""
        async with self._reading() as connection:
            if not await _is_installed(connection):
                return Overlook(is_installed=False)
            altered = streams.definition.c
            seen = sa.select(altered.stream, altered.tbl).where(altered.altered != "")
            return Overlook(
                is_installed=True,
                checkpoints=await _checkpoints(connection),
                carried=await _carried(connection),
                rogues=await _rogues(connection),
                controls={
                    row.domain: read_control(row)
                    for row in await connection.execute(sa.select(flips.domain))
                },
                copying=await _copying(connection),
                tried=await _tried(connection),
                altered=tuple((row.stream, row.tbl) for row in await connection.execute(seen)),
            )

    async def lists(self, domain: str, limit: int) -> DomainLists:
        """At most so many of each; empty where the sync is not installed."""
        async with self._reading() as connection:
            if not await _is_installed(connection):
                return DomainLists()
            return DomainLists(
                await _parked(connection, domain, limit),
                await _open_rogues(connection, domain, limit),
                await _flips(connection, domain, limit),
            )

    async def flip(self, number: int) -> tuple[FlipRecord, Sequence[Noted]] | None:
        """A flip and all that was noted of it, in order; None when there is none."""
        async with self._reading() as connection:
            if not await _is_installed(connection):
                return None
            asked = sa.select(flips.flip).where(flips.flip.c.id == number)
            row = (await connection.execute(asked)).one_or_none()
            if row is None:
                return None
            lines = sa.select(flips.journal).where(flips.journal.c.flip == number)
            found = await connection.execute(lines.order_by(flips.journal.c.id))
            return read_record(row), [read_noted(line) for line in found]

    async def flips(self, since: datetime, limit: int) -> Sequence[FlipRecord]:
        """Flips of any domain that began then or later, newest first, at most so many."""
        async with self._reading() as connection:
            if not await _is_installed(connection):
                return ()
            known = flips.flip.c
            asked = sa.select(flips.flip).where(known.began_at >= since)
            found = await connection.execute(asked.order_by(known.id.desc()).limit(limit))
            return tuple(read_record(row) for row in found)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as exc:
            raise StoreUnavailable(first_line(exc)) from exc


async def _is_installed(connection: AsyncConnection) -> bool:
    return await connection.run_sync(
        lambda plain: (
            sa.inspect(plain).has_table(flips.journal.name)
            and sa.inspect(plain).has_table(backfill.part.name)
        )
    )


async def _checkpoints(connection: AsyncConnection) -> dict[str, Checkpoint]:
    found = await connection.execute(sa.select(streams.checkpoint))
    return {
        row.stream: Checkpoint(
            row.stream,
            Position(row.position, row.token),
            load_terms(row.terms),
            row.source_at,
            row.moved_at,
            row.problem,
            row.lag_ms,
            row.beat_at,
        )
        for row in found
    }


async def _carried(connection: AsyncConnection) -> dict[tuple[str, str], Carried]:
    dirty = await _counts(connection, streams.dirty)
    parked = await _counts(connection, streams.parked)
    found = await connection.execute(sa.select(streams.progress))
    done = {(row.stream, row.domain): row for row in found}
    carried = {}
    for place in {*dirty, *parked, *done}:
        row = done.get(place)
        carried[place] = Carried(
            dirty.get(place, 0),
            parked.get(place, 0),
            row.applied if row else 0,
            row.failed if row else 0,
            row.applied_at if row else None,
        )
    return carried


async def _counts(connection: AsyncConnection, table: sa.Table) -> dict[tuple[str, str], int]:
    place = (table.c.stream, table.c.domain)
    asked = sa.select(*place, sa.func.count().label("many")).group_by(*place)
    return {(row.stream, row.domain): row.many for row in await connection.execute(asked)}


async def _rogues(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    known = streams.rogue.c
    place = (known.side, known.domain)
    asked = sa.select(*place, sa.func.count().label("many")).group_by(*place)
    found = await connection.execute(asked.where(known.settled_us.is_(None)))
    return {(row.side, row.domain): row.many for row in found}


async def _copying(connection: AsyncConnection) -> dict[str, Copying]:
    run, part = backfill.run.c, backfill.part.c
    rows = sa.select(part.domain, sa.func.sum(part.rows).label("read")).group_by(part.domain)
    read = {row.domain: int(row.read or 0) for row in await connection.execute(rows)}
    asked = sa.select(run.domain, run.total, run.started_at, run.finished_at)
    return {
        row.domain: Copying(row.total, read.get(row.domain, 0), row.started_at, row.finished_at)
        for row in await connection.execute(asked)
    }


async def _tried(connection: AsyncConnection) -> dict[tuple[str, str], FlipRecord]:
    known = flips.flip.c
    held = (known.outcome.in_(_TRIED), known.freeze_us.is_not(None), known.ended_at.is_not(None))
    newest = sa.select(sa.func.max(known.id)).where(*held).group_by(known.domain, known.source)
    found = await connection.execute(sa.select(flips.flip).where(known.id.in_(newest)))
    return {(row.domain, row.source): read_record(row) for row in found}


async def _parked(connection: AsyncConnection, domain: str, limit: int) -> tuple[Parked, ...]:
    known = streams.parked.c
    asked = sa.select(streams.parked).where(known.domain == domain)
    ordered = asked.order_by(known.since_us, known.stream, known.kind, known.key).limit(limit)
    return tuple(
        Parked(
            row.stream,
            row.domain,
            AggregateKey(row.kind, row.key),
            row.reason,
            moment_of(row.since_us),
        )
        for row in await connection.execute(ordered)
    )


async def _open_rogues(connection: AsyncConnection, domain: str, limit: int) -> tuple[Rogue, ...]:
    known = streams.rogue.c
    asked = sa.select(streams.rogue).where(known.domain == domain, known.settled_us.is_(None))
    found = await connection.execute(asked.order_by(known.id.desc()).limit(limit))
    return tuple(_rogue(row) for row in found)


def _rogue(row: Any) -> Rogue:
    return Rogue(row.side, row.domain, row.tbl, row.pk, moment_of(row.at_us))


async def _flips(connection: AsyncConnection, domain: str, limit: int) -> tuple[FlipRecord, ...]:
    known = flips.flip.c
    asked = sa.select(flips.flip).where(known.domain == domain).order_by(known.id.desc())
    return tuple(read_record(row) for row in await connection.execute(asked.limit(limit)))
