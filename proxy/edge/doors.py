"""The listening sockets that a worker accepts from: its own, and those it minds for others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from proxy.edge.listening import BACKLOG, is_waiting

OWN = -1

# How long a handshake that has begun may take to end, when the port is given up.
_HANDSHAKE_S = 0.2
_EMPTYING_S = 2.0


class Doors:
    """Belongs to the worker's event loop. What is asked is done in order."""

    def __init__(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Take who makes the first protocol of each connection."""
        self._factory = factory
        self._open: dict[int, tuple[socket.socket, asyncio.Server]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._is_closing = False

    async def open(self, seat: int, fd: int) -> None:
        """Accept from a listener, whose descriptor is ours from now on."""
        listener = socket.socket(fileno=fd)
        async with self._one_at_a_time:
            if self._is_closing or seat in self._open:
                listener.close()
                return
            loop = asyncio.get_running_loop()
            server = await loop.create_server(self._factory, sock=listener, backlog=BACKLOG)
            self._open[seat] = listener, server

    async def close(self, seat: int) -> None:
        """Accept no more from it; whoever else has the listener still does."""
        async with self._one_at_a_time:
            if seat in self._open:
                self._open.pop(seat)[1].close()

    async def close_all(self, *, is_last: bool) -> None:
        """Accept no more. `is_last`: nobody else has the listeners, so all who wait in them
        are accepted first. The supervisor lets nobody new come; when it is gone itself, the
        last ones who come may meet a closed port. A worker must not keep them away on its
        own: another proxy may have been given the same sockets.
        """
        async with self._one_at_a_time:
            self._is_closing = True
        if is_last:
            now = asyncio.get_running_loop().time
            end = now() + _EMPTYING_S
            await asyncio.sleep(_HANDSHAKE_S)
            while self._is_anyone_waiting() and now() < end:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.005)
        for _, server in self._open.values():
            server.close()
        self._open.clear()

    def _is_anyone_waiting(self) -> bool:
        return any(is_waiting(listener) for listener, _ in self._open.values())
