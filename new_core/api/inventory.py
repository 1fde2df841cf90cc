"""Routes of stock."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from new_core.api.answers import (
    answer,
    id_cursor,
    read_id_cursor,
)
from new_core.api.house import House, Worker
from new_core.api.parameters import After, Code, Limit, Sku
from new_core.api.problems import described
from new_core.api.schemas import (
    AvailabilityOut,
    Page,
    StockList,
    StockOut,
)
from new_core.api.stock import add_stock
from new_core.ports import Database, StockQuery
from new_core.service.selling import product_availability


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    database, now = house.database, house.now
    _add_availability(router, database)
    _add_levels(router, database)
    add_stock(router, database, now)
    return router


def _add_availability(router: APIRouter, database: Database) -> None:
    @router.get(
        "/products/{product_id}/availability", response_model=AvailabilityOut,
        responses=described(404), tags=["stock"],
    )  # fmt: skip
    async def get_availability(request: Request, product_id: UUID) -> Response:
        """Whether a product can be bought now."""
        async with database.reading() as uow:
            found = await product_availability(uow, product_id)
        return answer(request, AvailabilityOut.of(product_id, found))


def _add_levels(router: APIRouter, database: Database) -> None:
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


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    del house
    return ()
