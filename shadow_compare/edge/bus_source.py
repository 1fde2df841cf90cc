"""The bus as one of several comparers reads it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from nats.aio.msg import Msg
from nats.errors import Error
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext

from proxy.core.frame import Frame
from proxy.storage.records import decode
from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.core.note import Note
from shadow_compare.edge.bus import Bus
from shadow_compare.errors import BusUnavailable
from shadow_compare.ports import RunState

_FETCH_S = 0.25
_LOOK_EVERY_S = 0.5
_PAUSE_S = 0.5

log = logging.getLogger(__name__)


class NatsSource:
    """Implements ports.FrameSource. Made by `nats_source`.

    Frames in hand are held by telling the bus so every third of its patience; of a
    comparer that is killed or frozen they go to another one.
    """

    removed = None  # another comparer may have seen its end and forgotten it

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._in_hand: dict[tuple[str, int], Msg] = {}
        self._runs: dict[str, RunState] = {}
        self._looked_s = float("-inf")
        self._complained = False

    async def read(self, max_frames: int) -> Sequence[tuple[Checkpoint, Frame]]:
        try:
            if self._subscription is None:
                self._subscription = await self._bus.join()
            with self._bus.asking("taking frames"):
                messages = await self._fetch(self._subscription, max_frames)
        except BusUnavailable as exc:
            await self._wait_for_bus(exc)
            return []
        self._answers()
        taken = []
        for message in messages:
            frame = _frame(message)
            if frame is None:
                # It is damaged, or nobody of ours put it there. Its run's books miss it and
                # book it as dropped by the bus.
                log.warning("a message on %s is no frame of ours", message.subject)
                await message.term()
                continue
            self._in_hand[frame.run, frame.seq] = message
            taken.append((Checkpoint(), frame))
        return taken

    async def runs(self) -> Mapping[str, RunState]:
        if time.monotonic() - self._looked_s < _LOOK_EVERY_S:
            return self._runs
        try:
            # 1. what was sent is read, 2. what is left is read. The other way round, frames
            # that were sent in between would seem to have left.
            notes = await self._bus.notes()
            self._runs = {run: await self._state(run, note) for run, note in notes.items()}
            self._looked_s = time.monotonic()
            self._answers()
        except BusUnavailable as exc:
            await self._wait_for_bus(exc)
            # While nothing is known, nothing ends.
            self._runs = {
                run: replace(state, alive=True, passed=None) for run, state in self._runs.items()
            }
        return self._runs

    async def release(self, batch: Batch) -> None:
        """Acknowledge. An acknowledgement that does not arrive brings the frame again."""
        try:
            for one in batch.judged:
                message = self._in_hand.pop((one.run, one.seq), None)
                if message is not None:
                    await message.ack()
            await self._bus.client.flush(timeout=2)
        except (TimeoutError, Error, OSError) as exc:
            log.debug("acknowledging: %s", exc)

    async def forget(self, run: str) -> None:
        try:
            await self._bus.forget(run)
        except BusUnavailable as exc:
            log.debug("it is tried again when the run is met again: %s", exc)
            return
        self._runs = {name: state for name, state in self._runs.items() if name != run}

    async def close(self) -> None:
        """Hand back what is in hand."""
        try:
            for message in self._in_hand.values():
                await message.nak()
            await self._bus.client.flush(timeout=2)
        except (TimeoutError, Error, OSError) as exc:
            log.debug("handing back: %s", exc)
        self._in_hand.clear()

    async def hold(self) -> None:
        """Keep saying that the frames in hand are being worked on; ends when cancelled."""
        while True:
            await asyncio.sleep(self._bus.place.ack_wait_s / 3)
            try:
                for message in list(self._in_hand.values()):
                    await message.in_progress()
            except (TimeoutError, Error, OSError) as exc:
                log.debug("holding frames: %s", exc)

    async def _fetch(
        self, subscription: JetStreamContext.PullSubscription, max_frames: int
    ) -> list[Msg]:
        try:
            return await subscription.fetch(max_frames, timeout=_FETCH_S)
        except (TimeoutError, NothingThere):
            return []

    async def _state(self, run: str, note: Note) -> RunState:
        first = await self._bus.first_left(run)
        left = first is not None
        passed = note.passed if first is None or first > note.seq else None
        return RunState(left or not note.complete, note.account, passed, note.ends)

    async def _wait_for_bus(self, problem: BusUnavailable) -> None:
        if not self._complained:
            log.warning("no frames come from the bus, trying on: %s", problem)
        self._complained = True
        # The stream or its consumer may have been made anew meanwhile.
        if self._subscription is not None and self._bus.client.is_connected:
            subscription, self._subscription = self._subscription, None
            try:
                await subscription.unsubscribe()
            except (Error, OSError) as exc:
                log.debug("leaving the group: %s", exc)
        await asyncio.sleep(_PAUSE_S)

    def _answers(self) -> None:
        if self._complained:
            log.warning("the bus answers again")
        self._complained = False


@asynccontextmanager
async def nats_source(bus: Bus) -> AsyncIterator[NatsSource]:
    """A source whose frames in hand are held while it is open; close it yourself."""
    source = NatsSource(bus)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(source.hold(), name="hold frames")
        try:
            yield source
        finally:
            task.cancel()


def _frame(message: Msg) -> Frame | None:
    frames = [frame for _, frame in decode(message.data)]
    return frames[0] if len(frames) == 1 else None
