"""Reads one database's log into the stage and the streams' books."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from legacy_adapters.errors import SourceLost, SourceUnavailable, SourceUnfit
from legacy_adapters.mapping.dirtying import Commit, Meaning, Reader, RowChange
from legacy_adapters.mapping.landing import Step, Terms
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Transaction
from legacy_adapters.ports.streams import Books, FenceRows, Log
from legacy_adapters.service.streaming_course import Course
from new_core.errors import StoreUnavailable
from new_core.ports.clock import Clock

_LOG = logging.getLogger(__name__)
FAILED = "failed: "
"""How the problem of a stream begins that nobody but a person sets going again."""
_UNAVAILABLE = "unavailable: "
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 15.0
_LOOK_EVERY = timedelta(seconds=30)
_LOOK_AGAIN = timedelta(seconds=2)
"""While a table is altered: somebody may accept it at any moment, and flips wait for that."""


class Resolve(Protocol):
    """Turns a step's rows into what the books can keep of them."""

    async def __call__(self, step: Step) -> Step: ...


async def as_it_is(step: Step) -> Step:
    """For a store whose rows are staged: the stage finds out whose they are."""
    return step


@dataclass(slots=True)
class Streaming:
    """One stream's reader.

    Attributes:
        resolve: what becomes of a step before it is kept.
    """

    reader: Reader
    source: Log
    fences: FenceRows
    books: Books
    course: Course
    resolve: Resolve
    now: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _looked_at: datetime | None = None
    _problem: str = ""

    async def run(self) -> None:
        """Read until cancelled, or until only a person can help; then the problem is noted and
        this returns.

        Raises:
            TakenOver: another process reads this stream.
        """
        wait_s = _FIRST_WAIT_S
        while True:
            before = self.course.order
            try:
                await self._follow()
            except (SourceLost, SourceUnfit) as exc:
                await self._fail(str(exc))
                return
            except (SourceUnavailable, StoreUnavailable) as exc:
                has_moved = self.course.order > before
                wait_s = _FIRST_WAIT_S if has_moved else min(wait_s * 2, _LONGEST_WAIT_S)
                await self._try_to_say(f"{_UNAVAILABLE}{exc}")
                await self.sleep(wait_s)
            else:
                return

    async def _follow(self) -> None:
        known = await self.books.checkpoint(self.reader.stream)
        if known is not None and known.problem.startswith(FAILED):
            self._problem = known.problem
            _LOG.error("stream %s stays as it is: %s", self.reader.stream, known.problem)
            return
        position = known.position if known is not None else None
        terms = known.terms if known is not None else await self._first_terms()
        source_at = known.source_at if known is not None else None
        self._problem = known.problem if known is not None else ""
        await self.books.declare(self.reader.stream, await self.source.fingerprints())
        await self._look_at_tables()
        if position is not None:
            self.course.is_at(position.order, terms)
        async with self.source.read(position) as batches:
            async for batch in batches:
                position, terms, source_at = await self._take(batch, (position, terms, source_at))

    async def _first_terms(self) -> Terms:
        rows = await self.fences.rows()
        if not rows:
            raise SourceUnfit(
                f"the {self.reader.side} database has no fence rows: run banyan sync install"
            )
        return {domain: (row.owner, row.term) for domain, row in rows.items()}

    async def _take(
        self, batch: Batch, at: tuple[Position | None, Terms, datetime | None]
    ) -> tuple[Position | None, Terms, datetime | None]:
        """Keep a batch, then let the source forget it; never the other way round.

        1. The source is told that the batch is done, 2. this process dies before the commit,
        3. nobody asks for the batch again, and it is lost.
        """
        every = _LOOK_AGAIN if self.course.altered else _LOOK_EVERY
        is_due = self._looked_at is None or self.now() - self._looked_at > every
        if is_due or any(one.altered for one in batch.transactions):
            await self._look_at_tables()
        commits = tuple(_commit(one) for one in batch.transactions)
        meaning: Meaning = self.reader.understand(commits, batch.read_to, at)
        step = meaning.step
        if step.position == step.expected and not step.landings:
            return at
        await self.books.advance(await self.resolve(step), self.now())
        self.course.moved(step, meaning.beat)
        await self._say(self._told(step.terms))
        await self.source.confirm(step.position)
        return step.position, step.terms, step.source_at

    async def _look_at_tables(self) -> None:
        """Before rows of a table that was altered are kept, so that none of them is applied."""
        self._looked_at = self.now()
        seen = await self.source.fingerprints()
        altered = await self.books.altered(self.reader.stream, seen)
        self.course.altered = frozenset(one.table for one in altered)

    def _told(self, terms: Terms) -> str:
        """What is not carried although the stream goes on; nothing is left out silently."""
        unowned = {home.domain for home in self.reader.homes.values()} - terms.keys()
        if unowned:
            names = ", ".join(sorted(unowned))
            return f"unfenced: {names}; nothing of it is carried before banyan sync install"
        if not self.course.altered:
            return ""
        names = ", ".join(sorted(self.course.altered))
        return f"altered: {names}; their aggregates are parked until banyan sync resume TABLE"

    async def _fail(self, problem: str) -> None:
        _LOG.error("stream %s failed: %s", self.reader.stream, problem)
        await self._try_to_say(f"{FAILED}{problem}")

    async def _say(self, problem: str) -> None:
        if problem != self._problem:
            await self.books.say(self.reader.stream, problem)
            self._problem = problem
            if problem:
                _LOG.warning("stream %s: %s", self.reader.stream, problem)

    async def _try_to_say(self, problem: str) -> None:
        try:
            await self._say(problem)
        except StoreUnavailable as exc:
            _LOG.warning("stream %s: %s; %s", self.reader.stream, problem, exc)


def _commit(one: Transaction) -> Commit:
    changes = tuple(RowChange(c.table, c.key, c.before, c.after) for c in one.changes)
    return Commit(one.position, one.name, one.at, one.is_ours, changes, one.truncated)
