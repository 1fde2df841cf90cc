"""Routes of the catalogue."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime

from new_core.api.answers import (
    answer,
    read_time_cursor,
    time_cursor,
)
from new_core.api.house import House
from new_core.api.parameters import After, Limit, Sku, Slugs
from new_core.api.problems import described
from new_core.api.schemas import (
    CategoryList,
    CategoryOut,
    Page,
    ProductDetailOut,
    ProductList,
    ProductOut,
)
from new_core.domain.catalog import Status
from new_core.errors import NotFound
from new_core.ports import Database, ProductQuery, UnitOfWork
from new_core.service.catalog import product_detail, product_page, subtree, with_variants


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    database = house.database
    _add_products(router, database)
    _add_categories(router, database)
    return router


def _add_products(router: APIRouter, database: Database) -> None:
    @router.get("/products", response_model=ProductList, responses=described(404), tags=["catalog"])
    async def list_products(  # noqa: PLR0913, PLR0917 - one argument per query parameter
        request: Request,
        limit: Limit = 50,
        after: After = None,
        category: Slugs = None,
        sku: Sku = None,
        updated_since: AwareDatetime | None = None,
        status: Status = Status.PUBLISHED,
    ) -> Response:
        """Products, the longest unchanged first: following `next` to the end and asking
        again with `updated_since` gives every later change.
        """
        async with database.reading() as uow:
            query = ProductQuery(
                limit=limit + 1,
                after=read_time_cursor(after) if after is not None else None,
                status=status,
                category_ids=await _category_ids(uow, category),
                sku=sku,
                updated_since=updated_since,
            )
            found = await product_page(uow, query)
        shown, more = found[:limit], len(found) > limit
        last = shown[-1] if more else None
        cursor = time_cursor(last.stored.updated_at, last.product.id) if last else None
        data = [ProductOut.of(one) for one in shown]
        body = ProductList(data=data, page=Page(next=cursor, has_more=more))
        return answer(request, body, next_page=cursor)

    @router.get(
        "/products/{product_id}", response_model=ProductDetailOut, responses=described(404),
        tags=["catalog"],
    )  # fmt: skip
    async def get_product(request: Request, product_id: UUID) -> Response:
        """One product, published or not, with its variants."""
        async with database.reading() as uow:
            detail = await with_variants(uow, await product_detail(uow, product_id))
        return answer(request, ProductDetailOut.whole(detail))


def _add_categories(router: APIRouter, database: Database) -> None:
    @router.get("/categories", response_model=CategoryList, tags=["catalog"])
    async def list_categories(request: Request) -> Response:
        """All categories."""
        async with database.reading() as uow:
            reference = await uow.catalog.reference()
        tree = reference.categories_by_path.values()
        data = [CategoryOut.of(reference, one) for one in tree]
        return answer(request, CategoryList(data=data))


async def _category_ids(uow: UnitOfWork, slugs: str | None) -> tuple[UUID, ...] | None:
    if slugs is None:
        return None
    reference = await uow.catalog.reference()
    category = reference.by_slug_path(slugs)
    if category is None:
        raise NotFound("category", slugs)
    return subtree(reference, category)
