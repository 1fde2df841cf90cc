"""Routes of what comes in, goes out and is asked about."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from new_core.api.answers import changed
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.idempotency import LONG, Asked, AskedOnce, once
from new_core.api.problems import described
from new_core.api.schemas import StockOut
from new_core.api.stock_schemas import (
    AdjustmentNew,
    AvailabilityAsked,
    AvailabilityList,
    MovedOut,
    ReceiptNew,
    TransferNew,
)
from new_core.domain.actor import Actor
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.inventory import can_be_had
from new_core.service.stocking import move_stock

_Writes = Annotated[Actor, needs("stock:write")]
_WRITES = described(400, 404, 409)


def add_moves(router: APIRouter, house: House) -> None:
    """Add the routes of receipts, adjustments, transfers, and of availability in bulk."""

    async def moved(
        body: ReceiptNew | AdjustmentNew | TransferNew, asked: AskedOnce, actor: Actor
    ) -> Response:
        doing = Doing(actor, house.now(), house.new_id)

        async def work(uow: UnitOfWork) -> Response:
            lines = await move_stock(uow, body.moves(), body.reason, body.reference, doing)
            warehouses = await uow.stock.warehouses()
            data = [StockOut.of(one, warehouses[one.level.value.warehouse_id]) for one in lines]
            return changed(MovedOut(data=data))

        return await once(house, asked, actor, keep=LONG).in_one(work)

    @router.post(
        "/stock-receipts", response_model=MovedOut, responses=_WRITES, openapi_extra=TAKES_BACK,
        tags=["stock"],
    )  # fmt: skip
    async def post_receipt(body: ReceiptNew, asked: Asked, actor: _Writes) -> Response:
        """Book a delivery; units that were on their way are not any more."""
        return await moved(body, asked, actor)

    @router.post(
        "/stock-adjustments", response_model=MovedOut, responses=_WRITES,
        openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def post_adjustment(body: AdjustmentNew, asked: Asked, actor: _Writes) -> Response:
        """Book what was found, broke or came back."""
        return await moved(body, asked, actor)

    @router.post(
        "/stock-transfers", response_model=MovedOut, responses=_WRITES, openapi_extra=TAKES_BACK,
        tags=["stock"],
    )  # fmt: skip
    async def post_transfer(body: TransferNew, asked: Asked, actor: _Writes) -> Response:
        """Book units from one place to another; only what nobody was promised."""
        return await moved(body, asked, actor)

    @router.post("/availability", response_model=AvailabilityList, tags=["stock"])
    async def post_availability(
        body: AvailabilityAsked, _actor: Annotated[Actor, needs()]
    ) -> Response:
        """How much of many variants can be bought now, bundles by their components."""
        async with house.database.reading() as uow:
            found = await can_be_had(uow, set(body.variant_ids), house.now())
        return changed(AvailabilityList.of(body.variant_ids, dict(found)))
