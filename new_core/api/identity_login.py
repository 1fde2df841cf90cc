"""The page on which people log in for a client (authorization code with PKCE)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from new_core.api.auth import AUTHORIZE_PATH, needs_its_own_proof
from new_core.api.house import House
from new_core.api.identity_desk import address_of, doing
from new_core.api.identity_forms import form_body, read_form, refused
from new_core.api.identity_schemas import NAME, OAuthError
from new_core.domain.actor import Actor
from new_core.domain.customer import normal_email
from new_core.domain.identity_logins import LONGEST_PASSWORD, Person
from new_core.domain.identity_tokens import Client, SubjectKind, asked_scopes
from new_core.errors import GrantRefused, InvalidValue, TooManyTries, Unauthenticated
from new_core.ports import UnitOfWork
from new_core.service.customers_logins import customer_door
from new_core.service.identity_logins import Logins, Tried
from new_core.service.identity_staff import staff_door
from new_core.service.identity_tokens import CodeAsked, Tokens

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_FIELDS = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge",
    "code_challenge_method",
)  # fmt: skip
_LONGEST = 2000
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_PAGE: dict[str, Any] = {"content": {"text/html": {"schema": {"type": "string"}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The page", **_PAGE},
    303: {"description": "Back to the client, with a code or an error"},
    400: {"model": OAuthError, "description": "Nobody can be sent back"},
    401: {"model": OAuthError, "description": "No such client"},
}


@dataclass(frozen=True, slots=True)
class _Wish:
    """A request for a code whose client and address are known to be right."""

    client: Client
    fields: Mapping[str, str]

    def back(self, **said: str) -> Response:
        """Send the browser back to the client."""
        uri, state = self.fields["redirect_uri"], self.fields.get("state", "")
        query = urlencode({**said, **({"state": state} if state else {})})
        joint = "&" if urlsplit(uri).query else "?"
        return RedirectResponse(f"{uri}{joint}{query}", 303, {"cache-control": "no-store"})


def add_login_page(router: APIRouter, house: House, tokens: Tokens, logins: Logins) -> None:
    """Add the page and what its form is sent to."""

    @router.get(AUTHORIZE_PATH, responses=_ANSWERS, response_class=Response, tags=["identity"])
    async def ask_to_log_in(
        request: Request, _actor: Annotated[Actor, needs_its_own_proof()]
    ) -> Response:
        """The page, for a client that sent a browser here (RFC 6749, 4.1, with PKCE S256)."""
        try:
            async with house.database.reading() as uow:
                wish = await _wish(uow, tokens, dict(request.query_params))
        except GrantRefused as exc:
            return refused(exc)
        asked = _asked(wish)
        if isinstance(asked, GrantRefused):
            return wish.back(error=asked.error, iss=house.settings.core_issuer)
        return _page(wish)

    @router.post(
        AUTHORIZE_PATH, response_class=Response, tags=["identity"],
        responses=_ANSWERS | {
            403: {"description": "The page again: not them", **_PAGE},
            429: {"description": "The page again: too many tries", **_PAGE},
        },
        openapi_extra=form_body(**dict.fromkeys((*_FIELDS, "email", "password"), "as on the page")),
    )  # fmt: skip
    async def log_in(request: Request, actor: Annotated[Actor, needs_its_own_proof()]) -> Response:
        """What the page's form sends."""
        issuer = house.settings.core_issuer
        try:
            form = await read_form(request)
            async with house.database.reading() as uow:
                wish = await _wish(uow, tokens, form)
        except GrantRefused as exc:
            return refused(exc)
        asked = _asked(wish)
        if isinstance(asked, GrantRefused):
            return wish.back(error=asked.error, iss=issuer)
        door = staff_door() if wish.client.subject_kind is SubjectKind.STAFF else customer_door()
        act, codes = doing(house, actor), list[str]()

        async def write(uow: UnitOfWork, person: Person) -> None:
            codes.append(await tokens.code(uow, asked, (door.kind, person.id), act))

        try:
            await logins.enter(door, _tried(request, form), write, act.at)
        except (Unauthenticated, InvalidValue):
            return _page(wish, "That is not right. Try again.", 403)
        except TooManyTries as exc:
            minutes = exc.retry_after_s // 60 + 1
            page = _page(wish, f"Too many tries. Come back in {minutes} min.", 429)
            page.headers["retry-after"] = str(exc.retry_after_s)
            return page
        return wish.back(code=codes[0], iss=issuer)


def _tried(request: Request, form: Mapping[str, str]) -> Tried:
    password = form.get("password", "")
    if len(password) > LONGEST_PASSWORD:
        raise InvalidValue("password", "is too long")
    return Tried(normal_email(form.get("email", "")), password, address_of(request))


async def _wish(uow: UnitOfWork, tokens: Tokens, fields: Mapping[str, str]) -> _Wish:
    """Who asks, and that they may be sent back.

    Raises:
        GrantRefused: no such client, or an address that is not one of its own: nobody is
            ever sent anywhere else.
    """
    client_id = fields.get("client_id", "")
    client = await tokens.client_of_page(uow, client_id) if re.fullmatch(NAME, client_id) else None
    if client is None:
        raise GrantRefused("invalid_request", "there is no such client")
    if fields.get("redirect_uri", "") not in client.redirect_uris:
        raise GrantRefused("invalid_request", "redirect_uri is none of this client's")
    if any(len(fields.get(name, "")) > _LONGEST for name in _FIELDS):
        raise GrantRefused("invalid_request", "a field is too long")
    return _Wish(client, fields)


def _asked(wish: _Wish) -> CodeAsked | GrantRefused:
    fields = wish.fields
    if fields.get("response_type") != "code":
        return GrantRefused("unsupported_response_type", "response_type is code")
    scopes = asked_scopes(fields.get("scope", ""))
    if scopes is None:
        return GrantRefused("invalid_scope", "a scope is not there")
    challenge = fields.get("code_challenge", "")
    method = fields.get("code_challenge_method", "")
    if method != "S256" or not _CHALLENGE.fullmatch(challenge):
        return GrantRefused("invalid_request", "code_challenge by S256 is missing")
    return CodeAsked(wish.client.client_id, fields["redirect_uri"], scopes, challenge)


def _page(wish: _Wish, problem: str = "", status: int = 200) -> Response:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(wish.fields.get(name, ""))}">'
        for name in _FIELDS
    )
    told = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    content = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Log in</title>
<style>body{{font:1rem/1.5 system-ui;max-width:22rem;margin:4rem auto;padding:0 1rem}}
label,input,button{{display:block;width:100%;box-sizing:border-box;margin:.3rem 0;font:inherit}}
input,button{{padding:.5rem}}[role=alert]{{color:#a00}}</style></head><body>
<h1>Log in to {escape(wish.client.name)}</h1>{told}
<form method="post" action="{AUTHORIZE_PATH}">{hidden}
<label for="email">E-mail</label>
<input id="email" name="email" type="email" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Log in</button></form></body></html>"""
    return HTMLResponse(content.encode("utf-8", "replace"), status, _HEADERS)
