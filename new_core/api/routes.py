"""The routes of /v1."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from new_core.api.answers import (
    answer,
    id_cursor,
    read_id_cursor,
    read_time_cursor,
    time_cursor,
)
from new_core.api.problems import described
from new_core.api.schemas import (
    AvailabilityOut,
    CategoryList,
    CategoryOut,
    Page,
    PriceListOut,
    PriceLists,
    PriceOut,
    ProductDetailOut,
    ProductList,
    ProductOut,
    StockList,
    StockOut,
)
from new_core.api.stock import add_stock
from new_core.domain.catalog import Status
from new_core.errors import NotFound
from new_core.ports import Clock, Database, ProductQuery, StockQuery, UnitOfWork
from new_core.service.catalog import product_detail, product_page, subtree, with_variants
from new_core.service.selling import product_availability, product_price

MAX_PAGE = 200

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="most items on the page")]
After = Annotated[str | None, Query(max_length=200, description="`page.next` of the page before")]
Sku = Annotated[str | None, Query(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Code = Annotated[str | None, Query(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Slugs = Annotated[
    str | None,
    Query(
        min_length=1, max_length=1000, pattern=r"^[^\x00]*$",
        description="slugs from the top, e.g. books/fiction; takes those below it too",
    ),
]  # fmt: skip


def routes(database: Database, now: Clock) -> APIRouter:
    """All routes, on one database."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    _add_products(router, database)
    _add_selling(router, database, now)
    _add_lists(router, database)
    add_stock(router, database, now)
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


def _add_selling(router: APIRouter, database: Database, now: Clock) -> None:
    @router.get(
        "/products/{product_id}/price", response_model=PriceOut, responses=described(404),
        tags=["pricing"],
    )  # fmt: skip
    async def get_price(
        request: Request,
        product_id: UUID,
        quantity: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        at: AwareDatetime | None = None,
    ) -> Response:
        """What a product costs, and why."""
        moment: datetime = at or now()
        async with database.reading() as uow:
            trace = await product_price(uow, product_id, quantity=quantity, at=moment)
        return answer(request, PriceOut.of(product_id, quantity, trace))

    @router.get(
        "/products/{product_id}/availability", response_model=AvailabilityOut,
        responses=described(404), tags=["stock"],
    )  # fmt: skip
    async def get_availability(request: Request, product_id: UUID) -> Response:
        """Whether a product can be bought now."""
        async with database.reading() as uow:
            found = await product_availability(uow, product_id)
        return answer(request, AvailabilityOut.of(product_id, found))


def _add_lists(router: APIRouter, database: Database) -> None:
    @router.get("/categories", response_model=CategoryList, tags=["catalog"])
    async def list_categories(request: Request) -> Response:
        """All categories."""
        async with database.reading() as uow:
            reference = await uow.catalog.reference()
        tree = reference.categories_by_path.values()
        data = [CategoryOut.of(reference, one) for one in tree]
        return answer(request, CategoryList(data=data))

    @router.get("/price-lists", response_model=PriceLists, tags=["pricing"])
    async def list_price_lists(request: Request) -> Response:
        """All price lists."""
        async with database.reading() as uow:
            found = await uow.pricing.price_lists()
        return answer(request, PriceLists(data=[PriceListOut.of(one) for one in found]))

    @router.get("/stock", response_model=StockList, tags=["stock"])
    async def list_stock(
        request: Request,
        limit: Limit = 50,
        after: After = None,
        sku: Sku = None,
        warehouse: Code = None,
    ) -> Response:
        """Stock levels."""
        query = StockQuery(
            limit=limit + 1,
            after=read_id_cursor(after) if after is not None else None,
            sku=sku,
            warehouse_code=warehouse,
        )
        async with database.reading() as uow:
            found = await uow.stock.page(query)
            warehouses = await uow.stock.warehouses()
        shown, more = found[:limit], len(found) > limit
        cursor = id_cursor(shown[-1].level.value.id) if more else None
        data = [StockOut.of(one, warehouses[one.level.value.warehouse_id]) for one in shown]
        body = StockList(data=data, page=Page(next=cursor, has_more=more))
        return answer(request, body, next_page=cursor)


async def _category_ids(uow: UnitOfWork, slugs: str | None) -> tuple[UUID, ...] | None:
    if slugs is None:
        return None
    reference = await uow.catalog.reference()
    category = reference.by_slug_path(slugs)
    if category is None:
        raise NotFound("category", slugs)
    return subtree(reference, category)
