"""Dry runs: a write is answered in full, and nothing of it stays.

`Banyan-Dry-Run: 1` asks for one. All that the request writes is rolled back before the first
byte of its answer goes out, and then the answer says `Banyan-Dry-Run: honoured`. It says
`refused` where nothing stays either, but the answer is not what the write would get: a route
that has not declared that it can be taken back is not run at all. An answer without either
word may have written. `OPTIONS` with `Banyan-Dry-Run: probe` asks beforehand.

A request with `X-Banyan-Shadow` that would write and asks for no dry run is refused: nobody
who compares stores may change one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from new_core.api.observe import Metrics
from new_core.api.problems import problem
from new_core.errors import DryRunNotTakenBack, DryRunStrayed
from new_core.ports import Database

HEADER = "banyan-dry-run"
HONOURED, REFUSED = "honoured", "refused"
LONGEST_S = 4.0
MOST_BYTES = 8 * 1024 * 1024
TAKES_BACK: dict[str, Any] = {"x-banyan-dry-run": True}
"""In a route's `openapi_extra`: it writes through units of work alone, and every effect that
it has asks `effects_off` first.
"""

_SHADOW = b"x-banyan-shadow"
_READS = frozenset(("GET", "HEAD", "OPTIONS"))

log = logging.getLogger(__name__)


class DryRuns:
    """Wraps an application whose every write goes through one database."""

    def __init__(
        self, app: ASGIApp, database: Database, routes: Sequence[BaseRoute], metrics: Metrics
    ) -> None:
        self._app = app
        self._database = database
        self._routes = routes
        self._outcomes = metrics.dry_runs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wish = _value(scope, HEADER.encode())
        if wish is None and (_value(scope, _SHADOW) is None or scope["method"] in _READS):
            await self._app(scope, receive, send)
            return
        await _send(await self._answer(wish, scope, receive), send)

    async def _answer(self, wish: bytes | None, scope: Scope, receive: Receive) -> list[Message]:
        request = Request(scope, receive)
        if wish is None:
            detail = "A shadow writes only as a dry run: send Banyan-Dry-Run: 1."
            return _whole(problem(request, 409, "shadow_write", detail))
        if wish == b"probe" and scope["method"] == "OPTIONS":
            return _whole(Response(status_code=204), self._probed(scope))
        if wish != b"1":
            detail = "Banyan-Dry-Run is 1, or probe with OPTIONS."
            return _whole(problem(request, 400, "bad_dry_run", detail))
        if not self._is_declared(scope):
            self._outcomes.labels(REFUSED).inc()
            detail = "This route cannot be taken back, so it was not run."
            return _whole(problem(request, 409, "no_dry_run", detail), REFUSED)
        return await self._tried(scope, receive)

    async def _tried(self, scope: Scope, receive: Receive) -> list[Message]:
        """The answer, held back until all is undone: what it says must be true by then."""
        request = Request(scope, receive)
        try:
            async with self._database.dry_run():
                held = await self._held(scope, receive)
        except DryRunStrayed as exc:
            log.error("a dry run of %s %s: %s", scope["method"], scope["path"], exc)  # noqa: TRY400 - a route's bug, told once
            self._outcomes.labels(REFUSED).inc()
            detail = "This request cannot be taken back; nothing of it stays."
            return _whole(problem(request, 409, "no_dry_run", detail), REFUSED)
        except DryRunNotTakenBack:
            log.exception("a dry run of %s %s", scope["method"], scope["path"])
            self._outcomes.labels("broken").inc()
            detail = "Nobody can tell that the dry run was taken back."
            return _whole(problem(request, 500, "dry_run_broken", detail))
        # "Come again" is about us, who hold locks only shortly, and not about the write: who
        # compares it with a live answer would count a difference that is none.
        word = REFUSED if held[0].get("status") == 503 else HONOURED
        self._outcomes.labels(word).inc()
        return _saying(held, word)

    async def _held(self, scope: Scope, receive: Receive) -> list[Message]:
        request = Request(scope, receive)
        held = _Held()
        try:
            # A dry run holds locks that shoppers' writes wait for.
            async with asyncio.timeout(LONGEST_S):
                await self._app(scope, receive, held)
        except TimeoutError:
            detail = f"The dry run took more than {LONGEST_S:g} s and was taken back."
            return _whole(problem(request, 503, "dry_run_too_long", detail))
        except _TooLargeError:
            detail = "The dry run's answer is too large to be held back; it was taken back."
            return _whole(problem(request, 503, "dry_run_too_large", detail))
        except (DryRunStrayed, DryRunNotTakenBack):
            raise
        except Exception:
            log.exception("a dry run of %s %s", scope["method"], scope["path"])
            return _whole(problem(request, 500, "internal", "the core could not answer"))
        return held.messages or _whole(problem(request, 500, "internal", "no answer was made"))

    def _probed(self, scope: Scope) -> str:
        """Honoured only if every write at this path can be taken back: a probe names none."""
        writes = [
            route
            for route in self._routes
            if route.matches(scope)[0] is not Match.NONE and not _only_reads(route)
        ]
        return HONOURED if writes and all(map(_declares, writes)) else REFUSED

    def _is_declared(self, scope: Scope) -> bool:
        found = (route for route in self._routes if route.matches(scope)[0] is Match.FULL)
        route = next(found, None)
        return route is not None and _declares(route)


class _Held:
    """Takes an answer in the place of the server."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._size_bytes = 0

    async def __call__(self, message: Message) -> None:
        self._size_bytes += len(message.get("body", b""))
        if self._size_bytes > MOST_BYTES:
            raise _TooLargeError
        self.messages.append(message)


class _TooLargeError(Exception):
    """The answer does not fit in what may be held back."""


def _declares(route: BaseRoute) -> bool:
    extra = getattr(route, "openapi_extra", None)
    return extra is not None and extra.items() >= TAKES_BACK.items()


def _only_reads(route: BaseRoute) -> bool:
    methods = getattr(route, "methods", None)
    return methods is not None and methods <= _READS


def _value(scope: Scope, name: bytes) -> bytes | None:
    found = [bytes(value).strip() for key, value in scope["headers"] if key == name]
    return b",".join(found) if found else None


def _whole(response: Response, word: str | None = None) -> list[Message]:
    start: Message = {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": list(response.raw_headers),
    }
    body: Message = {"type": "http.response.body", "body": bytes(response.body)}
    return [start, body] if word is None else _saying([start, body], word)


def _saying(messages: list[Message], word: str) -> list[Message]:
    """The answer with our word in it; a route cannot say it, and cannot say another."""
    name = HEADER.encode()
    for message in messages:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0].lower() != name]
            message["headers"] = [*kept, (name, word.encode())]
    return messages


async def _send(messages: list[Message], send: Send) -> None:
    for message in messages:
        await send(message)
