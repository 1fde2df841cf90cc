"""The log of PostgreSQL, read by a thread, taken by a coroutine."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Self

from typing_extensions import override

from legacy_adapters.capture.pgoutput import PgoutputReader, lsn_text
from legacy_adapters.capture.postgres_wire import Sign, Wire
from legacy_adapters.errors import SourceUnavailable
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Transaction

_BEAT_S = 0.5
"""How often the server hears of us, and the taker of an idle log."""

_BATCH_CHANGES = 2_000
_BATCHES = 4
"""What lies ready at most, beside one whole transaction: the rest waits in the server."""


class LogStream(AsyncIterator[Batch]):
    """Batches from a thread. Start it, take from it, stop it: all in one event loop.

    Args:
        open_wire: called in the thread.
        after: where the log is read from.
    """

    def __init__(self, open_wire: Callable[[], Wire], reader: PgoutputReader, after: int) -> None:
        self._open_wire = open_wire
        self._reader = reader
        self._read_to = after
        self._flushed = 0
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Queue[Batch | Exception] = asyncio.Queue()
        self._room = threading.Semaphore(_BATCHES)
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._is_stopping = False
        self._bell, self._ear = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="banyan-capture", daemon=True)

    async def start(self) -> None:
        """Connect.

        Raises:
            SourceUnavailable, SourceUnfit, SourceLost: the thread has ended then.
        """
        self._thread.start()
        await self._started

    async def stop(self) -> None:
        """End the thread and its connection; what was confirmed is told before."""
        self._is_stopping = True
        self._bell.send(b"!")
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)
        self._bell.close()
        self._ear.close()

    def confirm(self, order: int) -> None:
        """The log before it is not needed any more. Told within half a second."""
        self._flushed = max(self._flushed, order)

    @override
    def __aiter__(self) -> Self:
        return self

    @override
    async def __anext__(self) -> Batch:
        taken = await self._ready.get()
        if isinstance(taken, Exception):
            self._ready.put_nowait(taken)  # whoever asks again hears it again
            raise taken
        self._room.release()
        return self._with_what_followed(taken)

    def _with_what_followed(self, batch: Batch) -> Batch:
        """One batch of this one and those that lie ready behind it.

        Keeping a batch is a transaction, whatever is in it: a taker that is behind would keep a
        handful of changes at a time, and stay behind.
        """
        whole, read_to = list(batch.transactions), batch.read_to
        changes = sum(len(one.changes) for one in whole)
        while changes < _BATCH_CHANGES and not self._ready.empty():
            further = self._ready.get_nowait()
            if isinstance(further, Exception):
                self._ready.put_nowait(further)  # it is the last that comes
                break
            self._room.release()
            whole += further.transactions
            changes += sum(len(one.changes) for one in further.transactions)
            read_to = further.read_to
        return Batch(tuple(whole), read_to)

    def _run(self) -> None:
        try:
            with self._open_wire() as wire:
                self._in_loop(self._settle, None)
                try:
                    _Pump(self, wire).run()
                finally:
                    with contextlib.suppress(SourceUnavailable):
                        wire.tell(self._read_to, self._flushed, asks=False)
        except Exception as exc:  # noqa: BLE001 - a thread has nobody above it; the taker hears of it
            self._in_loop(self._settle, exc)

    def _settle(self, problem: Exception | None) -> None:
        if self._started.done():
            if problem is not None:
                self._ready.put_nowait(problem)
        elif problem is None:
            self._started.set_result(None)
        else:
            self._started.set_exception(problem)

    def _in_loop(self, call: Callable[..., None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:
            self._is_stopping = True  # the loop is closed, and nobody listens


class _Pump:
    """The thread's work: from the wire to the queue."""

    def __init__(self, stream: LogStream, wire: Wire) -> None:
        self._stream = stream
        self._wire = wire
        self._reader = stream._reader
        self._whole: list[Transaction] = []
        self._changes = 0
        self._told_s = 0.0
        self._offered_s = time.monotonic()

    def run(self) -> None:
        while not self._stream._is_stopping:
            message = self._wire.receive()
            if isinstance(message, bytes):
                self._take(message)
            elif isinstance(message, Sign):
                self._hear(message)
            elif self._whole:
                self._offer()
            else:
                self._wait()
            now_s = time.monotonic()
            if now_s - self._told_s >= _BEAT_S:
                self._tell()
            if now_s - self._offered_s >= _BEAT_S:
                self._offer()

    def _take(self, message: bytes) -> None:
        found = self._reader.take(message)
        if not self._reader.is_inside:
            self._stream._read_to = max(self._stream._read_to, self._reader.read_to)
        if found is not None:
            self._whole.append(found)
            self._changes += len(found.changes)
            if self._changes >= _BATCH_CHANGES:
                self._offer()

    def _hear(self, sign: Sign) -> None:
        # Within a transaction the sign may be of a place behind its beginning.
        if not self._reader.is_inside:
            self._stream._read_to = max(self._stream._read_to, sign.at)
        if sign.asks:
            self._tell(asks=False)

    def _wait(self) -> None:
        rest_s = self._told_s + _BEAT_S - time.monotonic()
        heard = [self._wire.fileno(), self._stream._ear.fileno()]
        select.select(heard, [], [], max(rest_s, 0.0))

    def _tell(self, *, asks: bool = True) -> None:
        self._told_s = time.monotonic()
        self._wire.tell(self._stream._read_to, self._stream._flushed, asks=asks)

    def _offer(self) -> None:
        # The server drops those who are silent, and a taker may take its time.
        while not self._stream._room.acquire(timeout=_BEAT_S / 2):
            if self._stream._is_stopping:
                return
            self._tell(asks=False)
        order = self._stream._read_to
        batch = Batch(tuple(self._whole), Position(order, lsn_text(order)))
        self._whole, self._changes = [], 0
        self._offered_s = time.monotonic()
        self._stream._in_loop(self._stream._ready.put_nowait, batch)
