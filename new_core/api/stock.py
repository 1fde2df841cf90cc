"""Stock levels one by one: what lies there, what somebody counted, how far it is promised."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from new_core.api.answers import answer, changed, is_expected
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.idempotency import LONG, Asked, once
from new_core.api.problems import described
from new_core.api.schemas import StockCount, StockOut
from new_core.api.stock_schemas import LevelNew, PolicyIn
from new_core.domain.actor import Actor
from new_core.domain.stock import StockLevel, Warehouse
from new_core.ports import StockLine, UnitOfWork
from new_core.service.doing import Doing
from new_core.service.stocking import (
    Expected,
    add_stock_level,
    count_stock,
    level_id,
    set_policy,
    stock_line,
)

_IfMatch = Annotated[str | None, Header(description="tags that it must have now")]
_Reads = Annotated[Actor, needs("stock:read")]
_Writes = Annotated[Actor, needs("stock:write")]


def add_stock(router: APIRouter, house: House) -> None:
    """Add the routes of single stock levels."""
    _add_level(router, house)
    _add_new_levels(router, house)
    _add_policy(router, house)


def _add_level(router: APIRouter, house: House) -> None:
    database = house.database

    @router.get(
        "/stock/{stock_id}", response_model=StockOut, responses=described(404), tags=["stock"]
    )
    async def get_stock(request: Request, stock_id: UUID, _actor: _Reads) -> Response:
        """One stock level."""
        async with database.reading() as uow:
            found = await stock_line(uow, stock_id)
        return answer(request, StockOut.of(*found))

    @router.put(
        "/stock/{stock_id}", response_model=StockOut, responses=described(404, 409, 412),
        openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def put_stock(
        stock_id: UUID, count: StockCount, actor: _Writes, if_match: _IfMatch = None
    ) -> Response:
        """Put down what was counted in one place."""
        async with database.writing() as uow:
            found = await count_stock(
                uow, stock_id, count.on_hand, _expected(if_match), house.now(), actor
            )
        return changed(StockOut.of(*found))


def _add_new_levels(router: APIRouter, house: House) -> None:
    @router.post(
        "/stock", status_code=201, response_model=StockOut,
        responses=described(400, 404, 409), openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def post_stock(body: LevelNew, asked: Asked, actor: _Writes) -> Response:
        """Begin to stock a variant in a place."""
        doing = Doing(actor, house.now(), house.new_id)
        level = StockLevel(
            id=level_id(body.variant_id, body.warehouse_id), variant_id=body.variant_id,
            warehouse_id=body.warehouse_id, sku=body.sku, rank=body.rank, on_hand=body.on_hand,
            reserved=None, low_at=body.low_at, created_at=doing.at,
        )  # fmt: skip

        async def work(uow: UnitOfWork) -> Response:
            made = StockOut.of(*await add_stock_level(uow, level, body.policy(), doing))
            response = changed(made)
            response.status_code = 201
            response.headers["location"] = f"/v1/stock/{made.id}"
            return response

        return await once(house, asked, actor, keep=LONG).in_one(work)


def _add_policy(router: APIRouter, house: House) -> None:
    @router.put(
        "/stock/{stock_id}/policy", response_model=StockOut, responses=described(404, 409, 412),
        openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def put_policy(
        stock_id: UUID, body: PolicyIn, actor: _Writes, if_match: _IfMatch = None
    ) -> Response:
        """Say how far a level may be promised."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            found = await set_policy(uow, stock_id, body.policy(), _expected(if_match), doing)
            await uow.commit()
        return changed(StockOut.of(*found))


def _expected(if_match: str | None) -> Expected:
    def expected(line: StockLine, warehouse: Warehouse) -> bool:
        return is_expected(if_match, StockOut.of(line, warehouse))

    return expected
