"""Routes of checkout: begin, look, complete."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from new_core.api.answers import answer
from new_core.api.auth import needs
from new_core.api.cart_parameters import CartToken
from new_core.api.checkout_schemas import CheckoutNew, CompleteIn, begun
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House, Worker
from new_core.api.idempotency import LONG, REPLAYED, Asked, Once, once
from new_core.api.observe import CheckoutOutcome, Metrics
from new_core.api.order_schemas import BegunOut, CheckoutOut, CompletedOut
from new_core.api.paying_till import till_of
from new_core.api.problems import described
from new_core.domain.actor import Actor
from new_core.domain.cart_access import Opening, token_digest
from new_core.domain.order import NumberSeries, OrderStatus
from new_core.domain.order_access import order_secret
from new_core.domain.order_placing import Terms
from new_core.errors import (
    Conflict,
    CoreError,
    InvalidValue,
    NotFound,
    RequestInFlight,
    RequestKeyReused,
    StoreUnavailable,
)
from new_core.service.checkout import (
    MANUAL,
    Complete,
    Progress,
    begin_checkout,
    read_checkout,
    start,
)
from new_core.service.checkout_answers import body_of
from new_core.service.doing import Doing
from new_core.service.paying import Till, pay
from new_core.settings import CoreSettings

SERIES = "orders"

_OF_THE_BUYER = (Conflict, NotFound, InvalidValue, RequestKeyReused)
"""Refusals that the buyer could mend."""

Who = Annotated[Actor, needs(own_rows=True)]

log = logging.getLogger(__name__)


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    _add_begin(router, house)
    _add_read(router, house)
    _add_complete(router, house)
    return router


def workers(house: House) -> tuple[Worker, ...]:
    """Nothing: what a checkout leaves half done, the recovery of payments ends."""
    del house
    return ()


def terms_of(settings: CoreSettings) -> Terms:
    """What every checkout of this shop goes by."""
    numbers = NumberSeries(SERIES, settings.order_number_first, settings.order_number_last)
    return Terms(timedelta(days=settings.order_token_days), numbers)


def _add_begin(router: APIRouter, house: House) -> None:
    @router.post(
        "/checkouts", response_model=BegunOut, responses=described(400, 403, 404, 409),
        openapi_extra=TAKES_BACK, tags=["checkout"],
    )  # fmt: skip
    async def post_checkout(
        actor: Who, body: CheckoutNew, cart_token: CartToken = None
    ) -> Response:
        """Begin to check a cart out, or look again: what it costs now, and what stands in its
        way. Nothing is promised yet.
        """
        opening = Opening(body.cart_id, _digest(cart_token))
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored, view = await begin_checkout(uow, opening, doing)
        content = begun(stored, view).model_dump_json()
        return Response(content, media_type="application/json")


def _add_read(router: APIRouter, house: House) -> None:
    @router.get(
        "/checkouts/{checkout_id}", response_model=CheckoutOut, responses=described(403, 404),
        tags=["checkout"],
    )  # fmt: skip
    async def get_checkout(
        request: Request, actor: Who, checkout_id: UUID, cart_token: CartToken = None
    ) -> Response:
        """How a checkout stands: ask again while its state is `paying`."""
        async with house.database.reading() as uow:
            _, progress = await read_checkout(uow, checkout_id, _digest(cart_token), actor)
        return answer(request, _shown(progress))


def _add_complete(router: APIRouter, house: House) -> None:
    terms = terms_of(house.settings)
    till = till_of(house)

    @router.post(
        "/checkouts/{checkout_id}/complete", response_model=CompletedOut, status_code=201,
        responses={
            202: {"model": CheckoutOut, "description": "The payment's outcome is not known yet"},
            **described(400, 403, 404, 409),
        },
        openapi_extra=TAKES_BACK, tags=["checkout"],
    )  # fmt: skip
    async def complete_checkout(
        actor: Who, asked: Asked, checkout_id: UUID, body: CompleteIn, cart_token: CartToken = None
    ) -> Response:
        """Order the cart and pay for it, once, however often this is sent with one key.

        201: the order is placed. 202: the payment's outcome is not known yet; ask for the
        checkout again. 409 `payment_failed`: it was declined for good, the cart is open again.
        """
        if body.payment.kind == MANUAL and MANUAL not in house.gateways.codes:
            raise InvalidValue("payment", "cannot be made later in this shop")
        only = once(house, asked, actor, keep=LONG, guest=_digest(cart_token))
        wanted = body.asked(checkout_id, cart_token)
        work = _completed(house, till, only, wanted, actor, terms)
        return _with_secret(await _counted(house.metrics, work), cart_token)


async def _counted(metrics: Metrics, work: Awaitable[Response]) -> Response:
    """Count a call by how it ends. One that only tells again what was, or of which nobody
    knows the end yet, is not counted.
    """
    began = time.perf_counter()
    try:
        response = await work
        if response.status_code == 202 or REPLAYED in response.headers:
            return response
    except CoreError as exc:
        _count(metrics, "refused" if isinstance(exc, _OF_THE_BUYER) else "failed")
        raise
    outcome: CheckoutOutcome = "completed" if response.status_code == 201 else "refused"
    _count(metrics, outcome)
    if outcome == "completed":
        metrics.order_seconds.observe(time.perf_counter() - began)
    return response


def _count(metrics: Metrics, outcome: CheckoutOutcome) -> None:
    metrics.checkout("started")
    metrics.checkout(outcome)


async def _completed(
    house: House, till: Till, only: Once, wanted: Complete, actor: Actor, terms: Terms
) -> Response:
    doing = Doing(actor, house.now(), house.new_id)
    async with house.database.writing() as uow:
        before = await only.begin(uow)
        if before is not None:
            return before
        progress = await start(uow, wanted, only.request, doing, terms)
        await uow.commit()
    if progress.payment_id is not None:
        await _pay(till, progress, actor)
    kept = await _kept(house, only)
    if kept is not None:
        return kept
    async with house.database.reading() as uow:
        _, progress = await read_checkout(uow, wanted.checkout_id, wanted.token_sha256, actor)
    return Response(_shown(progress).model_dump_json(), 202, media_type="application/json")


async def _pay(till: Till, progress: Progress, actor: Actor) -> None:
    assert progress.payment_id is not None  # noqa: S101 - asked by who calls
    is_placed = progress.order is not None and progress.order.status is OrderStatus.PLACED
    try:
        await pay(till, progress.payment_id, actor)
    except StoreUnavailable:
        if not is_placed:
            raise
        # The order stands and is paid later anyway; the recovery books its promise.
        log.warning("payment %s is left to the recovery", progress.payment_id)


async def _kept(house: House, only: Once) -> Response | None:
    """The answer that whoever settled the payment kept: the first one gets the same bytes as
    those who ask again. None while nobody knows the outcome.
    """
    try:
        async with house.database.writing() as uow:
            kept = await only.begin(uow)
    except RequestInFlight:
        return None
    if kept is not None:
        del kept.headers[REPLAYED]
    return kept


def _shown(progress: Progress) -> CheckoutOut:
    body = body_of(progress.checkout, progress.order, progress.redirect_url)
    return CheckoutOut.model_validate(body)


def _with_secret(response: Response, cart_token: str | None) -> Response:
    """A guest's answer with the secret of their order. It is made anew from what they sent and
    kept nowhere, so that it is told again to them and to nobody else.
    """
    if response.status_code != 201 or not cart_token:
        return response
    body = json.loads(bytes(response.body))
    if not body["order"]["has_token"]:
        return response
    secret = order_secret(cart_token, UUID(body["order"]["id"]))
    content = json.dumps(body | {"order_token": secret}, ensure_ascii=False, separators=(",", ":"))
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(content, 201, headers=headers)


def _digest(cart_token: str | None) -> str:
    return token_digest(cart_token) if cart_token else ""
