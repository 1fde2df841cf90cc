"""Answers a request of oscar's API: finds its view, who asks, and in which form."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from legacy_adapters.oscar.facade.views import VIEWS, View
from legacy_adapters.oscar.facade.visit import (
    CSRF_COOKIE,
    SESSION_COOKIE,
    Refused,
    Reply,
    ShopTerms,
    Visit,
    refused,
)
from legacy_adapters.oscar.mapping import answers, negotiation
from legacy_adapters.oscar.mapping.links import Links, origin
from legacy_adapters.oscar.mapping.session_ids import (
    SessionName,
    csrf_problem,
    origin_problem,
    read_header,
    realm_of,
)
from legacy_adapters.oscar.storage import Session, SqlSessions
from new_core.api.problems import FENCED
from new_core.errors import StoreUnavailable, WriteFenced

_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
_MOST_BYTES = 1024 * 1024
_NOBODY = "Authentication credentials were not provided."


class OscarFacade:
    """An ASGI application that answers like oscar's API."""

    def __init__(self, terms: ShopTerms) -> None:
        self._terms = terms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = _path_below_mount(request.scope)
        request.scope["banyan.route"] = "oscar:unmatched"
        for view in VIEWS:
            match = view.path.match(path)
            if match is not None:
                request.scope["banyan.route"] = f"oscar:{view.template}"
                return await self._view(request, view, match.groups())
        return _page(404, "Not Found", _NOT_FOUND_TEXT)

    async def _view(self, request: Request, view: View, arguments: tuple[str, ...]) -> Response:
        query = parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        override = query["format"][-1] if "format" in query else None
        host = request.headers.get("host", "")
        here = origin(_scheme(request), host)
        if here is None:
            return _page(400, "Bad Request (400)", "")
        visit = Visit(
            terms=self._terms,
            request=request,
            links=Links(here, self._terms.media_url, override),
            arguments=arguments,
            structure=query["structure"][-1] if "structure" in query else None,
            at=self._terms.house.now(),
            name=read_header(request.headers.get("session-id")),
            session=Session(""),
        )
        if visit.name is not None and visit.name.realm != realm_of(host):
            realm = visit.name.realm
            return _bare(403, f"Can not accept cookie with realm {realm} on realm {realm_of(host)}")
        try:
            if not await _recognised(visit, view):
                return _bare(401, _NOBODY)
            reply = await _answered(visit, view, override)
        except StoreUnavailable as exc:
            reply = _later(exc)
        return _written(reply, visit, view)


def _later(error: StoreUnavailable) -> Reply:
    """What Django REST framework answers when a service is away; the router reads the rest."""
    body = {"detail": "Service temporarily unavailable, try again later."}
    fenced = ((FENCED, error.domain),) if isinstance(error, WriteFenced) else ()
    return Reply(503, body, (("retry-after", "1"), *fenced))


async def _recognised(visit: Visit, view: View) -> bool:
    """Find the client's session; False for one that has to be there and is not."""
    name = visit.name
    cookie = visit.request.cookies.get(SESSION_COOKIE)
    must_be = name is not None and name.is_known
    if not view.needs_session and not must_be:
        return True
    terms = visit.terms
    mine = terms.named(name) if name is not None else terms.keyed(cookie) if cookie else None
    if mine is None:
        return True
    async with visit.house.database.reading() as uow:
        sessions = SqlSessions(uow)
        found = await sessions.get(mine.key_sha256, visit.at)
        if found is None and name is not None and terms.secret_key:
            # It began before the shop's key was known here.
            found = await sessions.get(name.key_sha256, visit.at)
    # A name that the client chose is as good as new; a cookie that nobody knows is not.
    if found is not None:
        visit.session = replace(mine, customer_id=found.customer_id, cart_id=found.cart_id)
    elif name is not None:
        visit.session = mine
    return found is not None or not must_be


async def _answered(visit: Visit, view: View, override: str | None) -> Reply:
    request = visit.request
    try:
        if not negotiation.format_known(override):
            raise refused(404, "Not found.")
        if not override and not negotiation.acceptable(request.headers.get("accept", "*/*")):
            raise refused(406, "Could not satisfy the request Accept header.")
        _check_origin(visit)
        if view.is_private and visit.customer_id is None:
            raise refused(403, _NOBODY)
        if request.method == "OPTIONS":
            return Reply(200, {"name": view.name, **_ABILITIES})
        handler = view.handler(request.method)
        if handler is None:
            raise refused(405, f'Method "{request.method}" not allowed.')
        if request.method not in _SAFE:
            visit.body = await _body(request)
        return await handler(visit)
    except Refused as no:
        return no.reply


def _check_origin(visit: Visit) -> None:
    """A browser sends its cookies along with whatever page asks it to: a write of a customer
    with cookies has to show that it comes from the shop's own.
    """
    request = visit.request
    if visit.name is not None or visit.customer_id is None or request.method in _SAFE:
        return
    problem = origin_problem(request.headers.get("origin"), visit.links.origin) or csrf_problem(
        request.cookies.get(CSRF_COOKIE), request.headers.get("x-csrftoken")
    )
    if problem is not None:
        raise refused(403, f"CSRF Failed: {problem}")


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise refused(413, "The request is too large.")
    return body


def _written(reply: Reply, visit: Visit, view: View) -> Response:
    body = b"" if reply.status == 204 else answers.to_bytes(reply.body)
    response = Response(body, reply.status, media_type="application/json")
    if reply.status == 204:
        del response.headers["content-type"]
    response.headers["vary"] = "Accept, Cookie"
    response.headers["allow"] = view.allow
    for name, value in reply.headers:
        response.headers[name] = value
    if visit.name is not None and not visit.ended:
        response.headers["session-id"] = _header_of(visit, visit.name)
    for cookie in visit.cookies:
        response.headers.append("set-cookie", cookie)
    return response


def _header_of(visit: Visit, name: SessionName) -> str:
    known = name.is_known or visit.customer_id is not None
    return replace(name, is_known=known).header


def _path_below_mount(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _scheme(request: Request) -> str:
    """The scheme that the shopper used, told by the proxy in front."""
    told = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return told if told in ("http", "https") else str(request.scope.get("scheme", "http"))


def _bare(status: int, reason: str) -> Response:
    """What oscar answers before it has looked for a view."""
    return Response(json.dumps({"reason": reason}), status, media_type="application/json")


def _page(status: int, title: str, text: str) -> Response:
    """What Django answers when no view is asked."""
    body = (
        f'\n<!doctype html>\n<html lang="en">\n<head>\n  <title>{title}</title>\n</head>\n'
        f"<body>\n  <h1>{title}</h1><p>{text}</p>\n</body>\n</html>\n"
    )
    return Response(body, status, headers={"vary": "Cookie"}, media_type="text/html")


_NOT_FOUND_TEXT = "The requested resource was not found on this server."
_ABILITIES = {
    "description": "",
    "renders": ["application/json", "text/html"],
    "parses": [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ],
}
