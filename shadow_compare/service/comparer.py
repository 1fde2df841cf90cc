"""Round after round: take frames, have them judged, store what was found, let go of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.core.frame import Frame
from proxy.routing import RoutingTable
from shadow_compare.core.batch import Batch, Checkpoint, Judged
from shadow_compare.core.pace import next_batch
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.ports import Asker, EvidenceWriter, FrameSource, RunState
from shadow_compare.service.compare import Terms, compare, look_again, second_look_s
from shadow_compare.service.rulebook import Rulebook

HEARTBEAT_S = 1.0
MOST_PAUSE_S = 30.0
_RETRY_S = 1.0

log = logging.getLogger(__name__)


class Meter(Protocol):
    """Counts for a monitor what has been stored."""

    def ended(self, frames: Sequence[Judged]) -> None:
        """These frames came to their end."""
        ...

    def lag(self, seconds: float) -> None:
        """How old the oldest frame of the last batch was when it was stored."""
        ...


class Clock(Protocol):
    """Time, so that tests may set it."""

    def now_s(self) -> float:
        """Seconds since 1970, UTC."""
        ...

    def tick_s(self) -> float:
        """Seconds on a clock that only goes forward."""
        ...

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class Gear:
    """What a comparer works with. `source` is open behind the checkpoints of `writer`."""

    source: FrameSource
    writer: EvidenceWriter
    asker: Asker
    clock: Clock
    meter: Meter


class Comparer:
    """Works through one spool. Belongs to one task; `use` may be called by others of its loop.

    Args:
        max_age_s: older exchanges are lost as stale.
        lanes: frames at work at the same time for each side that is asked.
        most: frames of one batch at most.

    Attributes:
        is_behind: the last round took as many frames as it could, so there may be more.
    """

    def __init__(
        self,
        gear: Gear,
        table: RoutingTable,
        *,
        max_age_s: float,
        lanes: int = 16,
        most: int = 200,
    ) -> None:
        self._source = gear.source
        self._writer = gear.writer
        self._asker = gear.asker
        self._clock = clock = gear.clock
        self._meter = gear.meter
        self._max_age_s = max_age_s
        self._lanes = lanes
        self._most = most
        self.is_behind = False
        self._rulebook = Rulebook(table, clock.now_s())
        self._stores_since_s = float("-inf")
        self._batch_size = 16
        self._stored_s = float("-inf")
        self._known: set[str] = set()
        self._gone: set[str] = set()
        self._announce = True

    def use(self, table: RoutingTable) -> None:
        """Judge by a new table from the next round on."""
        now_s = self._clock.now_s()
        rulebook = Rulebook(table, now_s)
        if rulebook.stores != self._rulebook.stores:
            self._stores_since_s = now_s
        self._announce = self._announce or rulebook.epochs != self._rulebook.epochs
        self._rulebook = rulebook

    async def round(self, keep_trying: Callable[[], bool]) -> int:
        """Take a batch to its end. Returns how many frames it held.

        Either everything about the batch is stored or nothing is, and the spool lets go of
        frames only afterwards. Killed at any point, the next comparer does the same batch
        again or finds it done.

        Args:
            keep_trying: asked while the evidence store does not answer; the same batch is
                offered until it is stored.

        Raises:
            EvidenceUnavailable: the store did not answer and there was no more trying.
        """
        self._renew_rulebook()
        # 1. counters are taken and a run is seen dead: it has written its last frame, and
        # its counters are final; 2. frames are read: when there was room and none of that
        # run came, none ever will. The other way round, frames written in between would
        # be given up.
        runs = await self._source.runs()
        taken = await self._source.read(self._batch_size)
        self.is_behind = len(taken) >= self._batch_size
        closed = self._ended(runs, taken)
        frames = [frame for _, frame in taken]
        await self._wait_until_due(frames)
        began_s = self._clock.tick_s()
        judged = await self._judge(frames)
        if taken:
            # Pauses that a domain asks for say nothing of how fast the other side is.
            took_s = self._clock.tick_s() - began_s
            self._batch_size = next_batch(self._batch_size, took_s, most=self._most)
        judged = await self._look_again(frames, judged)
        now_s = self._clock.now_s()
        quiet = not judged and not closed and not self._announce
        if quiet and self._clock.tick_s() - self._stored_s < HEARTBEAT_S:
            return 0
        batch = Batch(
            at_s=now_s,
            judged=tuple(judged),
            epochs=self._rulebook.epochs,
            rules=self._rulebook.rules,
            checkpoints={frame.run: checkpoint for checkpoint, frame in taken},
            accounts={run: state.counters for run, state in runs.items()},
            closed=closed,
            # Only what the spool no longer lists: a run that could not be removed is met
            # again, and its mark is what keeps it from being counted again.
            gone=tuple(sorted(self._gone - runs.keys())),
            passed={run: state.passed for run, state in runs.items() if state.passed},
        )
        stored = await self._store(batch, keep_trying)
        await self._let_go(batch, runs)
        self._report(stored)
        return len(taken)

    def _renew_rulebook(self) -> None:
        if not self._rulebook.holds(self._clock.now_s()):
            self.use(self._rulebook.table)

    async def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        terms = Terms(self._clock.now_s() - self._max_age_s, self._stores_since_s)
        rulebook, asker = self._rulebook, self._asker
        judged: dict[int, Judged] = {}

        async def work(waiting: Iterator[int]) -> None:
            for n in waiting:
                judged[n] = await compare(frames[n], rulebook, asker, terms)

        # A few tasks that take one frame after the other instead of one task for each. No
        # side waits for the other: each has lanes of its own.
        numbers: dict[str, list[int]] = {}
        for n, frame in enumerate(frames):
            numbers.setdefault(frame.shadow, []).append(n)
        async with asyncio.TaskGroup() as group:
            for own in numbers.values():
                waiting = iter(own)
                for _ in range(min(len(own), self._lanes)):
                    group.create_task(work(waiting))
        return [judged[n] for n in range(len(frames))]

    async def _wait_until_due(self, frames: Sequence[Frame]) -> None:
        """Let the last frame's pause pass. Those of a comparer that is behind are long over."""
        due_s = max(map(self._rulebook.due_s, frames), default=0.0)
        pause_s = min(due_s - self._clock.now_s(), MOST_PAUSE_S)
        if pause_s > 0:
            await self._clock.sleep(pause_s)

    async def _look_again(self, frames: Sequence[Frame], judged: list[Judged]) -> list[Judged]:
        """Ask once more about what differed, all of the batch after one pause.

        Not while the comparer is behind: these pauses would keep it there, and a mismatch
        that stands as it is errs on the safe side.
        """
        rulebook = self._rulebook
        wanted = {
            n: pause_s
            for n, (frame, one) in enumerate(zip(frames, judged, strict=True))
            if (pause_s := second_look_s(one, frame, rulebook)) is not None
        }
        oldest_s = min((frame.at_us / 1_000_000 for frame in frames), default=0.0)
        if not wanted or self._clock.now_s() - oldest_s > self._max_age_s / 2:
            return judged
        await self._clock.sleep(max(wanted.values()))
        async with asyncio.TaskGroup() as group:
            tasks = {
                n: group.create_task(look_again(judged[n], frames[n], rulebook, self._asker))
                for n in wanted
            }
        return [tasks[n].result() if n in tasks else one for n, one in enumerate(judged)]

    def _ended(
        self, runs: Mapping[str, RunState], taken: Sequence[tuple[Checkpoint, Frame]]
    ) -> dict[str, str]:
        """Runs that end with this batch, and what to book their missing frames under."""
        closed: dict[str, str] = {}
        if self._source.removed is not None:
            missing = self._known - runs.keys() - self._gone
            closed |= dict.fromkeys(missing, self._source.removed)
        if len(taken) < self._batch_size:
            read = {frame.run for _, frame in taken}
            dead = {run: state.ends for run, state in runs.items() if not state.alive}
            closed |= {run: dead[run] for run in dead.keys() - read - self._gone}
        self._known = set(runs)
        return closed

    async def _store(self, batch: Batch, keep_trying: Callable[[], bool]) -> Batch:
        complained = False
        while True:
            try:
                stored = await self._writer.commit(batch)
            except EvidenceUnavailable as exc:
                if not keep_trying():
                    raise
                if not complained:
                    log.warning("evidence is not stored, trying on: %s", exc)
                complained = True
                await self._clock.sleep(_RETRY_S)
            else:
                if complained:
                    log.info("evidence is stored again")
                self._stored_s = self._clock.tick_s()
                self._announce = False
                return stored

    async def _let_go(self, batch: Batch, runs: Mapping[str, RunState]) -> None:
        await self._source.release(batch)
        self._gone = (self._gone - set(batch.gone)) | set(batch.closed)
        for run in self._gone & runs.keys():
            await self._source.forget(run)

    def _report(self, batch: Batch) -> None:
        self._meter.ended(batch.judged)
        oldest_s = min((one.at_s for one in batch.judged), default=batch.at_s)
        self._meter.lag(max(0.0, batch.at_s - oldest_s))
