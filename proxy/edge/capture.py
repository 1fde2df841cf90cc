"""Captures: copies of exchanges on their way to the spool.

An exchange that has ended is redacted and packed at once, on the event loop: that costs a
few microseconds, and far less than handing the interpreter to another thread and back.
What would take longer, a large body, waits for the spool's thread, which looks at it in
small parts. Only that thread touches the disk. Every exchange that was counted as mirrored
ends exactly once: spooled, or dropped for a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable

import msgspec

from proxy.core.limits import CaptureLimits
from proxy.core.redaction import LargeBodyError
from proxy.edge.captured import Capture, drop_reason, pack_capture
from proxy.edge.counters import NO_DOMAIN, Counters
from proxy.routing import Decision
from proxy.storage import (
    DROPPED,
    MIRRORED,
    SPOOLED,
    Packed,
    SpoolWriter,
    StoredPlace,
    checksum,
    pack_place,
)

__all__ = ["Capture", "CaptureQueue", "SpoolThread"]

log = logging.getLogger(__name__)

_EVERY_S = 0.2
_LOOK_EVERY_S = 1.0
_ASK_EVERY_S = 30.0
_BLOCKED_S = 0.25
_LAST_S = 2.0
_BUSY_S = 0.002
_BUSY_TRIES = 500
_BATCH_BYTES = 4 * 1024 * 1024
_WAKE_BYTES = 8 * 1024 * 1024
_INLINE_BYTES = 16 * 1024
_INLINE_DECODED_BYTES = 32 * 1024
_OVERHEAD_BYTES = 512
_PLACES = 4_096


class _Place(msgspec.Struct, gc=False):
    """A decision made ready: packed, and where it is counted."""

    packed: msgspec.Raw
    mirrored: int
    spooled: int
    domain: str
    route: str


class _Large(msgspec.Struct, gc=False):
    """An exchange that waits to be redacted."""

    capture: Capture
    place: _Place
    size_bytes: int


class CaptureQueue:
    """Bounded by frames and by bytes; filled by the event loop, drained by a thread.

    Each side counts its own bytes upwards, so that neither needs a lock. All counts but
    those of spooled frames are the event loop's: what the thread had to drop it hands back.

    Attributes:
        body_bytes: how much of both bodies together a capture may hold.
        run: id of the worker's life, set before the first exchange.
        wake: set when the thread should not wait for its next turn.
        blocked: why nothing can be written for the moment, "" when it can; set by the
            thread, looked at by the loop, which then saves itself the work.
    """

    def __init__(self, limits: CaptureLimits, counters: Counters) -> None:
        self.body_bytes = limits.body_bytes
        self.run = ""
        self.blocked = ""
        self._queue_frames = limits.queue_frames
        self._queue_bytes = limits.queue_bytes
        self._counters = counters
        self._places: dict[tuple[object, ...], _Place] = {}
        self._last: Decision | None = None
        self._last_redaction = ""
        self._last_place: _Place | None = None
        self._ready: deque[tuple[Packed, _Place]] = deque()
        self._large: deque[_Large] = deque()
        self._returned: deque[tuple[_Place, str]] = deque()
        self._put_bytes = 0
        self._taken_bytes = 0
        self._wake_frames = max(limits.queue_frames // 2, 1)
        self._wake_bytes = min(limits.queue_bytes // 2, _WAKE_BYTES)
        self.wake = threading.Event()

    def __len__(self) -> int:
        return len(self._ready) + len(self._large)

    # The event loop's part.

    def lose(self, decision: Decision, reason: str) -> None:
        """Count an exchange as mirrored and as given up."""
        place = self._place(decision)
        self._counters.count(place.mirrored)
        self._drop(place, reason)

    def take(self, capture: Capture) -> None:
        """Count a complete exchange as mirrored, and keep it; the newest is dropped when there
        is no room.
        """
        place = self._place(capture.decision, capture.redactor.id)
        self._counters.count(place.mirrored)
        self._offer(capture, place)

    def settle(self) -> None:
        """Count what the thread had to drop."""
        while self._returned:
            self._drop(*self._returned.popleft())

    def _offer(self, capture: Capture, place: _Place) -> None:
        if self.blocked:
            self._drop(place, self.blocked)
            return
        bodies_bytes = self.body_bytes - capture.room
        size_bytes = _OVERHEAD_BYTES + bodies_bytes + len(capture.request_head)
        frames = len(self._ready) + len(self._large)
        waiting_bytes = self._put_bytes - self._taken_bytes + size_bytes
        if frames >= self._wake_frames or waiting_bytes >= self._wake_bytes:
            if not self.wake.is_set():
                self.wake.set()
            if frames >= self._queue_frames or waiting_bytes > self._queue_bytes:
                self._drop(place, "queue_full")
                return
        if bodies_bytes <= _INLINE_BYTES:
            try:
                payload = pack_capture(capture, place.packed, _INLINE_DECODED_BYTES)
            except LargeBodyError:
                pass
            except Exception as problem:  # noqa: BLE001 - costs this frame, never the shopper
                self._drop(place, drop_reason(problem, place.route))
                return
            else:
                self._put_bytes += len(payload)
                self._ready.append((Packed(payload, checksum(payload), place.spooled), place))
                return
        self._put_bytes += size_bytes
        self._large.append(_Large(capture, place, size_bytes))

    def _drop(self, place: _Place, reason: str) -> None:
        self._counters.add(DROPPED, place.domain, place.route, reason)

    def _place(self, decision: Decision, redaction: str = "") -> _Place:
        place = self._last_place
        if place is not None and decision is self._last and redaction == self._last_redaction:
            return place
        # Members of an enumeration are hashed slowly, and live for ever.
        key = (
            decision.route,
            decision.domain,
            decision.revision,
            redaction,
            decision.noise,
            id(decision.stage),
            id(decision.side),
            id(decision.shadow),
        )
        place = self._places.get(key)
        if place is None:
            place = self._new_place(decision, redaction)
            if len(self._places) >= _PLACES:  # many tables ago
                self._places.clear()
            self._places[key] = place
        self._last, self._last_redaction, self._last_place = decision, redaction, place
        return place

    def _new_place(self, decision: Decision, redaction: str) -> _Place:
        domain, route = decision.domain or NO_DOMAIN, decision.route
        packed = pack_place(
            StoredPlace(
                self.run,
                domain,
                route,
                str(decision.stage),
                str(decision.side),
                str(decision.shadow),
                decision.noise,
                decision.revision,
                redaction,
            )
        )
        slot = self._counters.slot
        return _Place(
            packed, slot(MIRRORED, domain, route), slot(SPOOLED, domain, route), domain, route
        )

    # The thread's part.

    @property
    def waiting(self) -> tuple[int, int]:
        """How many exchanges are to be redacted, and how many frames to be written."""
        return len(self._large), len(self._ready)

    def redact_large(self) -> None:
        """Make the oldest large exchange ready."""
        large = self._large.popleft()
        try:
            payload = pack_capture(large.capture, large.place.packed)
        except Exception as problem:  # noqa: BLE001 - costs this frame, never the thread
            self.give_back([large.place], drop_reason(problem, large.place.route))
        else:
            self._taken_bytes -= len(payload)
            self._ready.append(
                (Packed(payload, checksum(payload), large.place.spooled), large.place)
            )
        self._taken_bytes += large.size_bytes

    def take_ready(self, count: int) -> list[tuple[Packed, _Place]]:
        """The oldest frames that are ready: so many, or as many as one write takes."""
        next_ready, size_bytes = self._ready.popleft, 0
        frames: list[tuple[Packed, _Place]] = []
        for _ in range(count):
            frame = next_ready()
            frames.append(frame)
            size_bytes += len(frame[0].payload)
            if size_bytes >= _BATCH_BYTES:
                break
        self._taken_bytes += size_bytes
        return frames

    @property
    def has_returned(self) -> bool:
        """Whether there is something to settle."""
        return bool(self._returned)

    def give_back(self, places: Iterable[_Place], reason: str) -> None:
        """Have frames counted as dropped."""
        self._returned.extend((place, reason) for place in places)


class SpoolThread:
    """Takes from the queue and writes to the spool until it is stopped."""

    def __init__(self, queue: CaptureQueue, writer: SpoolWriter, run: str) -> None:
        queue.run = run
        self._queue = queue
        self._writer = writer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked_at = 0.0
        self._blocked_at = 0.0
        self._asks_again_at = 0.0
        self._parent = os.getppid()
        self._stop = threading.Event()
        self._writing = threading.Thread(target=self._work, name="spool-writer", daemon=True)

    def start(self) -> None:
        """Begin writing. Called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._writing.start()

    def stop(self, timeout_s: float) -> None:
        """Write what is queued and end the run. What does not get written in time is lost
        with the run, and counted so by its reader.
        """
        self._stop.set()
        self._queue.wake.set()
        self._writing.join(timeout_s)
        self._queue.settle()
        if not self._writing.is_alive():
            self._writer.close()

    def _work(self) -> None:
        # Each turn has to get hold of the interpreter a few times, at the loop's cost: few
        # turns, and much in each.
        while not self._stop.is_set():
            self._queue.wake.wait(_EVERY_S)
            self._queue.wake.clear()
            self._turn(time.monotonic() + _LOOK_EVERY_S)
            self._look(time.monotonic())
        self._queue.blocked = ""
        self._drain(time.monotonic() + _LAST_S)

    def _drain(self, deadline: float) -> None:
        """Write all there is, until the deadline."""
        while len(self._queue) and time.monotonic() < deadline:
            self._turn(deadline)

    def _turn(self, deadline: float) -> None:
        """Write what there is now. What comes meanwhile waits for the next turn: following
        a busy loop frame by frame would cost it more than all the rest.
        """
        queue = self._queue
        large, _ = queue.waiting
        while large and time.monotonic() < deadline:
            queue.redact_large()
            large -= 1
        _, ready = queue.waiting
        while ready:
            frames = queue.take_ready(ready)
            ready -= len(frames)
            self._write(frames)
        if queue.has_returned and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: stop() counts them
                self._loop.call_soon_threadsafe(queue.settle)

    def _write(self, frames: list[tuple[Packed, _Place]]) -> None:
        packed = [frame for frame, _ in frames]
        done, reason = 0, ""
        for _ in range(_BUSY_TRIES):
            written = self._writer.append(packed[done:] if done else packed)
            done, reason = done + written.count, written.reason
            if reason or done == len(packed):
                break
            time.sleep(_BUSY_S)  # another worker is writing
        if reason:
            self._block(reason)
        if done < len(packed):
            self._queue.give_back([place for _, place in frames[done:]], reason or "spool_busy")

    def _ask_for_a_successor(self, now: float) -> None:
        # 1. somebody deleted the run's folder, 2. what is written and counted from now on no
        # reader will find, 3. a new worker makes a new run. This one goes on until that one
        # is up: on a disk that takes no new folder none comes up, and shoppers must not care.
        self._block("spool_error")
        if now < self._asks_again_at:
            return
        self._asks_again_at = now + _ASK_EVERY_S
        log.error("the run's folder is gone from the spool; the supervisor is asked to replace us")
        if os.getppid() == self._parent:
            os.kill(self._parent, signal.SIGHUP)

    def _block(self, reason: str) -> None:
        self._queue.blocked = reason
        self._blocked_at = time.monotonic()

    def _look(self, now: float) -> None:
        """Try a blocked spool again, and see now and then whether there still is one."""
        if self._queue.blocked and now - self._blocked_at >= _BLOCKED_S:
            self._queue.blocked = ""
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            if self._writer.is_lost() and not self._stop.is_set():
                self._ask_for_a_successor(now)
