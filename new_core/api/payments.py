"""Routes and workers of payments."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from new_core.api.answers import answer, changed, read_time_cursor, time_cursor
from new_core.api.auth import needs
from new_core.api.gateway_webhooks import add_webhooks
from new_core.api.house import House, Worker
from new_core.api.idempotency import LONG, Asked, AskedOnce, once
from new_core.api.parameters import After, Limit, Moment
from new_core.api.paying_till import till_of
from new_core.api.payment_schemas import (
    GatewayList,
    GatewayOut,
    MoneyEventOut,
    MoneyEvents,
    MoveIn,
    MoveOut,
    OrderPayments,
    PaymentList,
    PaymentOut,
    minor_of,
)
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.gateway import MoveKind
from new_core.domain.gateway_health import Health
from new_core.domain.payment import IntentState
from new_core.domain.payment_move import Payment
from new_core.errors import Conflict, GatewayUnavailable, NotFound
from new_core.ports import Database, PaymentQuery
from new_core.service.paying import Till
from new_core.service.paying_recovery import look_after, recover
from new_core.service.payment_moves import MoveAsked, ask_move, carry_out

_RECOVERY_EVERY_S = 1.0

States = Annotated[
    list[IntentState], Query(max_length=4, description="only payments that stand so")
]


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    till = till_of(house)
    _add_lists(router, house.database)
    _add_one(router, house.database)
    for kind in MoveKind:
        _add_move(router, house, till, kind)
    _add_check(router, till)
    _add_gateways(router, house)
    add_webhooks(router, till)
    return router


def _add_lists(router: APIRouter, database: Database) -> None:
    @router.get("/payments", response_model=PaymentList, tags=["payments"])
    async def list_payments(
        request: Request,
        _actor: Annotated[Actor, needs("payments:read")],
        limit: Limit = 50,
        after: After = None,
        state: States = [],  # noqa: B006 - FastAPI copies it
        updated_since: Moment | None = None,
    ) -> Response:
        """Payments."""
        query = _query(limit, after, state, updated_since)
        async with database.reading() as uow:
            found = await uow.payments.page(query)
        shown, more = found[:limit], len(found) > limit
        cursor = time_cursor(shown[-1].updated_at, shown[-1].intent.id) if more else None
        data = [PaymentOut.of(one) for one in shown]
        body = PaymentList(data=data, page=Page(next=cursor, has_more=more))
        return answer(request, body, next_page=cursor)

    @router.get("/orders/{order_id}/payments", response_model=OrderPayments, tags=["payments"])
    async def list_order_payments(
        request: Request, order_id: UUID, _actor: Annotated[Actor, needs("payments:read")]
    ) -> Response:
        """The payments of an order; of an order that is not there, none."""
        async with database.reading() as uow:
            found = (await uow.payments.of_orders([order_id])).get(order_id, ())
        return answer(request, OrderPayments(data=[PaymentOut.of(one) for one in found]))


def _query(
    limit: int, after: str | None, states: list[IntentState], since: datetime | None
) -> PaymentQuery:
    place = read_time_cursor(after) if after is not None else None
    return PaymentQuery(limit + 1, place, tuple(one.value for one in states), since)


def _add_one(router: APIRouter, database: Database) -> None:
    @router.get(
        "/payments/{payment_id}", response_model=PaymentOut, responses=described(404),
        tags=["payments"],
    )  # fmt: skip
    async def get_payment(
        request: Request, payment_id: UUID, _actor: Annotated[Actor, needs("payments:read")]
    ) -> Response:
        """A payment with all that was tried and done."""
        return answer(request, PaymentOut.of(await _payment(database, payment_id)))

    @router.get(
        "/payments/{payment_id}/events", response_model=MoneyEvents, responses=described(404),
        tags=["payments"],
    )  # fmt: skip
    async def list_payment_events(
        request: Request, payment_id: UUID, _actor: Annotated[Actor, needs("payments:read")]
    ) -> Response:
        """What happened to a payment; its amounts are the sums of these."""
        payment = await _payment(database, payment_id)
        async with database.reading() as uow:
            found = await uow.payments.events(payment_id)
        currency = payment.intent.currency
        return answer(request, MoneyEvents(data=[MoneyEventOut.of(one, currency) for one in found]))


_SAYS = {
    MoveKind.CAPTURE: "Take promised money, all or a part; what is left over is let go.",
    MoveKind.VOID: "Let go of promised money.",
    MoveKind.REFUND: "Give back captured money, all or a part; several times up to all of it.",
}


def _add_move(router: APIRouter, house: House, till: Till, kind: MoveKind) -> None:
    @router.post(
        f"/payments/{{payment_id}}/{kind.value}", response_model=MoveOut,
        responses=described(400, 404, 409), tags=["payments"], description=_SAYS[kind],
        operation_id=f"{kind.value}_payment", name=f"{kind.value}_payment",
    )  # fmt: skip
    async def move_payment(
        payment_id: UUID,
        body: MoveIn,
        asked: Asked,
        actor: Annotated[Actor, needs("payments:write")],
    ) -> Response:
        only = once(house, asked, actor, keep=LONG)
        currency = (await _payment(house.database, payment_id)).intent.currency
        wanted = MoveAsked(
            kind, minor_of(body.amount, currency), body.reason, _request_key(actor, asked)
        )
        async with house.database.writing() as uow:
            before = await only.begin(uow)
            if before is not None:
                return before
            move = await ask_move(uow, payment_id, wanted, till.doing(actor))
            await uow.commit()
        move = await carry_out(till, payment_id, move.id, actor)
        response = changed(MoveOut.of(move, currency))
        async with house.database.writing() as uow:
            await only.finish(uow, response)
            await uow.commit()
        return response


def _request_key(actor: Actor, asked: AskedOnce) -> str:
    """The client's key, as no other client can send it."""
    return hashlib.sha256(f"{actor.kind}\n{actor.id}\n{asked.key}".encode()).hexdigest()


def _add_check(router: APIRouter, till: Till) -> None:
    @router.post(
        "/payments/{payment_id}/check", response_model=PaymentOut,
        responses=described(404, 409), tags=["payments"],
    )  # fmt: skip
    async def check_payment(
        payment_id: UUID, actor: Annotated[Actor, needs("payments:write")]
    ) -> Response:
        """Ask the gateway now how a payment stands, e.g. when a shopper comes back from it."""
        try:
            await look_after(till, payment_id, actor)
        except GatewayUnavailable as exc:
            raise Conflict("gateway_unavailable", f"{exc}; try again later") from exc
        return changed(PaymentOut.of(await _payment(till.database, payment_id)))


def _add_gateways(router: APIRouter, house: House) -> None:
    @router.get("/gateways", response_model=GatewayList, tags=["payments"])
    async def list_gateways(
        request: Request, _actor: Annotated[Actor, needs("payments:read")]
    ) -> Response:
        """The gateways in use, best first, and how they are."""
        async with house.database.reading() as uow:
            healths = await uow.payments.healths()
        now = house.now()
        data = [
            GatewayOut.of(healths.get(code, Health(code)), now) for code in house.gateways.codes
        ]
        return answer(request, GatewayList(data=data))


async def _payment(database: Database, payment_id: UUID) -> Payment:
    async with database.reading() as uow:
        payment = await uow.payments.get(payment_id)
    if payment is None:
        raise NotFound("payment", str(payment_id))
    return payment


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    till = till_of(house)

    async def look() -> int:
        return await recover(till)

    return (Worker("payment-recovery", look, _RECOVERY_EVERY_S),)
