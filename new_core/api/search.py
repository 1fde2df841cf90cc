"""Routes and workers of search."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from new_core.api.answers import answer
from new_core.api.auth import needs
from new_core.api.house import House, Worker
from new_core.api.parameters import After
from new_core.api.problems import described
from new_core.api.schemas import Answer, Page, ProductOut
from new_core.domain.actor import Actor
from new_core.errors import InvalidValue
from new_core.service.assorting import visible_to
from new_core.service.catalog import details_of
from new_core.service.search import Found, index_stale, search

MOST_FOUND = 1000
"""How deep one may page into what a search found; who looks further narrows the search."""

_AT_A_TIME = 200
_EVERY_S = 1.0


class FacetValueOut(Answer):
    """One value of a facet."""

    value: str
    products: int


class FacetOut(Answer):
    """A property of the products found, by which they can be narrowed down."""

    name: str = Field(examples=["type", "category", "attr:language"])
    values: list[FacetValueOut] = Field(description="the most frequent first, at most 20")


class CorrectionOut(Answer):
    """A word that no product has, and one that was taken for it."""

    typed: str
    taken_for: str


class SearchOut(Answer):
    """What a search found, best first."""

    data: list[ProductOut]
    total: int
    facets: list[FacetOut]
    corrections: list[CorrectionOut]
    page: Page

    @classmethod
    def of(cls, found: Found, products: list[ProductOut], page: Page) -> SearchOut:
        """The answer to a search."""
        return cls(
            data=products,
            total=found.total,
            facets=[
                FacetOut(
                    name=name,
                    values=[FacetValueOut(value=v.value, products=v.products) for v in values],
                )
                for name, values in sorted(found.facets.items())
            ],
            corrections=[CorrectionOut(typed=one, taken_for=two) for one, two in found.corrected],
            page=page,
        )


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))

    @router.get("/search", response_model=SearchOut, tags=["search"])
    async def find_products(
        request: Request,
        actor: Annotated[Actor, needs()],
        q: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
        facet: Annotated[
            Sequence[Annotated[str, Query(max_length=200, pattern=r"^[^\x00=]{1,80}=[^\x00]+$")]],
            Query(max_length=20, description="NAME=VALUE; several of one name: any of them"),
        ] = (),
        limit: Annotated[int, Query(ge=1, le=100)] = 24,
        after: After = None,
    ) -> Response:
        """Published products with all words of `q`, slips of the finger forgiven."""
        offset = _offset(after)
        async with house.database.reading() as uow:
            visible = await visible_to(uow, actor)
            found = await search(uow, q, _facets(facet), visible, limit=limit, offset=offset)
            details = await details_of(uow, found.product_ids)
        end = offset + len(found.product_ids)
        more = end < min(found.total, MOST_FOUND)
        cursor = _cursor(end) if more else None
        page = Page(next=cursor, has_more=more)
        body = SearchOut.of(found, [ProductOut.of(one) for one in details], page)
        response = answer(request, body, next_page=cursor)
        response.headers["vary"] = "authorization"
        return response

    return router


def workers(house: House) -> tuple[Worker, ...]:
    """Keeps the documents up with the catalogue."""

    async def index() -> int:
        async with house.database.writing() as uow:
            return await index_stale(uow, _AT_A_TIME)

    return (Worker("search-index", index, _EVERY_S),)


def _facets(asked: Sequence[str]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for one in asked:
        name, _, value = one.partition("=")
        found.setdefault(name, set()).add(value)
    return {name: frozenset(values) for name, values in found.items()}


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(b"found:%d" % offset).decode().rstrip("=")


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        name, _, number = text.partition(":")
        offset = int(number) if name == "found" and number.isdecimal() else -1
    except (binascii.Error, ValueError):
        offset = -1
    if not 0 < offset < MOST_FOUND:
        raise InvalidValue("after", "is no cursor of this list")
    return offset
