"""A store on a raw socket that answers well, or misbehaves in one of the ways stores do.

    python -m loadtests.soak_stores --port 9001 --says legacy --mode answer

An answer is JSON: {"says": NAME, "target": what was asked}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
from collections.abc import Callable
from enum import StrEnum

from typing_extensions import override

FLOOD_BYTES = 100_000_000
_PIECE = bytes(262_144)
_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


class Mode(StrEnum):
    """How a store takes a request.

    hang: reads it, and never answers. slow: answers with one byte a second.
    reset: resets the connection. flood: answers with 100 MB of zeros.
    """

    ANSWER = "answer"
    HANG = "hang"
    SLOW = "slow"
    RESET = "reset"
    FLOOD = "flood"


class Store(asyncio.Protocol):
    """One connection of a client. Requests have no body; pipelined ones are answered in turn."""

    def __init__(self, says: str, mode: Mode) -> None:
        self._says = says
        self._mode = mode
        self._data = b""
        self._transport: asyncio.Transport
        self._left_bytes = 0
        self._is_held = False
        self._slow: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what TCP gives
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head, self._data = self._data[:end], self._data[end + 4 :]
            self._take(head)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._slow is not None:
            self._slow.cancel()

    @override
    def pause_writing(self) -> None:
        self._is_held = True

    @override
    def resume_writing(self) -> None:
        self._is_held = False
        self._flood()

    def _take(self, head: bytes) -> None:
        match self._mode:
            case Mode.ANSWER:
                self._transport.write(answer(self._says, head))
            case Mode.HANG:
                pass
            case Mode.SLOW:
                self._drip(answer(self._says, head))
            case Mode.RESET:
                self._reset()
            case Mode.FLOOD:
                self._transport.write(_HEAD.format(FLOOD_BYTES).encode())
                self._left_bytes += FLOOD_BYTES
                self._flood()

    def _drip(self, data: bytes) -> None:
        self._transport.write(data[:1])
        if len(data) > 1:
            self._slow = asyncio.get_running_loop().call_later(1, self._drip, data[1:])

    def _reset(self) -> None:
        sock = self._transport.get_extra_info("socket")
        # No lingering: what is not sent is thrown away, and the other end reads a reset.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, *[0] * 7]))
        self._transport.abort()

    def _flood(self) -> None:
        while self._left_bytes > 0 and not self._is_held and not self._transport.is_closing():
            size = min(self._left_bytes, len(_PIECE))
            self._left_bytes -= size
            self._transport.write(_PIECE[:size])


def answer(says: str, head: bytes) -> bytes:
    """The answer to a request by its head."""
    target = head.split(b" ", 2)[1].decode("latin-1")
    body = json.dumps({"says": says, "target": target, "text": "words " * 100}).encode()
    return _HEAD.format(len(body)).encode() + body


async def serve(port: int, make: Callable[[], Store]) -> None:
    """Serve until SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(make, "127.0.0.1", port, backlog=1_024)
    await stop.wait()
    server.close()


def main() -> int:
    """Run one store."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.soak_stores")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--says", default="store")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.ANSWER)
    options = parser.parse_args()
    asyncio.run(serve(options.port, lambda: Store(options.says, options.mode)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
