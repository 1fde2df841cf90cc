"""Routes and workers of carts."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from new_core.api.answers import answer, read_time_cursor, time_cursor
from new_core.api.auth import needs, needs_somebody
from new_core.api.cart_answers import CartList, CartOut, CartSummaryOut
from new_core.api.cart_bodies import CartChange, CartNew, CouponNew
from new_core.api.cart_lines import add_line_routes
from new_core.api.cart_parameters import CART, Adding, Changing, Reading, shown, tagged
from new_core.api.cart_rules import add_rule_routes
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House, Worker
from new_core.api.idempotency import SHORT, Asked, once
from new_core.api.parameters import After, Limit, Moment
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor, ActorKind, system
from new_core.domain.buyer import Buyer
from new_core.domain.cart import Cart, CartState
from new_core.domain.cart_access import token_digest
from new_core.errors import Conflict, NotFound
from new_core.ports import UnitOfWork
from new_core.ports.carts import CartQuery
from new_core.service.cart_changes import (
    accept_prices,
    add_coupon,
    change_cart,
    create_cart,
    open_cart,
    remove_coupon,
)
from new_core.service.cart_merging import abandon, take_over
from new_core.service.carting import view_cart
from new_core.service.doing import Doing

_SWEPT_AT_A_TIME = 100
_SWEEP_EVERY_S = 60.0

Who = Annotated[Actor, needs(own_rows=True)]


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    _add_creation(router, house)
    _add_reads(router, house)
    _add_changes(router, house)
    add_line_routes(router, house)
    _add_coupons(router, house)
    _add_commands(router, house)
    add_rule_routes(router, house)
    return router


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""

    async def sweep() -> int:
        """Close carts that nobody came back to, each in a transaction of its own."""
        async with house.database.reading() as uow:
            old = await uow.carts.expired(house.now(), _SWEPT_AT_A_TIME)
        for cart_id in old:
            doing = Doing(system("cart-sweeper"), house.now(), house.new_id)
            async with house.database.writing() as uow:
                await abandon(uow, cart_id, doing)
                await uow.commit()
        return len(old)

    return (Worker("cart-sweeper", sweep, _SWEEP_EVERY_S),)


def _add_creation(router: APIRouter, house: House) -> None:
    @router.post(
        "/carts", response_model=CartOut, status_code=201,
        responses=described(400, 403, 404, 409), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def post_cart(asked: Asked, actor: Who, body: CartNew) -> Response:
        """Begin a cart. A guest's has a secret, which only this answer tells."""
        doing = Doing(actor, house.now(), house.new_id)
        buyer = _buyer(actor, body)
        token = secrets.token_urlsafe(24) if buyer.customer_id is None else None
        only = once(house, asked, actor, keep=SHORT)
        async with house.database.writing() as uow:
            before = await only.begin(uow)
            if before is not None:
                return before
            digest = token_digest(token) if token else ""
            stored = await create_cart(uow, buyer, digest, body.email or "", doing)
            view = await view_cart(uow, stored, doing.at)
            # What is kept for a repeated request does not have the secret: a database that
            # leaks opens no cart. Who lost it begins another cart with another key.
            place = {"location": f"/v1/carts/{stored.value.id}"}
            kept = tagged(CartOut.of(view), stored.version, 201)
            kept.headers.update(place)
            await only.finish(uow, kept)
            await uow.commit()
        response = tagged(CartOut.of(view, token), stored.version, 201)
        response.headers.update(place)
        return response


def _add_reads(router: APIRouter, house: House) -> None:
    @router.get("/carts", response_model=CartList, tags=["carts"])
    async def list_carts(
        request: Request,
        actor: Annotated[Actor, needs("carts:read")],
        query: Annotated[CartQuery, Depends(_query)],
    ) -> Response:
        """Carts without what they hold, ascending by (updated_at, id)."""
        del actor
        limit = query.limit - 1
        async with house.database.reading() as uow:
            found = await uow.carts.page(query)
        page, more = found[:limit], len(found) > limit
        following = time_cursor(page[-1].updated_at, page[-1].value.id) if more else None
        body = CartList(
            data=[CartSummaryOut.of(one) for one in page],
            page=Page(next=following, has_more=more),
        )
        return answer(request, body, next_page=following)

    @router.get(CART, response_model=CartOut, responses=described(403, 404), tags=["carts"])
    async def get_cart(request: Request, opening: Reading, actor: Who) -> Response:
        """A cart with its money and its problems."""
        async with house.database.reading() as uow:
            stored = await open_cart(uow, opening, actor)
            view = await view_cart(uow, stored, house.now())
        return shown(request, CartOut.of(view), stored.version)


def _add_changes(router: APIRouter, house: House) -> None:
    @router.patch(
        CART, response_model=CartOut,
        responses=described(403, 404, 409, 412, 428), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def patch_cart(opening: Changing, actor: Who, body: CartChange) -> Response:
        """Change e-mail, addresses and way of shipping; what is not named stays."""
        doing = Doing(actor, house.now(), house.new_id)
        named = body.fields()

        def change(cart: Cart) -> Cart:
            return replace(cart, **named)

        async with house.database.writing() as uow:
            view = await change_cart(uow, opening, "changed", change, doing)
            await uow.commit()
        return tagged(CartOut.of(view), view.stored.version)


def _add_coupons(router: APIRouter, house: House) -> None:
    @router.post(
        CART + "/coupons", response_model=CartOut,
        responses=described(400, 403, 404, 409, 412), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def post_coupon(opening: Adding, asked: Asked, actor: Who, body: CouponNew) -> Response:
        """Write a coupon into a cart; one that is of no use is refused with the reason."""

        async def work(uow: UnitOfWork) -> Response:
            doing = Doing(actor, house.now(), house.new_id)
            view = await add_coupon(uow, opening, body.code, doing)
            return tagged(CartOut.of(view), view.stored.version)

        only = once(house, asked, actor, keep=SHORT, guest=opening.token_sha256)
        return await only.in_one(work)

    @router.delete(
        CART + "/coupons/{code}", response_model=CartOut,
        responses=described(403, 404, 409, 412, 428), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def delete_coupon(
        opening: Changing,
        code: Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00\s/]+$")],
        actor: Who,
    ) -> Response:
        """Take a coupon out of a cart; it need not be in it."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            view = await remove_coupon(uow, opening, code, doing)
            await uow.commit()
        return tagged(CartOut.of(view), view.stored.version)


def _add_commands(router: APIRouter, house: House) -> None:
    @router.post(
        CART + "/accept-prices", response_model=CartOut,
        responses=described(400, 403, 404, 409, 412), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def post_prices(opening: Adding, asked: Asked, actor: Who) -> Response:
        """The shopper has seen today's prices: `price_changed` goes away."""

        async def work(uow: UnitOfWork) -> Response:
            view = await accept_prices(uow, opening, Doing(actor, house.now(), house.new_id))
            return tagged(CartOut.of(view), view.stored.version)

        only = once(house, asked, actor, keep=SHORT, guest=opening.token_sha256)
        return await only.in_one(work)

    @router.post(
        CART + "/merge", response_model=CartOut,
        responses=described(400, 403, 404, 409, 412), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def post_merge(
        opening: Adding, asked: Asked, actor: Annotated[Actor, needs_somebody()]
    ) -> Response:
        """What a guest had in this cart is the customer's who asks; answers their cart.

        Quantities of what is in both add up. Twice is once.
        """

        async def work(uow: UnitOfWork) -> Response:
            doing = Doing(actor, house.now(), house.new_id)
            if actor.kind is not ActorKind.CUSTOMER or actor.customer_id is None:
                raise Conflict("not_a_customer", "only a customer takes a guest's cart over")
            customer = await uow.customers.get(actor.customer_id)
            if customer is None:
                raise NotFound("customer", str(actor.customer_id))
            stored = await take_over(uow, opening, customer.value, doing)
            view = await view_cart(uow, stored, doing.at)
            return tagged(CartOut.of(view), stored.version)

        return await once(house, asked, actor, keep=SHORT).in_one(work)


async def _query(
    limit: Limit = 50,
    after: After = None,
    customer_id: UUID | None = None,
    state: CartState | None = None,
    updated_since: Moment | None = None,
) -> CartQuery:
    """Which carts to list, and one more, which tells whether there are more."""
    since = read_time_cursor(after) if after is not None else None
    return CartQuery(limit + 1, since, customer_id, state, updated_since)


def _buyer(actor: Actor, body: CartNew) -> Buyer:
    """Whose the cart is: a customer's own, or whose staff say, or a guest's."""
    return Buyer(
        currency=body.currency,
        customer_id=body.customer_id or actor.customer_id,
        account_ids=actor.account_ids,
        channel=body.channel,
        country=body.country,
    )
