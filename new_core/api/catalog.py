"""Routes of the catalogue."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from new_core.api.answers import (
    answer,
    read_time_cursor,
    time_cursor,
)
from new_core.api.assortments import add_assortments
from new_core.api.auth import needs
from new_core.api.catalog_writes import add_catalog_writes
from new_core.api.house import House
from new_core.api.parameters import After, Limit, Moment, Sku, Slugs
from new_core.api.problems import described
from new_core.api.schemas import (
    CategoryList,
    CategoryOut,
    Page,
    ProductDetailOut,
    ProductList,
    ProductOut,
)
from new_core.domain.actor import Actor
from new_core.domain.catalog import Status
from new_core.errors import Forbidden, NotFound
from new_core.ports import Database, ProductQuery, UnitOfWork
from new_core.service.assorting import is_visible, visible_to
from new_core.service.catalog import product_detail, product_page, subtree, with_variants


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    database = house.database
    _add_products(router, database)
    _add_categories(router, database)
    add_catalog_writes(router, house)
    add_assortments(router, house)
    return router


def _add_products(router: APIRouter, database: Database) -> None:
    @router.get(
        "/products", response_model=ProductList, responses=described(403, 404), tags=["catalog"]
    )
    async def list_products(  # noqa: PLR0913, PLR0917 - one argument per query parameter
        request: Request,
        actor: Annotated[Actor, needs()],
        limit: Limit = 50,
        after: After = None,
        category: Slugs = None,
        sku: Sku = None,
        updated_since: Moment | None = None,
        status: Status = Status.PUBLISHED,
    ) -> Response:
        """Products, the longest unchanged first: following `next` to the end and asking
        again with `updated_since` gives every later change.
        """
        _may_see(actor, status)
        async with database.reading() as uow:
            query = ProductQuery(
                limit=limit + 1,
                after=read_time_cursor(after) if after is not None else None,
                status=status,
                category_ids=await _category_ids(uow, category),
                sku=sku,
                visible=await visible_to(uow, actor),
                updated_since=updated_since,
            )
            found = await product_page(uow, query)
        shown, more = found[:limit], len(found) > limit
        last = shown[-1] if more else None
        cursor = time_cursor(last.stored.updated_at, last.product.id) if last else None
        data = [ProductOut.of(one) for one in shown]
        body = ProductList(data=data, page=Page(next=cursor, has_more=more))
        return _varying(answer(request, body, next_page=cursor))

    @router.get(
        "/products/{product_id}", response_model=ProductDetailOut, responses=described(404),
        tags=["catalog"],
    )  # fmt: skip
    async def get_product(
        request: Request, actor: Annotated[Actor, needs()], product_id: UUID
    ) -> Response:
        """One product with its variants; drafts for staff only."""
        async with database.reading() as uow:
            detail = await with_variants(uow, await product_detail(uow, product_id))
            shown = is_visible(detail, await visible_to(uow, actor))
        if not shown or (detail.product.status is not Status.PUBLISHED and not _sees_drafts(actor)):
            raise NotFound("product", str(product_id))
        return _varying(answer(request, ProductDetailOut.whole(detail)))


def _add_categories(router: APIRouter, database: Database) -> None:
    @router.get("/categories", response_model=CategoryList, tags=["catalog"])
    async def list_categories(request: Request, _actor: Annotated[Actor, needs()]) -> Response:
        """All categories."""
        async with database.reading() as uow:
            reference = await uow.catalog.reference()
        tree = reference.categories_by_path.values()
        data = [CategoryOut.of(reference, one) for one in tree]
        return answer(request, CategoryList(data=data))


def _sees_drafts(actor: Actor) -> bool:
    return not actor.scopes.isdisjoint(("catalog:write", "stock:read"))


def _may_see(actor: Actor, status: Status) -> None:
    if status is not Status.PUBLISHED and not _sees_drafts(actor):
        raise Forbidden("catalog:write")


def _varying(response: Response) -> Response:
    """What an assortment hides from one, a cache must not show from another's answer."""
    response.headers["vary"] = "authorization"
    return response


async def _category_ids(uow: UnitOfWork, slugs: str | None) -> tuple[UUID, ...] | None:
    if slugs is None:
        return None
    reference = await uow.catalog.reference()
    category = reference.by_slug_path(slugs)
    if category is None:
        raise NotFound("category", slugs)
    return subtree(reference, category)
