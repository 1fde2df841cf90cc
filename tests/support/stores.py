"""Small stores to ask, and a spool to fill, for tests of the comparer."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy.core.frame import Frame
from proxy.storage import DROPPED, MIRRORED, SpoolWriter, counter_name
from tests.support.comparing import LIST, frame

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COMMAND = (
    "import sys, typer; from shadow_compare import cli; typer.run(getattr(cli, sys.argv.pop(1)))"
)


def banyan(command: str, *arguments: str | Path) -> list[str]:
    """A command line that runs one of the comparer's commands."""
    return [sys.executable, "-c", COMMAND, command, *map(str, arguments)]


@dataclass
class SmallStore:
    """Answers every request by `answer`, and remembers what it was asked."""

    answer: Handler
    url: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.raw_path, headers))
        return await self.answer(request)


@asynccontextmanager
async def small_store(
    answer: Handler, tls: ssl.SSLContext | None = None
) -> AsyncIterator[SmallStore]:
    """Serve a store on loopback, behind TLS where a context is given."""
    store = SmallStore(answer)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", store.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        store.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        yield store
    finally:
        await runner.cleanup()


async def echo(request: web.Request) -> web.Response:
    """What was asked, as JSON; "?core=X" sets the value."""
    value = request.query.get("core", request.query.get("id", ""))
    return web.json_response({"id": value})


def routing(
    path: Path,
    legacy_url: str,
    core_url: str,
    *,
    rules: str = "[]",
    release: str = "1",
    domain: str = "catalog",
) -> Path:
    """Write a routing table with one domain in shadow."""
    path.write_text(
        f"""
apiVersion: banyan/v1
stores:
  legacy: {{url: "{legacy_url}"}}
  core: {{url: "{core_url}", release: "{release}"}}
shopper: ["header:Session-Id"]
domains:
  {domain}:
    owner: merchandising
    stage: shadow
    routes:
      - {{path: "/products/", methods: [GET]}}
      - {{path: "/products/{{id}}/", methods: [GET]}}
    shadow: {{sample: 100%, noise: 5%, writes: never}}
    compare: {{headers: [content-type], rules: {rules}}}
"""
    )
    return path


def trusting(path: Path, url: str, ca: str) -> Path:
    """Have a table trust an authority's file for one of its stores."""
    text = path.read_text()
    path.write_text(text.replace(f'url: "{url}"', f'url: "{url}", tls: {{ca: "{ca}"}}'))
    return path


class Worker:
    """Writes frames the way a proxy worker does."""

    def __init__(self, spool: Path, run: str) -> None:
        self.run = run
        self.writer = SpoolWriter(spool, run)

    def mirror(self, count: int = 1, **more: Any) -> list[Frame]:
        """Count exchanges as mirrored and write them."""
        first = self.writer.next_seq
        frames = [frame(seq, run=self.run, **more) for seq in range(first, first + count)]
        self.write(frames)
        return frames

    def write(self, frames: list[Frame]) -> None:
        for one in frames:
            self.count(MIRRORED, one.domain, one.route)
        assert self.writer.write(frames) == len(frames)

    def drop(self, count: int = 1, reason: str = "queue_full", domain: str = "catalog") -> None:
        for _ in range(count):
            self.count(MIRRORED, domain, LIST)
            self.count(DROPPED, domain, LIST, reason)

    def forget_about(self, count: int = 1) -> None:
        """Mirrored, and still in the worker's memory."""
        for _ in range(count):
            self.count(MIRRORED, "catalog", LIST)

    def count(self, *labels: str) -> None:
        self.writer.account.add(counter_name(*labels))

    def close(self) -> None:
        self.writer.close()


def as_json(value: Any) -> bytes:
    """The bytes that the stores above would answer."""
    return json.dumps(value).encode()
