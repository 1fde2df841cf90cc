"""Routes and workers of prices."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from new_core.api.answers import answer, changed, expect, id_cursor, read_id_cursor
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House, Worker
from new_core.api.parameters import After, Limit, Moment
from new_core.api.pricing_contracts import add_contracts
from new_core.api.pricing_quotes import add_quotes
from new_core.api.pricing_schemas import (
    AssignmentIn,
    AssignmentOut,
    Assignments,
    PriceEntries,
    PriceEntry,
    PriceListBody,
    PriceListFull,
    PriceRowOut,
    PriceRows,
    PriceRowsOut,
)
from new_core.api.problems import described
from new_core.api.schemas import Page, PriceListOut, PriceLists, PriceOut
from new_core.domain.actor import Actor, system
from new_core.domain.catalog import Stored
from new_core.domain.pricing import PriceList
from new_core.ports import PriceQuery
from new_core.service.doing import Doing
from new_core.service.pricing_lists import (
    assign,
    change_list,
    create_list,
    list_of,
    tell_of_beginnings,
    unassign,
)
from new_core.service.pricing_rows import RowStatus, delete_price, put_prices
from new_core.service.selling import product_price

IfMatch = Annotated[str | None, Header(description="the tag that it must have now")]
Keeper = Annotated[Actor, needs("prices:write")]
_MOST_TOLD = 100


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    _add_prices(router, house)
    _add_price_lists(router, house)
    _add_changes(router, house)
    _add_entries(router, house)
    _add_assignments(router, house)
    add_contracts(router, house)
    add_quotes(router, house)
    return router


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""

    async def tell() -> int:
        async with house.database.writing() as uow:
            doing = Doing(system("price-lists"), house.now(), house.new_id)
            return await tell_of_beginnings(uow, doing, _MOST_TOLD)

    return (Worker("price-lists", tell, every_s=15.0),)


def _add_prices(router: APIRouter, house: House) -> None:
    @router.get(
        "/products/{product_id}/price", response_model=PriceOut, responses=described(404),
        tags=["pricing"],
    )  # fmt: skip
    async def get_price(
        request: Request,
        _actor: Annotated[Actor, needs()],
        product_id: UUID,
        quantity: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        at: Moment | None = None,
    ) -> Response:
        """What a product costs, and why."""
        async with house.database.reading() as uow:
            trace = await product_price(uow, product_id, quantity=quantity, at=at or house.now())
        return answer(request, PriceOut.of(product_id, quantity, trace))


def _add_price_lists(router: APIRouter, house: House) -> None:
    @router.get("/price-lists", response_model=PriceLists, tags=["pricing"])
    async def list_price_lists(request: Request, _actor: Annotated[Actor, needs()]) -> Response:
        """All price lists."""
        async with house.database.reading() as uow:
            found = await uow.pricing.price_lists()
        return answer(request, PriceLists(data=[PriceListOut.of(one) for one in found]))

    @router.get(
        "/price-lists/{list_id}", response_model=PriceListFull, responses=described(404),
        tags=["pricing"],
    )  # fmt: skip
    async def get_price_list(request: Request, _actor: Keeper, list_id: UUID) -> Response:
        """A price list."""
        async with house.database.reading() as uow:
            found = await list_of(uow, list_id)
        return answer(request, PriceListFull.of(found))


def _add_changes(router: APIRouter, house: House) -> None:
    @router.post(
        "/price-lists", response_model=PriceListFull, status_code=201,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["pricing"],
    )  # fmt: skip
    async def post_price_list(actor: Keeper, body: PriceListBody) -> Response:
        """Make a price list."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await create_list(uow, body.of(house.new_id()), doing)
        return changed(PriceListFull.of(stored), status=201)

    @router.put(
        "/price-lists/{list_id}", response_model=PriceListFull,
        responses=described(404, 409, 412, 428), openapi_extra=TAKES_BACK, tags=["pricing"],
    )  # fmt: skip
    async def put_price_list(
        actor: Keeper, list_id: UUID, body: PriceListBody, if_match: IfMatch = None
    ) -> Response:
        """Write a price list anew. Its code, kind and currency stay."""

        def expected(stored: Stored[PriceList]) -> None:
            expect(if_match, PriceListFull.of(stored))

        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await change_list(uow, body.of(list_id), expected, doing)
        return changed(PriceListFull.of(stored))


def _add_entries(router: APIRouter, house: House) -> None:
    @router.get(
        "/price-lists/{list_id}/prices", response_model=PriceEntries, responses=described(404),
        tags=["pricing"],
    )  # fmt: skip
    async def list_prices(
        request: Request,
        _actor: Keeper,
        list_id: UUID,
        limit: Limit = 50,
        after: After = None,
        variant_id: UUID | None = None,
    ) -> Response:
        """The prices of a list."""
        query = PriceQuery(list_id, limit + 1, read_id_cursor(after) if after else None, variant_id)
        async with house.database.reading() as uow:
            price_list = (await list_of(uow, list_id)).value
            found = await uow.pricing.price_page(query)
        more = len(found) > limit
        last = id_cursor(found[limit - 1].value.id) if more else None
        data = [PriceEntry.of(one, price_list.currency) for one in found[:limit]]
        body = PriceEntries(data=data, page=Page(next=last, has_more=more))
        return answer(request, body, next_page=last)

    @router.post(
        "/price-lists/{list_id}/prices:batch", response_model=PriceRowsOut,
        responses=described(404), openapi_extra=TAKES_BACK, tags=["pricing"],
    )  # fmt: skip
    async def post_prices(actor: Keeper, list_id: UUID, body: PriceRows) -> PriceRowsOut:
        """Write up to 1,000 prices; each row has its own outcome."""
        rows = [one.row() for one in body.rows]
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            found = await put_prices(uow, list_id, rows, doing, atomic=body.mode == "atomic")
        return PriceRowsOut(
            written=sum(one.status is RowStatus.WRITTEN for one in found),
            data=[PriceRowOut.of(index, one) for index, one in enumerate(found)],
        )

    @router.delete(
        "/price-lists/{list_id}/prices/{price_id}", status_code=204, response_class=Response,
        responses=described(404), openapi_extra=TAKES_BACK, tags=["pricing"],
    )  # fmt: skip
    async def remove_price(actor: Keeper, list_id: UUID, price_id: UUID) -> Response:
        """Take a price out of a list."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await delete_price(uow, list_id, price_id, doing)
        return Response(status_code=204)


def _add_assignments(router: APIRouter, house: House) -> None:
    @router.get(
        "/price-lists/{list_id}/assignments", response_model=Assignments,
        responses=described(404), tags=["pricing"],
    )  # fmt: skip
    async def list_assignments(request: Request, _actor: Keeper, list_id: UUID) -> Response:
        """Whom a list holds for."""
        async with house.database.reading() as uow:
            await list_of(uow, list_id)
            found = await uow.pricing.assignments(list_id)
        return answer(request, Assignments(data=[AssignmentOut.of(one) for one in found]))

    @router.post(
        "/price-lists/{list_id}/assignments", response_model=AssignmentOut,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["pricing"],
    )  # fmt: skip
    async def post_assignment(actor: Keeper, list_id: UUID, body: AssignmentIn) -> AssignmentOut:
        """Let a list hold for an account, customer, group, channel or country."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            return AssignmentOut.of(await assign(uow, body.of(house.new_id(), list_id), doing))

    @router.delete(
        "/price-lists/{list_id}/assignments/{assignment_id}", status_code=204,
        response_class=Response, responses=described(404), openapi_extra=TAKES_BACK,
        tags=["pricing"],
    )  # fmt: skip
    async def remove_assignment(actor: Keeper, list_id: UUID, assignment_id: UUID) -> Response:
        """A list does not hold for somebody any more."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await unassign(uow, list_id, assignment_id, doing)
        return Response(status_code=204)
