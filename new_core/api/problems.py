"""Errors as RFC 9457 problem details."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from new_core.errors import (
    BadRequest,
    ChangedMeanwhile,
    Conflict,
    CoreError,
    DryRunStrayed,
    Forbidden,
    InvalidValue,
    NotFound,
    PreconditionMissing,
    RequestInFlight,
    RequestKeyReused,
    StoreUnavailable,
    TooManyTries,
    Unauthenticated,
    WriteFenced,
)

MEDIA_TYPE = "application/problem+json"
FENCED = "banyan-fenced"
"""Header of an answer to a write that was refused because another store owns the domain in it:
nothing happened, and whoever routes requests may send it to the owner.
"""

_RETRY_AFTER_S = "1"


class FieldProblem(BaseModel):
    """One input that was not understood."""

    pointer: str = Field(description="where: the parameter's place and name, e.g. /query/limit")
    code: str
    detail: str
    meta: dict[str, Any] = Field(default={}, description="more, for programs")


class Problem(BaseModel):
    """Why there is no answer (RFC 9457)."""

    type: str = Field(description="names the kind of problem; a relative URL into the docs")
    title: str
    status: int
    detail: str
    code: str = Field(description="the kind of problem, for programs")
    request_id: str
    retryable: bool = Field(description="whether the same request may succeed later")
    errors: list[FieldProblem] = []


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of error answers."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _TITLES[status], "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


def problem(
    request: Request, status: int, code: str, detail: str, errors: Sequence[FieldProblem] = ()
) -> Response:
    """The answer for a problem; 503 says when to come back."""
    body = Problem(
        type=f"/problems/{code}",
        title=_TITLES.get(status, "Error"),
        status=status,
        detail=detail,
        code=code,
        request_id=request.scope.get("banyan.request_id", ""),
        retryable=status in {429, 503} or code == "request_in_flight",
        errors=list(errors),
    )
    headers = {"retry-after": _RETRY_AFTER_S} if status == 503 else {}
    content = json.dumps(body.model_dump(exclude_defaults=True) | {"status": status})
    return Response(content, status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem answer."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it only
        found = [
            FieldProblem(
                pointer="/" + "/".join(str(part) for part in one["loc"]),
                code=str(one["type"]),
                detail=str(one["msg"]),
            )
            for one in error.errors()
        ]
        return problem(request, 422, "invalid_request", "the request was not understood", found)

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it only
        code = _CODES.get(error.status_code, "http_error")
        answer = problem(request, error.status_code, code, str(error.detail))
        answer.headers.update(error.headers or {})
        if error.status_code == 405:
            answer.headers["allow"] = ", ".join(_allowed(request))
        return answer

    async def ours(request: Request, error: Exception) -> Response:
        if isinstance(error, DryRunStrayed):
            # Who runs it dry says that it was refused; an answer from here would be a lie.
            raise error
        if isinstance(error, NotFound):
            return problem(request, 404, f"{error.entity.replace(' ', '_')}_not_found", str(error))
        if isinstance(error, InvalidValue):
            return problem(request, 422, "invalid_value", str(error))
        if isinstance(error, ChangedMeanwhile):
            return problem(request, 412, "changed_meanwhile", f"{error}; read it again")
        if isinstance(error, StoreUnavailable):
            return _unavailable(request, error)
        return _refusal(request, error)

    app.add_exception_handler(RequestValidationError, refused)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(CoreError, ours)


def _allowed(request: Request) -> list[str]:
    """The methods of all routes of a path; the framework names those of the first alone."""
    found: set[str] = set()
    for route in getattr(request.app.state, "routes", ()):
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= set(getattr(route, "methods", None) or ())
    return sorted(found)


def _unavailable(request: Request, error: StoreUnavailable) -> Response:
    if isinstance(error, WriteFenced):
        answer = problem(request, 503, "write_fenced", str(error))
        answer.headers[FENCED] = error.domain
        return answer
    return problem(request, 503, "store_unavailable", "the database does not answer")


def _refusal(request: Request, error: Exception) -> Response:
    if isinstance(error, Conflict):
        return _conflict(request, error)
    if isinstance(error, BadRequest):
        return problem(request, 400, error.code, str(error))
    for kind, status, code in _PLAIN:
        if isinstance(error, kind):
            answer = problem(request, status, code, str(error))
            answer.headers.update(_more(error))
            return answer
    return problem(request, 500, "internal", "the core could not answer")


def _more(error: Exception) -> dict[str, str]:
    """Headers that tell the way out."""
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    if isinstance(error, Forbidden):
        scope = f', scope="{error.scope}"' if error.scope else ""
        wanted = f'Bearer error="insufficient_scope"{scope}'
        return {"www-authenticate": wanted}
    if isinstance(error, TooManyTries):
        return {"retry-after": str(error.retry_after_s)}
    return {}


def _conflict(request: Request, error: Conflict) -> Response:
    found = [
        FieldProblem(pointer=one.pointer, code=one.code, detail=one.detail, meta=dict(one.meta))
        for one in error.details
    ]
    answer = problem(request, 409, error.code, str(error), found)
    if isinstance(error, RequestInFlight):
        answer.headers["retry-after"] = str(error.retry_after_s)
    return answer


_PLAIN: tuple[tuple[type[CoreError], int, str], ...] = (
    (Unauthenticated, 401, "unauthenticated"),
    (Forbidden, 403, "forbidden"),
    (TooManyTries, 429, "too_many_tries"),
    (RequestKeyReused, 422, "idempotency_key_reused"),
    (PreconditionMissing, 428, "if_match_missing"),
)
_TITLES = {
    400: "Bad request",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Precondition failed",
    422: "Unprocessable request",
    428: "Precondition required",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}
