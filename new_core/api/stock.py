"""Stock levels one by one: what lies there, and what somebody counted."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from new_core.api.answers import answer, changed, is_expected
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.problems import described
from new_core.api.schemas import StockCount, StockOut
from new_core.domain.stock import Warehouse
from new_core.ports import Clock, Database, StockLine
from new_core.service.stocking import count_stock, stock_line


def add_stock(router: APIRouter, database: Database, now: Clock) -> None:
    """Add the routes of single stock levels."""

    @router.get(
        "/stock/{stock_id}", response_model=StockOut, responses=described(404), tags=["stock"]
    )
    async def get_stock(request: Request, stock_id: UUID) -> Response:
        """One stock level."""
        async with database.reading() as uow:
            found = await stock_line(uow, stock_id)
        return answer(request, StockOut.of(*found))

    @router.put(
        "/stock/{stock_id}", response_model=StockOut, responses=described(404, 409, 412),
        openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def put_stock(
        stock_id: UUID,
        count: StockCount,
        if_match: Annotated[str | None, Header(description="tags that it must have now")] = None,
    ) -> Response:
        """Put down what was counted in one place."""

        def expected(line: StockLine, warehouse: Warehouse) -> bool:
            return is_expected(if_match, StockOut.of(line, warehouse))

        async with database.writing() as uow:
            found = await count_stock(uow, stock_id, count.on_hand, expected, now())
        return changed(StockOut.of(*found))
