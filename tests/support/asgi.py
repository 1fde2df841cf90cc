"""Ask an ASGI app without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer; header names are lower-case."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


async def get(app: ASGIApp, target: str) -> Answered:
    """GET `target` (path and query, percent-encoded) of `app`."""
    return await send_to(app, "GET", target)


async def send_to(
    app: ASGIApp,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    client: str = "127.0.0.1",
) -> Answered:
    """Send a whole request to `app`; its host is "room" unless the headers say otherwise."""
    named = {"host": "room"} | dict(headers or {})
    path, _, query = target.partition("?")
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode(),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": (client, 1),
        "server": ("room", 80),
    }
    told: list[MutableMapping[str, Any]] = []

    asked = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # the client stays
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message)

    await app(scope, receive, send)
    start = next(message for message in told if message["type"] == "http.response.start")
    body = b"".join(m.get("body", b"") for m in told if m["type"] == "http.response.body")
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answered(start["status"], headers, body)
