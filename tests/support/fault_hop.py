"""A hop between us and a gateway that loses what goes through it, as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum


class Fault(StrEnum):
    """What becomes of one request and its answer."""

    LOSE_ANSWER = "lose_answer"
    CUT_ANSWER = "cut_answer"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    RESET_BEFORE = "reset_before"


class FaultHop:
    """Passes bytes on; of the next request on a connection it makes the fault that is set.

    Attributes:
        faults: for the next requests, in their order; none left means that all goes through.
        late: requests that hung, to be let go to the gateway by `let_through`.
        reached: set once a fault was made.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.faults: list[Fault] = []
        self.late: list[bytes] = []
        self.reached = asyncio.Event()
        self.url = ""

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Listen no more: who connects is refused."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def let_through(self) -> None:
        """Send on, now, what hung on its way to the gateway; nobody reads the answers."""
        for request in self.late:
            reader, writer = await asyncio.open_connection(*self._to)
            writer.write(request)
            await reader.read(1)
            writer.close()
        self.late.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._pass(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, and the connection is over: the next one connects anew."""
        request = await _message(reader)
        fault = self.faults.pop(0) if self.faults else None
        if fault is Fault.RESET_BEFORE:
            writer.transport.abort()
            return
        if fault is Fault.HANG_BEFORE:
            self.late.append(request)
            self.reached.set()
            await reader.read()
            return
        up, down = await asyncio.open_connection(*self._to)
        try:
            down.write(request)
            answer = await _message(up)
        finally:
            down.close()
        if fault is not None:
            self.reached.set()
        if fault is Fault.HANG_AFTER:
            await reader.read()
        elif fault is Fault.LOSE_ANSWER:
            writer.transport.abort()
        elif fault is Fault.CUT_ANSWER:
            writer.write(answer[: len(answer) - 40])
            await writer.drain()
        else:
            writer.write(answer)
            await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer with a content-length, or without a body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + await reader.readexactly(length)


@asynccontextmanager
async def fault_hop(url: str) -> AsyncIterator[FaultHop]:
    """A hop to a server of loopback."""
    host, _, port = url.removeprefix("http://").partition(":")
    hop = FaultHop(host, int(port))
    await hop.start()
    try:
        yield hop
    finally:
        await hop.stop()
