"""Signing in and out: the pages, and the way to the issuer and back."""

from __future__ import annotations

import asyncio
import hmac
import math
from dataclasses import astuple, dataclass, field

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cutover.api.cookies import AWAY, SESSION, cookie, drop_cookie, set_cookie
from cutover.api.gate import Room
from cutover.api.identity import Found
from cutover.api.oidc import Attempt, new_attempt
from cutover.api.signinview import SignIn
from cutover.api.writing import BadForm, bounded, read_exactly
from cutover.core.people import folded
from cutover.core.sessions import Session, safe_next
from cutover.core.throttle import Throttle, keys_of
from cutover.errors import CutoverError, IssuerAway, NotVouched
from cutover.service.passwords import is_password

_AT_ONCE, _WAITING = 2, 16
_AWAY_S = 600
_WRONG = "The name or the password is wrong"


@dataclass(slots=True)
class Signing:
    """Answers for the addresses of signing in and out. Belongs to one event loop."""

    room: Room
    throttle: Throttle = field(default_factory=Throttle)
    _looking: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(_AT_ONCE), init=False
    )
    _waiting: int = field(default=0, init=False)

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses, which ask nobody who they are."""
        app.add_route("/signin", self.page, ["GET"], include_in_schema=False)
        app.add_route("/signin", self.sign_in, ["POST"], include_in_schema=False)
        app.add_route("/signin/issuer", self.leave, ["GET"], include_in_schema=False)
        app.add_route("/signin/back", self.back, ["GET"], include_in_schema=False)
        app.add_route("/signout", self.sign_out, ["POST"], include_in_schema=False)

    async def page(self, request: Request) -> Response:
        """The form; whoever is in already is led on."""
        onward = safe_next(request.query_params.get("next", "/"))
        if self.room.identity.is_open() or _found(request).who is not None:
            return RedirectResponse(onward, 303)
        return self._page(SignIn(onward), 200)

    async def sign_in(self, request: Request) -> Response:
        """A name and a password were sent."""
        if self.room.identity.is_open():
            return RedirectResponse("/", 303)
        fields = await self._form(request)
        if isinstance(fields, Response):
            return fields
        view = SignIn(safe_next(fields.get("next", "/")), folded(fields.get("name", ""))[:64])
        keys = keys_of(view.name, request.client.host if request.client else "")
        if self._waiting >= _WAITING:
            return self._later(view, 503, 2.0)
        wait_s = self.throttle.attempt(keys, self.room.identity.clock_s())
        if wait_s > 0:
            return self._later(view, 429, wait_s)
        session = await self._looked_at(view.name, fields.get("password", ""))
        if session is None:
            return self._page(view, 401, _WRONG)
        self.throttle.succeeded(keys)
        await asyncio.to_thread(self.room.identity.sign_ins.note, view.name, session.began_s)
        return self._let_in(request, session, view.next)

    async def _form(self, request: Request) -> Response | dict[str, str]:
        """The fields as they were typed, or why they do not count."""
        strange = self.room.doorkeeper.strange(request.headers)
        if strange is not None:
            return self.room.refused(request, 403, "Nothing was done", strange)
        try:
            return read_exactly(await bounded(request.stream()))
        except BadForm as exc:
            return self.room.refused(request, 422, "Nothing was done", str(exc))

    async def _looked_at(self, name: str, password: str) -> Session | None:
        """A session when the password is right. Takes as long for a name that nobody has."""
        person = self.room.identity.people.book().people.get(name)
        hashed = None if person is None else person.password
        self._waiting += 1
        try:
            async with self._looking:
                is_right = await asyncio.to_thread(is_password, hashed, password)
        finally:
            self._waiting -= 1
        if person is None or person.disabled or not is_right:
            return None
        # Of the generation that was read before: a password changed meanwhile ends it.
        return self.room.identity.begin(person.name, person.generation)

    async def sign_out(self, request: Request) -> Response:
        """End the session for good, on whichever browser it is."""
        found = _found(request)
        if found.session is None:
            return RedirectResponse("/signin", 303)
        fields = await self._form(request)
        if isinstance(fields, Response):
            return fields
        wanted = self.room.identity.seal().sign("sign out", found.session.number)
        if not hmac.compare_digest(fields.get("token", "").encode(), wanted.encode()):
            text = "The form is of another session; open the page again."
            return self.room.refused(request, 403, "Nobody was signed out", text)
        answer = RedirectResponse("/signin", 303)
        answer.headers.append("set-cookie", drop_cookie(SESSION, is_secure=_is_secure(request)))
        try:
            now_s = self.room.identity.clock_s()
            await asyncio.to_thread(self.room.identity.ended.add, found.session, now_s)
        except CutoverError as exc:
            text = f"The session has ended in this room, and may return when it restarts: {exc}."
            return self.room.refused(request, 503, "Signed out for now", text)
        return answer

    async def leave(self, request: Request) -> Response:
        """To the issuer, with what must come back remembered in a cookie."""
        issuer = self.room.identity.issuer
        strange = self.room.doorkeeper.strange(Headers({"host": request.headers.get("host", "")}))
        if issuer is None or strange is not None:
            text = strange or "No OpenID issuer is configured."
            return self.room.refused(request, 404, "No other way to sign in", text)
        onward = safe_next(request.query_params.get("next", "/"))
        attempt = new_attempt(onward, self.room.identity.clock_s())
        try:
            place = await issuer.way_there(attempt, _way_back(request))
        except IssuerAway as exc:
            return self._page(SignIn(onward), 503, _sentence(exc))
        answer = RedirectResponse(place, 303)
        kept = self.room.identity.seal().sealed("away", astuple(attempt))
        answer.headers.append(
            "set-cookie",
            set_cookie(AWAY, kept, is_secure=_is_secure(request), lasts_s=_AWAY_S),
        )
        return answer

    async def back(self, request: Request) -> Response:
        """Somebody comes back from the issuer."""
        issuer, attempt = self.room.identity.issuer, self._attempt(request)
        asked = request.query_params
        if (
            issuer is None
            or attempt is None
            or not hmac.compare_digest(asked.get("state", "").encode(), attempt.state.encode())
        ):
            return self._page(SignIn("/"), 400, "This way back was not begun here; try again")
        onward = SignIn(attempt.next)
        if asked.get("iss", issuer.terms.issuer) != issuer.terms.issuer or "code" not in asked:
            return self._forget(request, self._page(onward, 403, "The issuer did not sign you in"))
        try:
            vouched = await issuer.signed_in(asked["code"], attempt, _way_back(request))
        except NotVouched as exc:
            return self._forget(request, self._page(onward, 403, _sentence(exc)))
        except IssuerAway as exc:
            return self._forget(request, self._page(onward, 503, _sentence(exc)))
        if self.room.identity.is_taken(vouched.name):
            told = "The name belongs to somebody of this house, who signs in with a password"
            return self._forget(request, self._page(onward, 403, told))
        session = self.room.identity.begin(vouched.name, 0, vouched.roles)
        return self._forget(request, self._let_in(request, session, attempt.next))

    def _attempt(self, request: Request) -> Attempt | None:
        text = cookie(request.headers, AWAY, is_secure=_is_secure(request))
        told = self.room.identity.seal().opened("away", text) if text else None
        attempt = Attempt(*told) if isinstance(told, list) else None
        now_s = self.room.identity.clock_s()
        return attempt if attempt and now_s - attempt.made_s < _AWAY_S else None

    def _forget(self, request: Request, answer: Response) -> Response:
        answer.headers.append("set-cookie", drop_cookie(AWAY, is_secure=_is_secure(request)))
        return answer

    def _let_in(self, request: Request, session: Session, onward: str) -> Response:
        answer = RedirectResponse(onward, 303)
        text = self.room.identity.seal().session_text(session)
        answer.headers.append(
            "set-cookie", set_cookie(SESSION, text, is_secure=_is_secure(request))
        )
        return answer

    def _page(self, view: SignIn, status: int, trouble: str = "") -> Response:
        identity = self.room.identity
        whole = SignIn(
            view.next, view.name, trouble, identity.issuer is not None,
            bool(identity.people.book().people),
        )  # fmt: skip
        return HTMLResponse(self.room.renderer.sign_in(whole, identity.clock_s()), status)

    def _later(self, view: SignIn, status: int, wait_s: float) -> Response:
        seconds = max(1, math.ceil(wait_s))
        unit = "second" if seconds == 1 else "seconds"
        answer = self._page(view, status, f"Too many attempts; try again in {seconds} {unit}")
        answer.headers["retry-after"] = str(seconds)
        return answer


def _found(request: Request) -> Found:
    found = getattr(request.state, "found", None)
    return found if isinstance(found, Found) else Found()


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _way_back(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', '')}/signin/back"


def _sentence(exc: Exception) -> str:
    text = str(exc)
    return f"{text[:1].upper()}{text[1:]}"
