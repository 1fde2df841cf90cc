"""Before an act of the admin API: its size, where it came from, and whether it was done before.

A request with an Idempotency-Key is done once. Its answer is kept before it is sent; what
failed changed nothing and is not kept, so the same key may try again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutover.api.adminproblems import answer
from cutover.api.guarding import who_asks
from cutover.api.writing import Doorkeeper
from cutover.errors import CannotRead, CannotWrite
from cutover.storage.answers import Answers, Asked, KeyInUse, KeyReused

MOST_BYTES = 64 * 1024
MOST_PLAN_BYTES = 8 * 1024 * 1024
_KEY = re.compile(r"[!-~]{1,255}")
_KEPT_HEADERS = ("content-type", "etag", "location")
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Turn:
    """What an act knows of its key; belongs to one request.

    Attributes:
        asked: what is kept of it; None for a request without a key.
    """

    answers: Answers
    asked: Asked | None = None

    @property
    def since(self) -> int | None:
        """The newest revision before an earlier try that died; None for a first try."""
        return self.asked.since if self.asked is not None and self.asked.is_resumed else None

    async def remember(self, said: Mapping[str, str]) -> Mapping[str, str]:
        """Keep what a resumed act wants to know, and return what a first try kept."""
        if self.asked is None:
            return said
        if self.asked.is_resumed and self.asked.said:
            return self.asked.said
        # A full disk keeps no act back; only whoever resumes it knows less then.
        with contextlib.suppress(CannotWrite):
            self.asked = await asyncio.to_thread(self.answers.note, self.asked, said)
        return said


def turn_of(request: Request) -> Turn | None:
    """What this request's act knows of its key."""
    found = getattr(request.state, "turn", None)
    return found if isinstance(found, Turn) else None


class Once:
    """Middleware of the admin API."""

    def __init__(self, app: ASGIApp, answers: Answers, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._answers = answers
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        strange = self._doorkeeper.problem_with(headers, "", None, time.time())  # noqa: TID251 - unused without a token
        if strange is not None:
            await answer("not_from_here", strange)(scope, receive, send)
            return
        is_plan = scope["path"].endswith("/plans")
        body = await _read(headers, receive, MOST_PLAN_BYTES if is_plan else MOST_BYTES)
        if isinstance(body, Response):
            await body(scope, receive, send)
            return
        told = await self._answered(scope, headers, body)
        await told(scope, receive, send)

    async def _answered(self, scope: Scope, headers: Headers, body: bytes) -> Response:
        keys = headers.getlist("idempotency-key")
        if not keys:
            return await self._act(scope, body)
        key = keys[0]
        if len(keys) > 1 or not _KEY.fullmatch(key):
            detail = "Idempotency-Key is one word of 1 to 255 printable ASCII characters"
            return answer("idempotency_key_invalid", detail)
        who = who_asks(Request(scope)).name
        name = hashlib.sha256(f"{who}\0{key}".encode()).hexdigest()
        begun = await self._begun(scope, name, _fingerprint(scope, headers, body))
        if begun is None:
            return await self._act(scope, body)
        if isinstance(begun, Response):
            return begun
        try:
            return await self._act_once(scope, body, begun)
        finally:
            await asyncio.to_thread(self._answers.release, name)

    async def _begun(self, scope: Scope, name: str, fingerprint: str) -> Asked | Response | None:
        """The key, or why it cannot be had; None where the act goes on without it."""
        try:
            return await asyncio.to_thread(self._answers.begin, name, fingerprint)
        except KeyInUse:
            return answer("request_in_flight", "a request with this key is at work; ask again")
        except KeyReused:
            detail = "this key was used for another request; send a new one"
            return answer("idempotency_key_reused", detail)
        except (CannotWrite, CannotRead) as exc:
            if scope["path"].endswith("/rollbacks"):
                return None  # shoppers come first: a rollback needs no room on the disk
            return answer("cannot_write", f"{exc}; nothing was done")

    async def _act_once(self, scope: Scope, body: bytes, asked: Asked) -> Response:
        if asked.status is not None:
            headers = {**asked.headers, "idempotency-replayed": "true"}
            return Response(asked.body, asked.status, headers)
        scope.setdefault("state", {})["turn"] = Turn(self._answers, asked)
        told = await self._act(scope, body)
        if told.status_code < 300:
            kept = {name: told.headers[name] for name in _KEPT_HEADERS if name in told.headers}
            text = bytes(told.body).decode()
            try:
                await asyncio.to_thread(self._answers.finish, asked, told.status_code, kept, text)
            except CannotWrite as exc:
                # The act is done, and the ledger says so to whoever asks again.
                _LOG.warning("admin API: an answer could not be kept: %s", exc)
        elif not asked.is_resumed:
            await asyncio.to_thread(self._answers.forget, asked.name)
        return told

    async def _act(self, scope: Scope, body: bytes) -> Response:
        """The answer of the application, as a whole."""
        status, headers, pieces = 500, MutableHeaders(), []
        is_asked = False

        async def receive() -> Message:
            nonlocal is_asked
            if is_asked:
                await asyncio.Event().wait()  # nobody waits for the client to go
            is_asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], MutableHeaders(raw=message["headers"])
            else:
                pieces.append(message.get("body", b""))

        await self._app(scope, receive, send)
        found = Response(b"".join(pieces), status)
        found.raw_headers = list(headers.raw)
        return found


async def _read(headers: Headers, receive: Receive, most: int) -> bytes | Response:
    detail = f"the body has more than {most} bytes"
    declared = headers.get("content-length", "0")
    if declared.isascii() and declared.isdecimal() and int(declared[:18]) > most:
        return answer("too_large", detail)
    pieces, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return answer("malformed_request", "the request ended before its body did")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            return answer("too_large", detail)
        more = message.get("more_body", False)
    return b"".join(pieces)


def _fingerprint(scope: Scope, headers: Headers, body: bytes) -> str:
    said = [scope["path"], *(headers.get(name, "") for name in ("content-type", "if-match"))]
    digest = hashlib.sha256("\0".join(said).encode())
    digest.update(b"\0" + scope["query_string"] + b"\0" + body)
    return digest.hexdigest()
