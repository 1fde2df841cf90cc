"""Stands before all addresses and finds out who asks, before any of them is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutover.api import adminproblems
from cutover.api.cookies import SESSION, set_cookie
from cutover.api.guarding import NOBODY, STRANGER
from cutover.api.identity import Found, Identity
from cutover.api.problems import problem
from cutover.api.rendering import Renderer
from cutover.api.visiting import Visitor, visited_by
from cutover.api.writing import Doorkeeper
from cutover.errors import CannotRead, CannotWrite

_ASK_NOBODY = frozenset(("/healthz", "/signin", "/signin/issuer", "/signin/back", "/signout"))
_FOR_PROGRAMS = ("/api/", "/admin/", "/events", "/metrics")
_ADMIN_CODES = {401: "not_signed_in", 403: "not_from_here", 503: "cannot_read"}
_UNKNOWN = "It cannot be found out who you are"
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True)
class Room:
    """What the gate needs of the room."""

    identity: Identity
    doorkeeper: Doorkeeper
    renderer: Renderer

    def refused(self, request: Request, status: int, title: str, text: str) -> Response:
        """A no, in the form that the asker can read."""
        if request.url.path.startswith("/admin/"):
            return adminproblems.answer(_ADMIN_CODES.get(status, "refused"), text)
        if is_for_programs(request.url.path):
            return problem(status, title, text)
        html = self.renderer.notice(title, text, self.identity.clock_s())
        return HTMLResponse(html, status)

    async def cannot_tell(self, request: Request, exc: Exception) -> Response:
        """A file of the room's own cannot be used."""
        return self.refused(request, 503, _UNKNOWN, f"{exc}.")

    async def not_allowed(self, request: Request, exc: Exception) -> Response:
        """Somebody is known and may not."""
        text = f"{exc}. Somebody with another role can."
        return self.refused(request, 403, "Not allowed", text)


class Gate:
    """An ASGI layer: puts who asks into the request's state, or answers in the room's place."""

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self._app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the room has none, so nobody need be let in
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        state = scope.setdefault("state", {})
        try:
            if self._room.identity.is_open():
                state.update(who=NOBODY, goes_on=self._is_still_open)
                with visited_by(Visitor(NOBODY)):
                    await self._app(scope, receive, send)
                return
            told = await self._looked_at(request)
        except (CannotRead, CannotWrite) as exc:
            told = self._room.refused(request, 503, _UNKNOWN, f"{exc}.")
        if isinstance(told, Response):
            await told(scope, receive, send)
            return
        found, visitor = told
        state.update(who=visitor.who, found=found, goes_on=lambda: self._goes_on(found))
        with visited_by(visitor):
            await self._app(scope, receive, self._renewing(request, found, send))

    async def _looked_at(self, request: Request) -> Response | tuple[Found, Visitor]:
        """Who asks, or the answer to somebody who may not go on.

        Raises CannotRead, CannotWrite.
        """
        is_secure = request.url.scheme == "https"
        found = await self._room.identity.of(request.headers, is_secure=is_secure)
        return self._refusal(request, found) or (found, self._visitor(found))

    def _visitor(self, found: Found) -> Visitor:
        if found.session is None:
            return Visitor(found.who or STRANGER)
        number = found.session.number
        token = self._room.identity.seal().sign("sign out", number)
        return Visitor(found.who or STRANGER, number, token)

    def _refusal(self, request: Request, found: Found) -> Response | None:
        """Why this goes no further; None when it does."""
        path = request.url.path
        if found.who is None:
            if path in _ASK_NOBODY or path.startswith("/static/"):
                return None
            return self._who_are_you(request, found)
        if found.session is not None and request.method not in _SAFE:
            strange = self._room.doorkeeper.strange(request.headers)
            if strange is not None:
                return self._room.refused(request, 403, "Nothing was changed", strange)
        return None

    def _who_are_you(self, request: Request, found: Found) -> Response:
        if found.is_away:
            return self._room.refused(request, 503, _UNKNOWN, found.trouble)
        has_token = "authorization" in request.headers
        page = not is_for_programs(request.url.path)
        if page and request.method in _SAFE and not has_token:
            query = request.url.query
            asked = quote(unquote(request.url.path)) + (f"?{query}" if query else "")
            return RedirectResponse(f"/signin?next={quote(asked, safe='')}", 303)
        text = found.trouble or "Sign in at /signin, or send a token."
        answer = self._room.refused(request, 401, "Who are you?", text)
        error = ', error="invalid_token"' if has_token and found.trouble else ""
        answer.headers["www-authenticate"] = f'Bearer realm="banyan"{error}'
        return answer

    def _is_still_open(self) -> bool:
        try:
            return self._room.identity.is_open()
        except CannotRead:
            return False

    def _goes_on(self, found: Found) -> bool:
        try:
            return self._room.identity.still(found)
        except CannotRead:
            return False

    def _renewing(self, request: Request, found: Found, send: Send) -> Send:
        """Writes down that a session was seen, in the cookie, once a minute."""
        identity = self._room.identity
        seen = found.session and found.session.seen(identity.clock_s())
        if seen is None or request.url.path == "/signout":
            return send
        is_secure = request.url.scheme == "https"
        value = set_cookie(SESSION, identity.seal().session_text(seen), is_secure=is_secure)

        async def renewing(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", value)
            await send(message)

        return renewing


def is_for_programs(path: str) -> bool:
    """Whether an address answers programs rather than people."""
    return path.startswith(_FOR_PROGRAMS) or path.endswith(".json")
