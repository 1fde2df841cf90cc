"""Routes and workers of promotions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from new_core.api.answers import answer, changed, expect, id_cursor, read_id_cursor
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House, Worker
from new_core.api.parameters import After, Limit
from new_core.api.problems import described
from new_core.api.promotions_schemas import (
    PromotionBody,
    PromotionOut,
    Promotions,
    UsageOut,
    Usages,
)
from new_core.api.schemas import Page
from new_core.domain.actor import Actor, system
from new_core.domain.catalog import Stored
from new_core.domain.promotions import Promotion
from new_core.service.doing import Doing
from new_core.service.promotions import (
    Expected,
    change_promotion,
    create_promotion,
    delete_promotion,
    ended,
    promotion_of,
    started,
    tell_of_times,
)

IfMatch = Annotated[str | None, Header(description="the tag that it must have now")]
Keeper = Annotated[Actor, needs("promotions:write")]
_MOST_TOLD = 100


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503), tags=["promotions"])
    _add_reads(router, house)
    _add_usages(router, house)
    _add_writes(router, house)
    _add_command(router, house, "start", started, "Let a promotion be had from its start on.")
    _add_command(router, house, "end", ended, "Let nobody have a promotion any more.")
    return router


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""

    async def tell() -> int:
        async with house.database.writing() as uow:
            doing = Doing(system("promotions"), house.now(), house.new_id)
            return await tell_of_times(uow, doing, _MOST_TOLD)

    return (Worker("promotions", tell, every_s=15.0),)


def _expected(if_match: str | None) -> Expected:
    def check(stored: Stored[Promotion]) -> None:
        expect(if_match, PromotionOut.of(stored))

    return check


def _add_reads(router: APIRouter, house: House) -> None:
    @router.get("/promotions", response_model=Promotions)
    async def list_promotions(
        request: Request, _actor: Keeper, limit: Limit = 50, after: After = None
    ) -> Response:
        """All promotions."""
        start = read_id_cursor(after) if after else None
        async with house.database.reading() as uow:
            found = await uow.promotions.page(start, limit + 1)
        more = len(found) > limit
        last = id_cursor(found[limit - 1].value.id) if more else None
        data = [PromotionOut.of(one) for one in found[:limit]]
        body = Promotions(data=data, page=Page(next=last, has_more=more))
        return answer(request, body, next_page=last)

    @router.get("/promotions/{promotion_id}", response_model=PromotionOut, responses=described(404))
    async def get_promotion(request: Request, _actor: Keeper, promotion_id: UUID) -> Response:
        """A promotion."""
        async with house.database.reading() as uow:
            found = await promotion_of(uow, promotion_id)
        return answer(request, PromotionOut.of(found))


def _add_usages(router: APIRouter, house: House) -> None:
    @router.get(
        "/promotions/{promotion_id}/usages", response_model=Usages, responses=described(404)
    )
    async def list_usages(
        request: Request, _actor: Keeper, promotion_id: UUID, limit: Limit = 50,
        after: After = None,
    ) -> Response:  # fmt: skip
        """How often a promotion was used, and by which orders."""
        start = read_id_cursor(after) if after else None
        async with house.database.reading() as uow:
            await promotion_of(uow, promotion_id)
            use = await uow.promotions.use_of(promotion_id)
            found = await uow.promotions.usages(promotion_id, start, limit + 1)
        more = len(found) > limit
        last = id_cursor(found[limit - 1].order_id) if more else None
        data = [UsageOut.of(one) for one in found[:limit]]
        body = Usages.of(use, data, Page(next=last, has_more=more))
        return answer(request, body, next_page=last)


def _add_writes(router: APIRouter, house: House) -> None:
    @router.post(
        "/promotions", response_model=PromotionOut, status_code=201, responses=described(409),
        openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def post_promotion(actor: Keeper, body: PromotionBody) -> Response:
        """Make a promotion."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await create_promotion(uow, body.of(house.new_id()), doing)
        return changed(PromotionOut.of(stored), status=201)

    @router.put(
        "/promotions/{promotion_id}", response_model=PromotionOut,
        responses=described(404, 409, 412, 428), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def put_promotion(
        actor: Keeper, promotion_id: UUID, body: PromotionBody, if_match: IfMatch = None
    ) -> Response:
        """Write a promotion anew. Its uses stay, and count against its new limits."""
        new = body.of(promotion_id)
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await change_promotion(
                uow, promotion_id, lambda _: new, _expected(if_match), doing
            )
        return changed(PromotionOut.of(stored))

    @router.delete(
        "/promotions/{promotion_id}", status_code=204, response_class=Response,
        responses=described(404, 409, 412, 428), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def remove_promotion(
        actor: Keeper, promotion_id: UUID, if_match: IfMatch = None
    ) -> Response:
        """Delete a promotion that nobody used."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await delete_promotion(uow, promotion_id, _expected(if_match), doing)
        return Response(status_code=204)


def _add_command(
    router: APIRouter,
    house: House,
    command: str,
    change: Callable[[Promotion], Promotion],
    summary: str,
) -> None:
    @router.post(
        f"/promotions/{{promotion_id}}/{command}", response_model=PromotionOut,
        name=f"{command}_promotion", description=summary,
        responses=described(404, 412, 428), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def run(actor: Keeper, promotion_id: UUID, if_match: IfMatch = None) -> Response:
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await change_promotion(uow, promotion_id, change, _expected(if_match), doing)
        return changed(PromotionOut.of(stored))
