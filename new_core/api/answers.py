"""Answers with a strong ETag, and cursors of lists."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from new_core.errors import ChangedMeanwhile, InvalidValue, PreconditionMissing


def answer(request: Request, body: BaseModel, *, next_page: str | None = None) -> Response:
    """The body as JSON, or 304 when the client has exactly these bytes.

    The tag is a digest of the bytes, so it also changes when a category is renamed and the
    product row is not touched.
    """
    content, tag = _tagged(body)
    headers = {"etag": tag, "cache-control": "no-cache"}
    if next_page is not None:
        link = request.url.include_query_params(after=next_page)
        headers["link"] = f'<{link.path}?{link.query}>; rel="next"'
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def changed(body: BaseModel, *, status: int = 200) -> Response:
    """The body after a write, with the tag that a GET of it has."""
    content, tag = _tagged(body)
    return Response(content, status, headers={"etag": tag}, media_type="application/json")


def is_expected(if_match: str | None, body: BaseModel) -> bool:
    """Whether a write that names these tags (If-Match) may change what `body` shows now.

    Strong comparison, as RFC 9110 wants here: a weak tag matches nothing.
    """
    if if_match is None or if_match.strip() == "*":
        return True
    return _tagged(body)[1] in {one.strip() for one in if_match.split(",")}


def expect(if_match: str | None, body: BaseModel) -> None:
    """Let a write through that names (If-Match) what `body` shows now.

    Raises:
        PreconditionMissing: it names nothing.
        ChangedMeanwhile: it names what is not any more.
    """
    if if_match is None:
        raise PreconditionMissing("say with If-Match which state you change: the ETag of a GET")
    if not is_expected(if_match, body):
        raise ChangedMeanwhile("it was changed since you read it")


def _tagged(body: BaseModel) -> tuple[bytes, str]:
    content = body.model_dump_json().encode()
    return content, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


def _has(header: str, tag: str) -> bool:
    """Whether If-None-Match names the tag; weak comparison, as RFC 9110 wants for GET."""
    names = {one.strip().removeprefix("W/") for one in header.split(",")}
    return tag in names or header.strip() == "*"


def time_cursor(at: datetime, last: UUID) -> str:
    """An opaque cursor for lists by (updated_at, id)."""
    return _pack(f"{at.isoformat()}|{last.hex}")


def read_time_cursor(text: str) -> tuple[datetime, UUID]:
    """The place that a cursor names.

    Raises:
        InvalidValue: the text is no cursor of such a list.
    """
    at, _, last = _unpack(text).partition("|")
    try:
        moment, ident = datetime.fromisoformat(at), UUID(hex=last)
    except ValueError as exc:
        raise _not_a_cursor() from exc
    if moment.tzinfo is None:
        raise _not_a_cursor()
    return moment, ident


def id_cursor(last: UUID) -> str:
    """An opaque cursor for lists by id."""
    return _pack(last.hex)


def read_id_cursor(text: str) -> UUID:
    """The place that a cursor names.

    Raises:
        InvalidValue: the text is no cursor of such a list.
    """
    try:
        return UUID(hex=_unpack(text))
    except ValueError as exc:
        raise _not_a_cursor() from exc


def _pack(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpack(text: str) -> str:
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as exc:
        raise _not_a_cursor() from exc


def _not_a_cursor() -> InvalidValue:
    return InvalidValue("after", "is not a cursor of this list; take it from page.next")
