"""Run one case: a raw client, a proxy, a raw store; everything that passes is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Callable
from typing import cast

from typing_extensions import override

from tests.conformance import case as c
from tests.conformance.strict import NotCleanError, Stream, read_answers

_RESET = struct.pack("ii", 1, 0)
_SETTLE_S = 0.03
_END_S = 1.0
_LENIENT_SIZE = re.compile(rb"[ \t]*(?:0x)?([0-9A-Fa-f]+)[^\n]*\n")
_LENIENT_TRAILER = re.compile(rb"(?:[^\r\n]+\r?\n)*\r?\n")


class Tap(asyncio.Protocol):
    """One end of a connection: keeps what it reads, and how the other side ended it."""

    def __init__(self, on_made: Callable[[Tap], None] | None = None) -> None:
        self.data = bytearray()
        self.end = "open"
        self.cursor = 0  # up to here a store has taken requests
        self.transport: asyncio.Transport | None = None
        self._changed = asyncio.Event()
        self._on_made = on_made

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._on_made is not None:
            self._on_made(self)

    @override
    def data_received(self, data: bytes) -> None:
        self.data += data
        self._changed.set()

    @override
    def eof_received(self) -> bool:
        self._ended("fin")
        return True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._ended("reset")
        self.transport = None
        self._changed.set()

    def _ended(self, how: str) -> None:
        if self.end == "open":
            self.end = how
        self._changed.set()

    async def until(self, check: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `check` holds; it is looked at whenever something came."""
        try:
            async with asyncio.timeout(timeout_s):
                while not check():
                    self._changed.clear()
                    if self.transport is None:
                        return check()
                    await self._changed.wait()
        except TimeoutError:
            return check()
        return True

    def send(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def half_close(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            with contextlib.suppress(OSError):
                self.transport.write_eof()

    def reset(self) -> None:
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Store:
    """A listener that plays the store's steps of one case after the other."""

    def __init__(self) -> None:
        self.taps: list[Tap] = []
        self.port = 0
        self._slot: Slot | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    async def start(self, slot: Slot, port: int = 0) -> None:
        self._slot = slot
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Tap(self._made), "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    def _made(self, tap: Tap) -> None:
        assert self._slot is not None
        number = len(self.taps)
        self.taps.append(tap)
        case = self._slot.case
        if case is None:
            return
        steps = case.store[min(number, len(case.store) - 1)]
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._slot.play(tap, steps)))

    async def finish(self) -> tuple[c.StoreSide, ...]:
        """Record, end all connections, and wait for the proxy to have seen that."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        taps, self.taps, self._tasks = self.taps, [], []
        sides = tuple(c.StoreSide(bytes(tap.data), tap.end) for tap in taps)
        for tap in taps:
            tap.half_close()
        await asyncio.gather(*(tap.until(lambda t=tap: t.end != "open", _END_S) for tap in taps))  # type: ignore[misc]
        for tap in taps:
            tap.close()
        return sides


class Slot:
    """One proxy with one store behind it; one case at a time."""

    def __init__(self) -> None:
        self.store = Store()
        self.case: c.Case | None = None
        self.client: Tap | None = None
        self._stalls: list[str] = []

    async def run(self, case: c.Case, port: int) -> c.Recording:
        """Play the case through the proxy that listens on `port`."""
        self.case, self._stalls = case, []
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(Tap, "127.0.0.1", port)
        self.client = client
        await self.play(client, case.client)
        is_done = await client.until(lambda: self._is_settled(client), case.patience_s)
        await asyncio.sleep(_SETTLE_S)  # for what should not come
        data, end = bytes(client.data), client.end
        sides_open = [tap for tap in self.store.taps if tap.data]
        if isinstance(case.wants, c.Cancelled) and not sides_open:
            await asyncio.sleep(_SETTLE_S)
        client.reset()
        sides = await self.store.finish()
        self.case = self.client = None
        return c.Recording(data, end, sides, tuple(self._stalls), is_slow=not is_done)

    def _is_settled(self, client: Tap) -> bool:
        """Whether all that the client waits for has come."""
        assert self.case is not None
        if client.end != "open" or client.transport is None:
            return True
        if isinstance(self.case.wants, c.Cancelled):
            return True
        try:
            stream = read_answers(bytes(client.data), is_head=self.case.is_head)
        except NotCleanError:
            return False
        return _is_enough(self.case, stream)

    async def play(self, tap: Tap, steps: tuple[c.Step, ...]) -> None:
        for step in steps:
            await self._step(tap, step)

    async def _step(self, tap: Tap, step: c.Step) -> None:
        match step:
            case c.Send(data):
                tap.send(data)
            case c.Pause(seconds):
                await asyncio.sleep(seconds)
            case c.HalfClose():
                tap.half_close()
            case c.Reset():
                tap.reset()
            case c.ReadHead():
                await tap.until(lambda: _head_end(tap) > 0, 60)
            case c.ReadRequest():
                await _read_request(tap)
            case c.Answering(answers):
                await _answer(tap, answers)
            case _:
                await self._wait(step)

    async def _wait(self, step: c.UntilStore | c.UntilClient | c.UntilStoreEnds) -> None:
        match step:
            case c.UntilStore(mark):
                await self._until(lambda: self._store_has(mark), f"the store waits for {mark!r}")
            case c.UntilClient(mark):
                await self._until(lambda: self._client_has(mark), f"the client waits for {mark!r}")
            case c.UntilStoreEnds():
                await self._until(self._store_ended, "the store's connection goes on")

    async def _until(self, check: Callable[[], bool], stall: str) -> None:
        assert self.case is not None
        deadline = asyncio.get_running_loop().time() + self.case.patience_s / 2
        while not check():
            if asyncio.get_running_loop().time() > deadline:
                self._stalls.append(stall)
                return
            await asyncio.sleep(0.003)

    def _client_has(self, mark: bytes) -> bool:
        return self.client is not None and mark in self.client.data

    def _store_has(self, mark: bytes) -> bool:
        return any(mark in tap.data for tap in self.store.taps)

    def _store_ended(self) -> bool:
        return any(tap.end != "open" for tap in self.store.taps)


def _is_enough(case: c.Case, stream: Stream) -> bool:
    if stream.is_tunnel:
        got = case.wants.got.tunnel if isinstance(case.wants, c.Forwarded) else None
        return got is None or len(stream.rest) >= len(got)
    finals = [m for m in stream.messages if m.status >= 200]
    if not finals or finals[-1].framed == "close" or not finals[-1].is_whole:
        return False
    if any(b"close" in m.values(b"connection") for m in finals):
        return False  # the end is on its way
    return len(finals) >= case.answers


async def _answer(tap: Tap, answers: tuple[bytes, ...]) -> None:
    for number in range(1_000):
        if not await _read_request(tap):
            return
        tap.send(answers[min(number, len(answers) - 1)])


def _head_end(tap: Tap) -> int:
    """Where the head that begins at the cursor ends; 0 when it does not yet."""
    found = re.compile(rb"\r?\n\r?\n").search(tap.data, tap.cursor)
    return found.end() if found else 0


async def _read_request(tap: Tap) -> bool:
    """Take one request as a lenient server would. False when the connection ended."""
    end = 0

    def is_whole() -> bool:
        nonlocal end
        end = _request_end(tap)
        return end > 0

    if not await tap.until(lambda: is_whole() or tap.end != "open", 60) or not end:
        return False
    tap.cursor = end
    return True


def _request_end(tap: Tap) -> int:
    begin = _head_end(tap)
    if not begin:
        return 0
    head = bytes(tap.data[tap.cursor : begin]).lower()
    if re.search(rb"\ntransfer-encoding\s*:[^\r\n]*chunked", head):
        return _chunked_end(tap.data, begin)
    length = re.search(rb"\ncontent-length\s*:\s*([0-9]+)\s*\n", head)
    end = begin + (int(length[1]) if length else 0)
    return end if len(tap.data) >= end else 0


def _chunked_end(data: bytearray, at: int) -> int:
    """Where a chunked body ends; 0 when it does not yet, or never will."""
    while True:
        line = _LENIENT_SIZE.match(data, at)
        if line is None:
            return 0
        size = int(line[1], 16)
        at = line.end()
        if size == 0:
            trailer = _LENIENT_TRAILER.match(data, at)
            return trailer.end() if trailer else 0
        at += size
        at += 2 if data[at : at + 2] == b"\r\n" else 1 if data[at : at + 1] == b"\n" else 0
