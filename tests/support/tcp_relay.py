"""A relay of TCP on loopback that cuts, hangs or slows what goes through it, as it is told to.

with tcp_relay(5432) as relay:
    relay.cut()      # connections are reset, new ones refused: the server seems gone
    relay.hang()     # connections stay open, no byte goes through: the network is gone
    relay.slow(0.05) # each piece comes so much later, either way
    relay.heal()
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

_PIECE = 64 * 1024


class Way(Enum):
    """Which way bytes go: up to the server, or down to the client."""

    UP = "up"
    DOWN = "down"


class TcpRelay:
    """Passes on what comes, in a thread of its own. Call it from any other one.

    Attributes:
        port: where it listens.
        passed: bytes that went through, either way.
    """

    def __init__(self, to_port: int) -> None:
        self.port = 0
        self.passed = 0
        self._to_port = to_port
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = False
        self._late_s = 0.0
        self._goes = {way: asyncio.Event() for way in Way}
        for event in self._goes.values():
            event.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-relay")

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        """End all connections and the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection, and each new one at once, until healed."""
        self._do(self._cut)

    def hang(self, *ways: Way) -> None:
        """Let nothing through (one way, or both) and keep connections open, until healed."""

        def hang() -> None:
            for way in ways or tuple(Way):
                self._goes[way].clear()

        self._do(hang)

    def slow(self, late_s: float) -> None:
        """Let each piece wait for so many seconds before it goes on."""
        self._do(lambda: setattr(self, "_late_s", late_s))

    def heal(self) -> None:
        """Let everything through again; what hung goes on where it was."""
        self._do(self._heal)

    def _do(self, what: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            what()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10), "the relay does not listen to us"

    def _cut(self) -> None:
        self._is_cut = True
        for writer in tuple(self._open):
            writer.transport.abort()

    def _heal(self) -> None:
        self._is_cut, self._late_s = False, 0.0
        for event in self._goes.values():
            event.set()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _end(self) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        self._cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # What was aborted is closed by the loop, a turn later.
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._is_cut:
            writer.transport.abort()
            return
        with contextlib.suppress(OSError, asyncio.CancelledError):
            up, down = await asyncio.open_connection("127.0.0.1", self._to_port)
            self._open |= {writer, down}
            try:
                await asyncio.gather(
                    self._pump(reader, down, Way.UP), self._pump(up, writer, Way.DOWN)
                )
            finally:
                for one in (writer, down):
                    self._open.discard(one)
                    one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> None:
        """Until one end closes; then both are."""
        while piece := await reader.read(_PIECE):
            if self._late_s:
                await asyncio.sleep(self._late_s)
            await self._goes[way].wait()
            self.passed += len(piece)
            writer.write(piece)
            await writer.drain()
        writer.close()


@contextmanager
def tcp_relay(to_port: int) -> Iterator[TcpRelay]:
    """A relay to a server of loopback."""
    relay = TcpRelay(to_port)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()
