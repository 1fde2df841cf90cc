"""A real HTTP server on loopback that gets webhooks, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from loadtests.ports import free_port

Answers = Callable[[dict[str, Any]], int]


@dataclass
class Receiver:
    """What came, in order, and what is answered.

    Attributes:
        status: for every POST, or told by the event.
        hang: POSTs are not answered while it is set.
        got: bodies of those that were answered 2xx.
        asked: path of every request.
    """

    port: int = field(default_factory=free_port)
    status: int | Answers = 204
    hang: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    got: list[dict[str, Any]] = field(default_factory=list)
    raw: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def of(self, aggregate: object) -> list[int]:
        """Places of an aggregate's events as they came."""
        return [one["aggregateseq"] for one in self.got if one["aggregateid"] == str(aggregate)]

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        body = await request.read()
        self.raw.append(({k.lower(): v for k, v in request.headers.items()}, body))
        if self.hang:
            await asyncio.Event().wait()
        event = json.loads(body)
        status = self.status if isinstance(self.status, int) else self.status(event)
        if 200 <= status < 300:
            self.got.append(event)
        return web.Response(status=status, headers=self.headers, text="" if status == 204 else "no")


@contextlib.asynccontextmanager
async def receiving(receiver: Receiver | None = None) -> AsyncIterator[Receiver]:
    """A server that runs while the block does; the given one's again, where one is given."""
    receiver = receiver or Receiver()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", receiver.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", receiver.port).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()
