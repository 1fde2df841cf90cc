"""Takes what a stream has marked across to the other store, one domain at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from legacy_adapters.errors import FencedOut, SourceUnavailable, TakenOver
from legacy_adapters.mapping.landing import Dirty
from legacy_adapters.mapping.trying import Trouble, next_try
from legacy_adapters.mapping.versions import NOBODY
from legacy_adapters.ports.streams import Books, Failed
from legacy_adapters.service.streaming_course import Course
from new_core.errors import StoreUnavailable
from new_core.ports.clock import Clock

_LOG = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH = 500
_IDLE_S = 0.25
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 15.0
_ROUSE_EVERY = timedelta(seconds=5)
_ROUSED_AT_ONCE = 200


class Target(Protocol):
    """The store on the other side, as one domain's applier uses it."""

    async def carry(self, batch: Sequence[Dirty], term: int) -> Sequence[Trouble]:
        """Take aggregates across in one transaction, those with trouble left out, and note in
        the books that they are. Raises whatever the store says when it refuses the whole.
        """
        ...

    async def barrier(self, term: int, order: int) -> None:
        """Note in the store that everything before the fence of a term is there."""
        ...

    async def reached(self) -> int:
        """The last such term."""
        ...


@dataclass(slots=True)
class Applying:
    """One domain of one stream.

    Attributes:
        tables: of each kind, to know whose aggregates an altered table belongs to.
    """

    domain: str
    course: Course
    books: Books
    target: Target
    kinds_of_table: dict[str, str]
    now: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _barrier: int = -1
    _roused_at: datetime | None = None
    _has_helped: bool = True
    _altered: frozenset[str] = frozenset()

    @property
    def stream(self) -> str:
        return self.course.stream

    async def run(self) -> None:
        """Apply until cancelled.

        Raises:
            TakenOver, FencedOut: another process applies this domain.
        """
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                has_done = await self.round()
                wait_s = _FIRST_WAIT_S
                if not has_done:
                    await self.course.news(self.domain, _IDLE_S)
            except (SourceUnavailable, StoreUnavailable) as exc:
                _LOG.warning("%s of stream %s waits: %s", self.domain, self.stream, exc)
                await self.sleep(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    async def round(self) -> bool:
        """One batch, or what follows when there is none; whether there was one."""
        # Before the books are asked: what they have by then is at least as new.
        order, now = self.course.order, self.now()
        if order < 0:
            return False
        await self._welcome(now)
        batch = await self.books.dirty(self.stream, self.domain, BATCH, now)
        if batch:
            await self._carry(batch)
        if len(batch) < BATCH:
            # All that waited up to there is across, whatever has come since: where shoppers
            # never rest, nobody would ever find that nothing waits.
            beat = self.course.passed(self.domain, order)
            await self._mark_barrier(order)
            if beat is not None:
                await self._tell(beat.sent_us)
            await self._rouse(now)
        return bool(batch)

    async def _welcome(self, now: datetime) -> None:
        """Try all parked ones again behind a table that is not altered any more: 1. one is
        found to be of an altered table, 2. somebody accepts the table and tries all again,
        3. the one is parked, and nobody would come for it.
        """
        altered = self.course.altered
        if self._altered - altered:
            while await self.books.rouse(
                self.stream, self.domain, now, _ROUSED_AT_ONCE, everything=True
            ):
                pass
        self._altered = altered

    async def _kinds_altered(self, batch: Sequence[Dirty]) -> set[str]:
        """Kinds of a batch that have an altered table. The books are asked, as the reader looks
        seldom and somebody may have accepted a table since.
        """
        kinds = {one.key.kind for one in batch}
        found = {self.kinds_of_table.get(table) for table in self.course.altered}
        if kinds & found:
            noted = await self.books.altered(self.stream, None)
            found = {self.kinds_of_table.get(one.table) for one in noted}
        return {kind for kind in found if kind is not None} & kinds

    async def _carry(self, batch: Sequence[Dirty]) -> None:
        altered = await self._kinds_altered(batch)
        good = [one for one in batch if one.key.kind not in altered]
        troubles = [
            Trouble(one, "a table of it was altered", can_wait=False)
            for one in batch
            if one.key.kind in altered
        ]
        if good:
            troubles += await self._carry_parts(good)
        if len(troubles) < len(batch):
            self._has_helped = True
        if troubles:
            await self._note(troubles)

    async def _carry_parts(self, batch: Sequence[Dirty]) -> list[Trouble]:
        """All in one transaction; when the store refuses that, each half in one of its own, so
        that one bad aggregate is found and the others get through.
        """
        term = self.course.terms.get(self.domain, ("", 0))[1]
        try:
            return list(await self.target.carry(batch, term))
        except (SourceUnavailable, StoreUnavailable, FencedOut, TakenOver):
            raise
        except Exception as exc:  # noqa: BLE001 - no content of one may stop all the others
            if len(batch) == 1:
                return [Trouble(batch[0], _told(exc), can_wait=True)]
        middle = len(batch) // 2
        return await self._carry_parts(batch[:middle]) + await self._carry_parts(batch[middle:])

    async def _note(self, troubles: Sequence[Trouble]) -> None:
        some, parked = [], []
        for one in troubles:
            wait_s = next_try(one)
            if wait_s is None:
                parked.append(f"{one.dirty.key.kind} {one.dirty.key.key}: {one.reason}")
            some.append(Failed(one.dirty, one.reason, wait_s, one.can_wait))
        if parked:
            # One line a batch: a backfill may park thousands that wait for what comes later.
            _LOG.warning("%d of stream %s are parked, %s", len(parked), self.stream, parked[0])
        await self.books.failed(self.stream, self.domain, some, self.now())

    async def _mark_barrier(self, order: int) -> None:
        """Say that everything up to a fence is across: nobody writes there any more, and nothing
        of it waits or is parked.
        """
        owner, term = self.course.terms.get(self.domain, ("", 0))
        if owner != NOBODY or order < 0:
            return
        if self._barrier < 0:
            self._barrier = await self.target.reached()
        if term > self._barrier and await self.books.is_clear(self.stream, self.domain):
            await self.target.barrier(term, order)
            self._barrier = term
            _LOG.info("%s of stream %s: barrier %d", self.domain, self.stream, term)

    async def _tell(self, sent_us: int) -> None:
        sent_at = _EPOCH + timedelta(microseconds=sent_us)
        lag_ms = max(0.0, (self.now() - sent_at) / timedelta(milliseconds=1))
        await self.books.beaten(self.stream, sent_at, lag_ms)

    async def _rouse(self, now: datetime) -> None:
        """Try parked aggregates again that wait for others, after some of those came."""
        is_due = self._roused_at is None or now - self._roused_at >= _ROUSE_EVERY
        if not (self._has_helped and is_due):
            return
        self._roused_at = now
        roused = await self.books.rouse(
            self.stream, self.domain, now, _ROUSED_AT_ONCE, everything=False
        )
        self._has_helped = roused == _ROUSED_AT_ONCE


def _told(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__
