"""Routes of shipping."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from new_core.api.answers import answer
from new_core.api.auth import needs
from new_core.api.cart_parameters import (
    CART,
    IfMatch,
    Reading,
    demanded_versions,
    shown,
    tagged,
)
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.idempotency import SHORT, Asked, once
from new_core.api.problems import described
from new_core.api.shipping_schemas import MethodIn, MethodList, MethodOut, QuoteList, QuoteOut
from new_core.domain.actor import Actor
from new_core.domain.buyer import Destination
from new_core.ports import UnitOfWork
from new_core.service.cart_changes import open_cart
from new_core.service.carting import destination_of
from new_core.service.doing import Doing
from new_core.service.shipping import (
    change_method,
    create_method,
    delete_method,
    one_method,
    quotes,
)

_SCOPE = "prices:write"
_COUNTRY, _REGION = r"^[A-Z]{2}$", r"^[A-Z0-9]{0,3}$"


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    _add_quotes(router, house)
    _add_reads(router, house)
    _add_creation(router, house)
    _add_changes(router, house)
    return router


def _add_quotes(router: APIRouter, house: House) -> None:
    @router.get(
        CART + "/shipping-quotes", response_model=QuoteList, responses=described(403, 404),
        tags=["shipping"],
    )  # fmt: skip
    async def get_quotes(
        request: Request,
        opening: Reading,
        actor: Annotated[Actor, needs(own_rows=True)],
        country: Annotated[str | None, Query(pattern=_COUNTRY)] = None,
        region: Annotated[str, Query(pattern=_REGION)] = "",
    ) -> Response:
        """Ways of shipping a cart: to its address, or to the place that is named."""
        async with house.database.reading() as uow:
            stored = await open_cart(uow, opening, actor)
            place = Destination(country, region) if country else destination_of(stored.value)
            found = await quotes(uow, stored.value, place, house.now())
        return answer(request, QuoteList(data=[QuoteOut.of(one) for one in found]))


def _add_reads(router: APIRouter, house: House) -> None:
    @router.get("/shipping-methods", response_model=MethodList, tags=["shipping"])
    async def list_methods(request: Request, actor: Annotated[Actor, needs()]) -> Response:
        """Ways of shipping, by rank and code; those that are switched off only for staff."""
        async with house.database.reading() as uow:
            found = await uow.shipping.methods()
        seen = [one for one in found if one.value.active or actor.may(_SCOPE)]
        return answer(request, MethodList(data=[MethodOut.of(one) for one in seen]))

    @router.get(
        "/shipping-methods/{method_id}", response_model=MethodOut,
        responses=described(403, 404), tags=["shipping"],
    )  # fmt: skip
    async def get_method(
        request: Request, method_id: UUID, actor: Annotated[Actor, needs(_SCOPE)]
    ) -> Response:
        """One way of shipping."""
        del actor
        async with house.database.reading() as uow:
            found = await one_method(uow, method_id)
        return shown(request, MethodOut.of(found), found.version)


def _add_creation(router: APIRouter, house: House) -> None:
    @router.post(
        "/shipping-methods", response_model=MethodOut, status_code=201,
        responses=described(400, 403, 409), openapi_extra=TAKES_BACK, tags=["shipping"],
    )  # fmt: skip
    async def post_method(
        asked: Asked, actor: Annotated[Actor, needs(_SCOPE)], body: MethodIn
    ) -> Response:
        """Offer a new way of shipping."""

        async def work(uow: UnitOfWork) -> Response:
            doing = Doing(actor, house.now(), house.new_id)
            stored = await create_method(uow, body.method(doing.new_id(), doing.at), doing)
            response = tagged(MethodOut.of(stored), stored.version, 201)
            response.headers["location"] = f"/v1/shipping-methods/{stored.value.id}"
            return response

        return await once(house, asked, actor, keep=SHORT).in_one(work)


def _add_changes(router: APIRouter, house: House) -> None:
    @router.put(
        "/shipping-methods/{method_id}", response_model=MethodOut,
        responses=described(403, 404, 409, 412, 428), openapi_extra=TAKES_BACK,
        tags=["shipping"],
    )  # fmt: skip
    async def put_method(
        method_id: UUID,
        actor: Annotated[Actor, needs(_SCOPE)],
        body: MethodIn,
        if_match: IfMatch = None,
    ) -> Response:
        """Change a way of shipping, whole."""
        versions = demanded_versions(if_match)
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await change_method(
                uow, method_id, versions, lambda old: body.method(old.id, old.created_at), doing
            )
            await uow.commit()
        return tagged(MethodOut.of(stored), stored.version)

    @router.delete(
        "/shipping-methods/{method_id}", status_code=204,
        responses=described(403, 404, 409, 412, 428), openapi_extra=TAKES_BACK,
        tags=["shipping"],
    )  # fmt: skip
    async def remove_method(
        method_id: UUID, actor: Annotated[Actor, needs(_SCOPE)], if_match: IfMatch = None
    ) -> Response:
        """Offer it no longer. Orders keep their own copy; carts that chose it have a problem."""
        versions = demanded_versions(if_match)
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await delete_method(uow, method_id, versions, doing)
            await uow.commit()
        return Response(status_code=204)
