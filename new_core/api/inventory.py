"""Routes of stock."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from prometheus_client import Gauge

from new_core.api.answers import (
    answer,
    id_cursor,
    read_id_cursor,
)
from new_core.api.auth import needs
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
from new_core.api.stock_books import add_books
from new_core.api.stock_moves import add_moves
from new_core.api.stock_places import add_places
from new_core.domain.actor import Actor
from new_core.ports import Database, StockQuery
from new_core.service.reconciling import measure, sweep_overdue
from new_core.service.selling import product_availability

_SWEEP_EVERY_S = 5.0
_MEASURE_EVERY_S = 60.0


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    _add_availability(router, house.database)
    _add_levels(router, house.database)
    add_stock(router, house)
    add_moves(router, house)
    add_places(router, house)
    add_books(router, house)
    return router


def _add_availability(router: APIRouter, database: Database) -> None:
    @router.get(
        "/products/{product_id}/availability", response_model=AvailabilityOut,
        responses=described(404), tags=["stock"],
    )  # fmt: skip
    async def get_availability(
        request: Request, product_id: UUID, _actor: Annotated[Actor, needs()]
    ) -> Response:
        """Whether a product can be bought now."""
        async with database.reading() as uow:
            found = await product_availability(uow, product_id)
        return answer(request, AvailabilityOut.of(product_id, found))


def _add_levels(router: APIRouter, database: Database) -> None:
    @router.get("/stock", response_model=StockList, tags=["stock"])
    async def list_stock(
        request: Request,
        _actor: Annotated[Actor, needs("stock:read")],
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
    accuracy = Gauge(
        "banyan_core_stock_accuracy_ratio",
        "1 - units off / units counted, of the last measurement here",
        registry=house.metrics.registry,
    )
    drifted = Gauge(
        "banyan_core_stock_drifted_levels", "Levels that are not what their book says",
        registry=house.metrics.registry,
    )  # fmt: skip

    async def sweeping() -> int:
        return await sweep_overdue(house.database, house.now(), house.new_id)

    async def measuring() -> int:
        measured = await measure(house.database, house.now())
        if measured is not None:
            drifted.set(measured.drifted)
            if measured.counts.accuracy_ppm is not None:
                accuracy.set(measured.counts.accuracy_ppm / 1_000_000)
        return 0

    return (
        Worker("reservation-sweeper", sweeping, _SWEEP_EVERY_S),
        Worker("stock-reconciler", measuring, _MEASURE_EVERY_S),
    )
