"""Server-sent events: what changed, to each viewer, for as long as it keeps up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from cutover.api.gather import SourceAway
from cutover.api.live import Change, Channel

POLL_S = 0.5
BEAT_EVERY_S = 4.0


@dataclass(slots=True)
class Seats:
    """How many may watch at once, and how many do. Belongs to one event loop.

    Attributes:
        dropped: viewers that were cut off because they did not read.
    """

    limit: int = 64
    taken: int = 0
    dropped: int = field(default=0)

    @property
    def full(self) -> bool:
        """True when one more viewer has to be sent away."""
        return self.taken >= self.limit

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Hold one seat."""
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class EventStream(Response):
    """A response that never ends by itself.

    Nothing is queued for a viewer: it always gets the newest state, however long ago it
    last looked. One that does not read for `patience_s` is dropped.

    Args:
        seen: version that the viewer's page was made from.
        stopping: True once the server is on its way down.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        channel: Channel,
        seen: str,
        seats: Seats,
        *,
        clock_s: Callable[[], float],
        stopping: Callable[[], bool],
        patience_s: float = 10.0,
    ) -> None:
        super().__init__()
        self._channel = channel
        self._seen = seen
        self._seats = seats
        self._clock_s = clock_s
        self._stopping = stopping
        self._patience_s = patience_s
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"

    @override
    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        with self._seats.seat():
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send_until_stopped(send))
                leaving = tasks.create_task(_gone(receive))
                sending.add_done_callback(lambda _: leaving.cancel())
                leaving.add_done_callback(lambda _: sending.cancel())

    async def _send_until_stopped(self, send: Send) -> None:
        try:
            await self._send(send, {
                "type": "http.response.start", "status": 200, "headers": self.raw_headers,
            })  # fmt: skip
            next_beat = 0.0
            while not self._stopping():
                change = await self._change()
                if change is not None:
                    self._seen = change.version
                    await self._say(send, parts_event(change))
                if monotonic() >= next_beat:
                    await self._say(send, f"event: beat\ndata: {self._clock_s():.3f}\n\n")
                    next_beat = monotonic() + BEAT_EVERY_S
                await asyncio.sleep(POLL_S)
            await self._send(send, {"type": "http.response.body", "body": b""})
        except TimeoutError:
            self._seats.dropped += 1

    async def _change(self) -> Change | None:
        try:
            return await self._channel.since(self._seen)
        except SourceAway:  # no table could be read yet; the page keeps what it shows
            return None

    async def _say(self, send: Send, text: str) -> None:
        body = text.encode()
        await self._send(send, {"type": "http.response.body", "body": body, "more_body": True})

    async def _send(self, send: Send, message: dict[str, object]) -> None:
        async with asyncio.timeout(self._patience_s):
            await send(message)


def parts_event(change: Change) -> str:
    """A change in the form of an event; JSON keeps it on one line."""
    data = {"parts": change.parts, "listed": change.listed, "now": change.now_s}
    return f"event: parts\nid: {change.version}\ndata: {json.dumps(data)}\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
