"""Every error of the admin API: its code, its status, and which fault it is said of."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from cutover.api.guarding import NotAllowed
from cutover.errors import (
    CannotRead,
    CannotUndo,
    CannotWrite,
    Conflict,
    CutoverError,
    IllegalStep,
    NoSuchRevision,
    NothingInForce,
    PlanFileError,
    RelativeFiles,
    StalePlan,
    UnknownDomain,
)
from proxy.errors import RoutingFileError

MEDIA_TYPE = "application/problem+json"
_LOG = logging.getLogger(__name__)

#: Code to status and title. A code is never given another meaning; new ones come.
CODES: Mapping[str, tuple[int, str]] = {
    "malformed_request": (400, "The request cannot be read"),
    "idempotency_key_invalid": (400, "The key is none"),
    "not_signed_in": (401, "Nobody is signed in"),
    "not_allowed": (403, "This takes another role"),
    "other_actor": (403, "That is somebody else's name"),
    "not_from_here": (403, "The request came from another page, or to another name"),
    "read_only": (403, "The room only reads"),
    "not_found": (404, "There is no such address"),
    "no_such_domain": (404, "There is no such domain"),
    "no_such_revision": (404, "There is no such revision"),
    "no_such_plan": (404, "There is no such plan"),
    "method_not_allowed": (405, "The address has no such method"),
    "conflict": (409, "Something else is at work"),
    "request_in_flight": (409, "The same request is at work"),
    "plan_refused": (409, "The plan is refused"),
    "nothing_in_force": (409, "Nothing is in force"),
    "illegal_step": (409, "The domain cannot take that step"),
    "cannot_undo": (409, "The revision cannot be taken back"),
    "refused": (409, "It cannot be done"),
    "changed_meanwhile": (412, "What is in force was changed"),
    "too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "The body is of another kind"),
    "invalid_request": (422, "The request was not understood"),
    "routing_file_invalid": (422, "The routing file does not load"),
    "plan_file_invalid": (422, "The plan file cannot be used"),
    "idempotency_key_reused": (422, "The key was used for another request"),
    "if_match_missing": (428, "The request does not say what it changes"),
    "internal": (500, "A fault of the room"),
    "cannot_read": (503, "A file cannot be read"),
    "cannot_write": (503, "A file cannot be written"),
    "busy": (503, "Too much is at work"),
}
_RETRYABLE = frozenset(("conflict", "request_in_flight", "busy", "cannot_read", "cannot_write"))
_OURS: Mapping[type[Exception], str] = {
    CannotRead: "cannot_read",
    CannotWrite: "cannot_write",
    Conflict: "conflict",
    StalePlan: "changed_meanwhile",
    PlanFileError: "plan_file_invalid",
    RelativeFiles: "routing_file_invalid",
    RoutingFileError: "routing_file_invalid",
    NothingInForce: "nothing_in_force",
    UnknownDomain: "no_such_domain",
    NoSuchRevision: "no_such_revision",
    IllegalStep: "illegal_step",
    CannotUndo: "cannot_undo",
    NotAllowed: "not_allowed",
    CutoverError: "refused",
}
_OF_HTTP = {404: "not_found", 405: "method_not_allowed", 400: "malformed_request"}


class AdminProblem(Exception):
    """A request is answered with this problem.

    Attributes:
        more: members beside the usual ones.
    """

    def __init__(self, code: str, detail: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.more = dict(more or {})


def answer(code: str, detail: str, more: Mapping[str, Any] | None = None) -> Response:
    """A problem in the form of RFC 9457."""
    status, title = CODES[code]
    body = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": code in _RETRYABLE,
        **(more or {}),
    }
    headers = {"retry-after": "1"} if code in _RETRYABLE else {}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    # What a request says may hold half a character, which UTF-8 has none for.
    return Response(json.dumps(body), status, headers=headers, media_type=MEDIA_TYPE)


def code_of(exc: Exception) -> str | None:
    """The code of a fault that is raised on purpose; None for any other."""
    return next((_OURS[kind] for kind in type(exc).__mro__ if kind in _OURS), None)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    async def raised(_request: Request, exc: Exception) -> Response:
        if isinstance(exc, AdminProblem):
            return answer(exc.code, exc.detail, exc.more)
        problems: Sequence[object] = getattr(exc, "problems", ())
        more = {"errors": [{"detail": str(one)} for one in problems]} if problems else {}
        return answer(code_of(exc) or "internal", str(exc), more)

    async def invalid(_request: Request, exc: Exception) -> Response:
        assert isinstance(exc, RequestValidationError)  # noqa: S101 - registered for it only
        errors = [
            {"pointer": "/" + "/".join(str(part) for part in one["loc"]), "detail": one["msg"]}
            for one in exc.errors()
        ]
        where = "; ".join(f"{one['pointer']}: {one['detail']}" for one in errors[:3])
        return answer("invalid_request", f"not understood: {where}", {"errors": errors})

    async def framework(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)  # noqa: S101 - registered for it only
        code = _OF_HTTP.get(exc.status_code, "malformed_request")
        told = answer(code, f"{request.method} {request.scope['path']}: {exc.detail}")
        if exc.status_code == 405:
            told.headers["allow"] = ", ".join(_allowed(request))
        return told

    async def fault(request: Request, exc: Exception) -> Response:
        _LOG.error("admin API: %s %s", request.method, request.scope["path"], exc_info=exc)
        return answer("internal", "a fault of the room, which its log tells more of")

    for kind in (AdminProblem, NotAllowed, CutoverError, RoutingFileError):
        app.add_exception_handler(kind, raised)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, fault)


def _allowed(request: Request) -> list[str]:
    methods: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods)
