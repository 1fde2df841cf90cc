"""How requests name a cart, show that it is theirs, and say which state of it they saw."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from new_core.domain.cart_access import Opening, token_digest
from new_core.errors import PreconditionMissing

CART = "/carts/{cart_id}"
"""The path of one cart; the parameters below read it."""

_TAG = re.compile(r'"v(\d{1,18})(?:-[0-9a-f]+)?"')

CartToken = Annotated[
    str | None,
    Header(max_length=100, description="the secret of a guest's cart"),
]
IfMatch = Annotated[str | None, Header(max_length=1000, description="tags that it has now, or *")]


def read_versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that If-Match names; None where any will do.

    Of a tag only the version counts: prices may have moved since, and the change still fits.
    Weak tags match nothing, as RFC 9110 wants.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = (_TAG.fullmatch(one.strip()) for one in if_match.split(","))
    return frozenset(int(one.group(1)) for one in found if one)


def demanded_versions(if_match: str | None) -> frozenset[int] | None:
    """The same, and it has to be said.

    Raises:
        PreconditionMissing: it is not.
    """
    if if_match is None:
        raise PreconditionMissing("say with If-Match which state you change: the ETag of a GET")
    return read_versions(if_match)


async def _opening(
    cart_id: UUID, cart_token: CartToken = None, if_match: IfMatch = None
) -> Opening:
    digest = token_digest(cart_token) if cart_token else ""
    return Opening(cart_id, digest, read_versions(if_match))


async def _reading(cart_id: UUID, cart_token: CartToken = None) -> Opening:
    return Opening(cart_id, token_digest(cart_token) if cart_token else "")


async def _demanding(
    cart_id: UUID, cart_token: CartToken = None, if_match: IfMatch = None
) -> Opening:
    digest = token_digest(cart_token) if cart_token else ""
    return Opening(cart_id, digest, demanded_versions(if_match))


Reading = Annotated[Opening, Depends(_reading)]
Adding = Annotated[Opening, Depends(_opening)]
"""A write that fits whatever others did meanwhile: If-Match is obeyed and not demanded."""
Changing = Annotated[Opening, Depends(_demanding)]
"""A write that may undo what others did: If-Match is demanded (428)."""


def tagged(body: BaseModel, version: int, status: int = 200) -> Response:
    """The body after a write, with the tag that the next write may name."""
    headers = {"etag": f'"v{version}"'}
    content = body.model_dump_json(exclude_none=False)
    return Response(content, status, headers=headers, media_type="application/json")


def shown(request: Request, body: BaseModel, version: int) -> Response:
    """The body of a read, or 304. The tag has the version and a digest of the bytes: what a
    cart costs also changes when its row does not.
    """
    content = body.model_dump_json().encode()
    tag = f'"v{version}-{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    names = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
    if tag in {one.removeprefix("W/") for one in names}:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")
