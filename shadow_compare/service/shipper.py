"""Round after round: take frames from the spool, have the bus store them, let go of them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from proxy.core.frame import Frame
from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.core.note import Note
from shadow_compare.errors import BusUnavailable
from shadow_compare.ports import FrameSink, FrameSource, RunState
from shadow_compare.service.comparer import Clock

BATCH_FRAMES = 250
TELL_EVERY_S = 1.0
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 5.0

log = logging.getLogger(__name__)

Taken = Sequence[tuple[Checkpoint, Frame]]
Result = TypeVar("Result")


class ShipMeter(Protocol):
    """Counts for a monitor what has been sent."""

    def sent(self, frames: int, refused: int) -> None:
        """So many frames were stored, and so many were too large."""
        ...

    def lag(self, seconds: float) -> None:
        """How old the oldest frame of the last batch was when it was stored."""
        ...

    def trouble(self, problem: str | None) -> None:
        """Why the bus takes nothing at the moment; None when it does."""
        ...


@dataclass(frozen=True, slots=True)
class Dock:
    """What a shipper works with. `source` is open behind the notes of `sink`."""

    source: FrameSource
    sink: FrameSink
    clock: Clock
    meter: ShipMeter


class Stopped(Exception):
    """The bus takes nothing, and there is no more trying."""


class Shipper:
    """Empties one spool into a bus. Belongs to one task.

    Args:
        notes: what the bus was last told of each run; where sending goes on.
    """

    def __init__(self, dock: Dock, notes: Mapping[str, Note]) -> None:
        self._source = dock.source
        self._sink = dock.sink
        self._clock = dock.clock
        self._meter = dock.meter
        self._notes = dict(notes)
        self._told: dict[str, Note] = {}
        self._known: set[str] = set()
        self._told_s = float("-inf")

    async def round(self, keep_trying: Callable[[], bool]) -> int:
        """Send one batch. Returns how many frames it held.

        Killed at any point, the next shipper sends some frames again, and the bus or the
        comparers know them by their number:

        1. frames are stored by the bus; 2. the note says so, with the place to read on;
        3. the spool lets go of them; 4. of a dead run that was read to its end the note
        says that it is complete; 5. the spool forgets the run.

        Raises:
            Stopped: the bus does not answer and `keep_trying` said no.
            BusRefused: trying again will not help.
        """
        # Counters before frames: see Comparer.round.
        runs = await self._source.runs()
        taken = await self._source.read(BATCH_FRAMES)
        frames = [frame for _, frame in taken]
        refused = await self._try(partial(self._sink.send, frames), keep_trying) if frames else ()
        self._note(runs, taken, {(frame.run, frame.seq) for frame in refused})
        ended = self._ended(runs, taken)
        await self._tell({frame.run for frame in frames} | ended, keep_trying)
        if taken:
            now_s = self._clock.now_s()
            checkpoints = {frame.run: checkpoint for checkpoint, frame in taken}
            await self._source.release(Batch(now_s, checkpoints=checkpoints))
            self._meter.sent(len(frames) - len(refused), len(refused))
            self._meter.lag(max(0.0, now_s - min(frame.at_us for frame in frames) / 1_000_000))
        for run in ended:
            await self._source.forget(run)
        return len(taken)

    def _note(
        self, runs: Mapping[str, RunState], taken: Taken, refused: set[tuple[str, int]]
    ) -> None:
        for run, state in runs.items():
            self._notes[run] = replace(self._notes.get(run, Note()), counters=state.counters)
        for run in {frame.run for _, frame in taken}:
            own = [(checkpoint, frame) for checkpoint, frame in taken if frame.run == run]
            left_out = [frame for _, frame in own if (run, frame.seq) in refused]
            stored = [frame for _, frame in own if (run, frame.seq) not in refused]
            note = self._notes.get(run, Note())
            self._notes[run] = note.after(own[-1][0], stored, left_out)

    def _ended(self, runs: Mapping[str, RunState], taken: Taken) -> set[str]:
        """Mark runs that will yield nothing more. Returns them."""
        ended = dict.fromkeys(self._known - runs.keys(), "spool_removed")
        if len(taken) < BATCH_FRAMES:
            read = {frame.run for _, frame in taken}
            ended |= {
                run: state.ends
                for run, state in runs.items()
                if not state.alive and run not in read
            }
        for run, why in ended.items():
            self._notes[run] = replace(self._notes[run], complete=True, ends=why)
        self._known = runs.keys() - ended.keys()
        return set(ended)

    async def _tell(self, now: set[str], keep_trying: Callable[[], bool]) -> None:
        """Tell of these runs; and now and then of every run whose counters moved."""
        wanted = set(now)
        if self._clock.tick_s() - self._told_s >= TELL_EVERY_S:
            self._told_s = self._clock.tick_s()
            wanted |= self._known
        for run in sorted(wanted):
            note = self._notes[run]
            if note != self._told.get(run):
                await self._try(partial(self._sink.tell, run, note), keep_trying)
                self._told[run] = note
        for run in self._told.keys() - self._known:
            del self._told[run]
            self._notes.pop(run, None)

    async def _try(
        self, attempt: Callable[[], Awaitable[Result]], keep_trying: Callable[[], bool]
    ) -> Result:
        wait_s = _FIRST_RETRY_S
        complained = False
        while True:
            try:
                result = await attempt()
            except BusUnavailable as exc:
                self._meter.trouble(str(exc))
                if not keep_trying():
                    raise Stopped from exc
                if not complained:
                    log.warning("the bus takes nothing, trying on: %s", exc)
                complained = True
                await self._clock.sleep(wait_s)
                wait_s = min(wait_s * 2, _LAST_RETRY_S)
            else:
                if complained:
                    log.warning("the bus takes frames again")
                self._meter.trouble(None)
                return result
