"""Routes of warehouses."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from new_core.api.answers import answer, changed, expect
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.idempotency import LONG, Asked, once
from new_core.api.problems import described
from new_core.api.stock_schemas import WarehouseIn, WarehouseList, WarehouseOut
from new_core.domain.actor import Actor
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.stocking_places import drop_place, place, put_place

_IfMatch = Annotated[str | None, Header(description="the tag that it must have now")]
_Reads = Annotated[Actor, needs("stock:read")]
_Writes = Annotated[Actor, needs("stock:write")]


def add_places(router: APIRouter, house: House) -> None:
    """Add the routes of warehouses."""
    _add_reads(router, house)
    _add_writes(router, house)


def _add_reads(router: APIRouter, house: House) -> None:
    database = house.database

    @router.get("/warehouses", response_model=WarehouseList, tags=["stock"])
    async def list_warehouses(request: Request, _actor: _Reads) -> Response:
        """All warehouses."""
        async with database.reading() as uow:
            found = await uow.stock.places()
        return answer(request, WarehouseList(data=[WarehouseOut.of(one) for one in found]))

    @router.get(
        "/warehouses/{warehouse_id}", response_model=WarehouseOut, responses=described(404),
        tags=["stock"],
    )  # fmt: skip
    async def get_warehouse(request: Request, warehouse_id: UUID, _actor: _Reads) -> Response:
        """One warehouse."""
        async with database.reading() as uow:
            found = await place(uow, warehouse_id)
        return answer(request, WarehouseOut.of(found))


def _add_writes(router: APIRouter, house: House) -> None:
    @router.post(
        "/warehouses", status_code=201, response_model=WarehouseOut,
        responses=described(400, 409), openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def post_warehouse(body: WarehouseIn, asked: Asked, actor: _Writes) -> Response:
        """Open a warehouse."""
        doing = Doing(actor, house.now(), house.new_id)

        async def work(uow: UnitOfWork) -> Response:
            stored = await put_place(uow, body.place(doing.new_id()), lambda _: None, doing)
            response = changed(WarehouseOut.of(stored))
            response.status_code = 201
            response.headers["location"] = f"/v1/warehouses/{stored.value.warehouse.id}"
            return response

        return await once(house, asked, actor, keep=LONG).in_one(work)

    @router.put(
        "/warehouses/{warehouse_id}", response_model=WarehouseOut,
        responses=described(404, 409, 412, 428), openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def put_warehouse(
        warehouse_id: UUID, body: WarehouseIn, actor: _Writes, if_match: _IfMatch = None
    ) -> Response:
        """Change a warehouse."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await place(uow, warehouse_id)
            stored = await put_place(
                uow, body.place(warehouse_id),
                lambda before: expect(if_match, WarehouseOut.of(before)), doing,
            )  # fmt: skip
            await uow.commit()
        return changed(WarehouseOut.of(stored))

    @router.delete(
        "/warehouses/{warehouse_id}", status_code=204,
        responses=described(404, 409, 412, 428), openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def delete_warehouse(
        warehouse_id: UUID, actor: _Writes, if_match: _IfMatch = None
    ) -> Response:
        """Forget a warehouse in which nothing was ever stocked."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            expect(if_match, WarehouseOut.of(await place(uow, warehouse_id)))
            await drop_place(uow, warehouse_id, doing)
            await uow.commit()
        return Response(status_code=204)
