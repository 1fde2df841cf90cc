"""Routes of orders."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from new_core.api.answers import answer, changed, expect, time_cursor
from new_core.api.auth import needs, needs_somebody
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House, Worker
from new_core.api.idempotency import LONG, Asked, once
from new_core.api.order_bodies import ChangeIn
from new_core.api.order_parameters import IfMatch, OrderToken, Wanted
from new_core.api.order_schemas import (
    OrderChangeOut,
    OrderChanges,
    OrderList,
    OrderOut,
    ReasonIn,
    TransitionOut,
    Transitions,
)
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.cart_access import token_digest
from new_core.domain.catalog import Stored
from new_core.domain.order import Order, OrderStatus
from new_core.domain.order_states import OrderEvent
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.ordering import (
    WRITE,
    Asking,
    Expected,
    allowed,
    cancel_order,
    edit_order,
    move_order,
    read_order,
)

ORDER = "/orders/{order_id}"
Who = Annotated[Actor, needs(own_rows=True)]
Somebody = Annotated[Actor, needs_somebody()]
Staff = Annotated[Actor, needs(WRITE)]


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    _add_list(router, house)
    _add_reads(router, house)
    _add_cancel(router, house)
    _add_changes(router, house)
    for event in (OrderEvent.PROCESS, OrderEvent.HOLD, OrderEvent.RESUME, OrderEvent.COMPLETE):
        _add_move(router, house, event)
    return router


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests: nothing."""
    del house
    return ()


def _add_list(router: APIRouter, house: House) -> None:
    @router.get("/orders", response_model=OrderList, responses=described(401, 403), tags=["orders"])
    async def list_orders(request: Request, actor: Somebody, wanted: Wanted) -> Response:
        """Orders: a customer's own, a partner's accounts', or all of them."""
        query = wanted.query(actor)
        async with house.database.reading() as uow:
            found = await uow.orders.page(query)
        shown, more = found[: wanted.limit], len(found) > wanted.limit
        cursor = None
        if more:
            last = shown[-1]
            at = last.value.created_at if query.newest_first else last.updated_at
            cursor = time_cursor(at, last.value.id)
        body = OrderList(
            data=[OrderOut.of(one, with_lines=query.with_lines) for one in shown],
            page=Page(next=cursor, has_more=more),
        )
        return answer(request, body, next_page=cursor)


def _add_reads(router: APIRouter, house: House) -> None:
    @router.get(ORDER, response_model=OrderOut, responses=described(403, 404), tags=["orders"])
    async def get_order(
        request: Request, order_id: UUID, actor: Who, order_token: OrderToken = None
    ) -> Response:
        """One order with its lines."""
        async with house.database.reading() as uow:
            asking = Asking(order_id, order_token or "")
            stored = await read_order(uow, asking, actor, house.now())
        return answer(request, OrderOut.of(stored))

    @router.get(
        f"{ORDER}/allowed-transitions", response_model=Transitions,
        responses=described(403, 404), tags=["orders"],
    )  # fmt: skip
    async def get_transitions(
        request: Request, order_id: UUID, actor: Who, order_token: OrderToken = None
    ) -> Response:
        """What may be done to an order now, by whoever asks."""
        async with house.database.reading() as uow:
            asking = Asking(order_id, order_token or "")
            order = (await read_order(uow, asking, actor, house.now())).value
        found = allowed(order, actor)
        data = [TransitionOut(event=event, leads_to=OrderStatus(to)) for event, to in found]
        return answer(request, Transitions(status=order.status, data=data))

    @router.get(
        f"{ORDER}/changes", response_model=OrderChanges, responses=described(403, 404),
        tags=["orders"],
    )  # fmt: skip
    async def get_changes(
        request: Request, order_id: UUID, actor: Who, order_token: OrderToken = None
    ) -> Response:
        """All edits of an order, oldest first."""
        async with house.database.reading() as uow:
            asking = Asking(order_id, order_token or "")
            order = (await read_order(uow, asking, actor, house.now())).value
            found = await uow.orders.changes(order_id)
        data = [OrderChangeOut.of(one, order.buyer.currency) for one in found]
        return answer(request, OrderChanges(data=data))


def _add_cancel(router: APIRouter, house: House) -> None:
    @router.post(
        f"{ORDER}/cancel", response_model=OrderOut,
        responses=described(400, 403, 404, 409, 412, 428),
        openapi_extra=TAKES_BACK, tags=["orders"],
    )  # fmt: skip
    async def cancel(
        actor: Who,
        asked: Asked,
        order_id: UUID,
        body: ReasonIn,
        if_match: IfMatch = None,
        order_token: OrderToken = None,
    ) -> Response:
        """Cancel an order of which nothing is on its way. Units and coupons can be had again;
        what was promised is let go and what was paid goes back.
        """
        doing = Doing(actor, house.now(), house.new_id)

        async def work(uow: UnitOfWork) -> Response:
            asking = Asking(order_id, order_token or "", _expected(if_match))
            return changed(OrderOut.of(await cancel_order(uow, asking, body.reason, doing)))

        guest = token_digest(order_token) if order_token else ""
        return await once(house, asked, actor, keep=LONG, guest=guest).in_one(work)


def _add_changes(router: APIRouter, house: House) -> None:
    @router.post(
        f"{ORDER}/changes", response_model=OrderOut,
        responses=described(400, 403, 404, 409, 412, 428),
        openapi_extra=TAKES_BACK, tags=["orders"],
    )  # fmt: skip
    async def post_change(
        actor: Staff, asked: Asked, order_id: UUID, body: ChangeIn, if_match: IfMatch = None
    ) -> Response:
        """Edit an order before it is packed: fewer units, another address, another note. The
        prices that were agreed hold; what was paid too much goes back.
        """
        doing = Doing(actor, house.now(), house.new_id)

        async def work(uow: UnitOfWork) -> Response:
            asking = Asking(order_id, expected=_expected(if_match))
            stored = await edit_order(uow, asking, body.edits(), body.reason, doing)
            return changed(OrderOut.of(stored))

        return await once(house, asked, actor, keep=LONG).in_one(work)


_DOES = {
    OrderEvent.PROCESS: "Begin to work on a placed order.",
    OrderEvent.HOLD: "Let an order wait, e.g. until somebody looked at it.",
    OrderEvent.RESUME: "Go on with an order that waits.",
    OrderEvent.COMPLETE: "Close an order: nothing is left to do for it.",
}


def _add_move(router: APIRouter, house: House, event: OrderEvent) -> None:
    @router.post(
        f"{ORDER}/{event.value}", response_model=OrderOut, summary=_DOES[event],
        operation_id=f"{event.value}_order", responses=described(404, 409, 412, 428),
        openapi_extra=TAKES_BACK, tags=["orders"],
    )  # fmt: skip
    async def move(
        actor: Staff, order_id: UUID, body: ReasonIn, if_match: IfMatch = None
    ) -> Response:
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            asking = Asking(order_id, expected=_expected(if_match))
            stored = await move_order(uow, asking, event, body.reason, doing)
            await uow.commit()
        return changed(OrderOut.of(stored))


def _expected(if_match: str | None) -> Expected:
    def check(stored: Stored[Order]) -> None:
        expect(if_match, OrderOut.of(stored))

    return check
