"""Control rows, flips and their journal in the core's database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import (
    Control,
    FlipRecord,
    FlipStart,
    Lease,
    Line,
    Mark,
    Noted,
    Over,
    Phase,
    Verdict,
)
from legacy_adapters.storage.tables import flips as t
from legacy_adapters.storage.tables import marks
from new_core.errors import StoreUnavailable
from new_core.storage import make_engine
from new_core.storage.engine import WRITING

_OPEN = (Phase.FLIPPING, Phase.COMMITTED, Phase.ABORTED)


def make_flip_engine(url: str) -> AsyncEngine:
    """An engine whose commits outlive a power cut.

    SQLite's others may lose the last ones then, all of one file together. Here one file says
    who owns, and another one, the legacy's, has the gate: 1. committed, 2. the legacy's gate is
    opened, 3. the power fails and takes 1 back: the core would be opened as well.

    Raises:
        InvalidValue: no usable URL.
    """
    engine = make_engine(url, pool_size=3)
    if engine.dialect.name == "sqlite":

        def configure(connection: Any, _record: object) -> None:
            connection.cursor().execute("PRAGMA synchronous=FULL")

        sa.event.listen(engine.sync_engine, "connect", configure)
    return engine


@dataclass(frozen=True, slots=True)
class SqlFlips:
    """Implements ports.flips.FlipBooks.

    Attributes:
        now: an aware clock, for display only.
    """

    engine: AsyncEngine
    now: Callable[[], datetime]

    async def ensure(self, domain: str, owner: Side, term: int) -> Control:
        insert = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        row = {
            "domain": domain,
            "phase": Phase.OWNED.value,
            "owner": owner.value,
            "term": term,
            "flip": 0,
            "holder": "",
            "beat": 0,
        }
        async with self._writing() as connection:
            await connection.execute(insert(t.domain).values(row).on_conflict_do_nothing())
            found = await connection.execute(sa.select(t.domain).where(t.domain.c.domain == domain))
            return read_control(found.one())

    async def control(self, domain: str) -> Control | None:
        return (await self.controls()).get(domain)

    async def controls(self) -> Mapping[str, Control]:
        async with self._reading() as connection:
            found = await connection.execute(sa.select(t.domain))
            return {row.domain: read_control(row) for row in found}

    async def begin(self, start: FlipStart, lines: Sequence[Line]) -> int:
        async with self._writing() as connection:
            made = await connection.execute(
                sa.insert(t.flip)
                .values(
                    domain=start.domain,
                    kind=start.kind,
                    source=start.source.value,
                    target=start.target.value,
                    term=start.term,
                    actor=start.actor,
                    reason=start.reason,
                    facts=dict(start.facts),
                    began_at=self.now(),
                    outcome="",
                    problem="",
                )
                .returning(t.flip.c.id)
            )
            number = int(made.scalar_one())
            await self._write(connection, Lease(start.domain, number, ""), lines)
            return number

    async def lease(self, lease: Lease, seen: Control, lines: Sequence[Line]) -> bool:
        row = t.domain.c
        change = (
            sa.update(t.domain)
            .where(row.domain == lease.domain, row.phase == Phase.OWNED.value)
            .where(row.owner == seen.owner.value, row.term == seen.term, row.flip == seen.flip)
            .values(
                phase=Phase.FLIPPING.value,
                flip=lease.flip,
                holder=lease.holder,
                beat=row.beat + 1,
            )
        )
        return await self._if_changed(change, lease, lines)

    async def take_over(self, lease: Lease, seen: Control) -> bool:
        row = t.domain.c
        change = (
            sa.update(t.domain)
            .where(row.domain == lease.domain, row.phase != Phase.OWNED.value)
            .where(row.flip == lease.flip, row.holder == seen.holder, row.beat == seen.beat)
            .values(holder=lease.holder, beat=row.beat + 1)
        )
        return await self._if_changed(change, lease, ())

    async def keep(self, lease: Lease) -> bool:
        return await self.note(lease, ())

    async def note(self, lease: Lease, lines: Sequence[Line]) -> bool:
        return await self._if_changed(_held(lease, _OPEN, {}), lease, lines)

    async def decide(self, lease: Lease, verdict: Verdict, lines: Sequence[Line]) -> bool:
        values = {
            "phase": verdict.phase.value,
            "owner": verdict.owner.value,
            "term": verdict.term,
        }
        change = _held(lease, (Phase.FLIPPING,), values).where(t.domain.c.term < verdict.term)
        fence = marks.fence.c
        grant = (
            sa.update(marks.fence)
            .where(fence.domain == lease.domain, fence.term < verdict.term)
            .values(owner=Side.CORE.value, term=verdict.term)
        )
        also = grant if verdict.owner is Side.CORE else None
        return await self._if_changed(change, lease, lines, also)

    async def close(self, lease: Lease, lines: Sequence[Line], over: Over) -> bool:
        values = {"phase": Phase.OWNED.value, "holder": ""}
        change = _held(lease, (Phase.COMMITTED, Phase.ABORTED), values)
        return await self._if_changed(change, lease, lines, self._ended(lease.flip, over))

    async def end(self, flip: int, over: Over) -> None:
        async with self._writing() as connection:
            await connection.execute(self._ended(flip, over))

    async def add(self, flip: int, holder: str, lines: Sequence[Line]) -> None:
        async with self._writing() as connection:
            await self._write(connection, Lease("", flip, holder), lines)

    def _ended(self, flip: int, over: Over) -> sa.Update:
        freeze_us = None if over.freeze_ms is None else round(over.freeze_ms * 1_000)
        return (
            sa.update(t.flip)
            .where(t.flip.c.id == flip, t.flip.c.ended_at.is_(None))
            .values(
                ended_at=self.now(),
                outcome=over.outcome,
                freeze_us=freeze_us,
                problem=over.problem,
            )
        )

    async def flips(self, domain: str | None = None, *, limit: int = 20) -> Sequence[FlipRecord]:
        asked = sa.select(t.flip).order_by(t.flip.c.id.desc()).limit(limit)
        if domain is not None:
            asked = asked.where(t.flip.c.domain == domain)
        async with self._reading() as connection:
            return [read_record(row) for row in await connection.execute(asked)]

    async def journal(self, flip: int) -> Sequence[Noted]:
        asked = sa.select(t.journal).where(t.journal.c.flip == flip).order_by(t.journal.c.id)
        async with self._reading() as connection:
            return [read_noted(row) for row in await connection.execute(asked)]

    async def _if_changed(
        self, change: sa.Update, lease: Lease, lines: Sequence[Line], also: sa.Update | None = None
    ) -> bool:
        async with self._writing() as connection:
            if (await connection.execute(change)).rowcount != 1:
                return False
            if also is not None:
                await connection.execute(also)
            await self._write(connection, lease, lines)
            return True

    async def _write(
        self, connection: AsyncConnection, lease: Lease, lines: Sequence[Line]
    ) -> None:
        if not lines:
            return
        rows = [
            {
                "flip": lease.flip,
                "step": line.step,
                "mark": line.mark.value,
                "holder": lease.holder,
                "facts": dict(line.facts),
                "at": self.now(),
            }
            for line in lines
        ]
        await connection.execute(sa.insert(t.journal), rows)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        with _translated():
            async with self.engine.connect() as plain:
                connection = await plain.execution_options(**{WRITING: True})
                async with connection.begin():
                    yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with _translated():
            async with self.engine.connect() as connection:
                yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as exc:
        raise StoreUnavailable((str(exc).splitlines() or [type(exc).__name__])[0]) from exc


def _held(lease: Lease, phases: Sequence[Phase], values: Mapping[str, Any]) -> sa.Update:
    """A change of the row of a lease that is still the row's; it shows that the holder lives."""
    row = t.domain.c
    return (
        sa.update(t.domain)
        .where(row.domain == lease.domain, row.flip == lease.flip, row.holder == lease.holder)
        .where(row.phase.in_([phase.value for phase in phases]))
        .values(**values, beat=row.beat + 1)
    )


def read_control(row: Any) -> Control:
    """A row of mig_domain."""
    return Control(
        row.domain, Phase(row.phase), Side(row.owner), row.term, row.flip, row.holder, row.beat
    )


def read_record(row: Any) -> FlipRecord:
    """A row of mig_flip."""
    return FlipRecord(
        id=row.id,
        start=FlipStart(
            domain=row.domain,
            kind=row.kind,
            source=Side(row.source),
            target=Side(row.target),
            term=row.term,
            actor=row.actor,
            reason=row.reason,
            facts=row.facts,
        ),
        began_at=row.began_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        freeze_ms=None if row.freeze_us is None else row.freeze_us / 1_000,
        problem=row.problem,
    )


def read_noted(row: Any) -> Noted:
    """A row of mig_journal."""
    return Noted(Line(row.step, Mark(row.mark), row.facts), row.holder, row.at)
