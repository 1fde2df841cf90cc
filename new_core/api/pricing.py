"""Routes of prices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from new_core.api.answers import (
    answer,
)
from new_core.api.house import House
from new_core.api.parameters import Moment
from new_core.api.problems import described
from new_core.api.schemas import (
    PriceListOut,
    PriceLists,
    PriceOut,
)
from new_core.ports import Clock, Database
from new_core.service.selling import product_price


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    database, now = house.database, house.now
    _add_prices(router, database, now)
    _add_price_lists(router, database)
    return router


def _add_prices(router: APIRouter, database: Database, now: Clock) -> None:
    @router.get(
        "/products/{product_id}/price", response_model=PriceOut, responses=described(404),
        tags=["pricing"],
    )  # fmt: skip
    async def get_price(
        request: Request,
        product_id: UUID,
        quantity: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        at: Moment | None = None,
    ) -> Response:
        """What a product costs, and why."""
        moment: datetime = at or now()
        async with database.reading() as uow:
            trace = await product_price(uow, product_id, quantity=quantity, at=moment)
        return answer(request, PriceOut.of(product_id, quantity, trace))


def _add_price_lists(router: APIRouter, database: Database) -> None:
    @router.get("/price-lists", response_model=PriceLists, tags=["pricing"])
    async def list_price_lists(request: Request) -> Response:
        """All price lists."""
        async with database.reading() as uow:
            found = await uow.pricing.price_lists()
        return answer(request, PriceLists(data=[PriceListOut.of(one) for one in found]))
