"""Use cases of orders that were placed: read, move on, cancel, edit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from new_core.domain.actor import Actor, system
from new_core.domain.catalog import Stored
from new_core.domain.order import Order, OrderChange, OrderStatus, Paid
from new_core.domain.order_access import check_order_access
from new_core.domain.order_edits import Edit, edited
from new_core.domain.order_states import OrderEvent, after, payment_after
from new_core.domain.order_states import allowed as allowed_events
from new_core.domain.reservation import Owner, Want
from new_core.errors import Conflict, NotFound
from new_core.ports import Clock, NewId, UnitOfWork
from new_core.service.doing import Doing
from new_core.service.inventory import commit_reservations, release_reservations, reserve
from new_core.service.order_book import book
from new_core.service.order_money import give_back_beyond, locked_payments
from new_core.service.payment_moves import cancel_payment
from new_core.service.pricing import give_promotions_back

READ, WRITE = "orders:read", "orders:write"

Expected = Callable[[Stored[Order]], None]
"""Raises ChangedMeanwhile when an order is not any more as the caller saw it."""

_PAST = {
    OrderEvent.PROCESS: "processing",
    OrderEvent.HOLD: "held",
    OrderEvent.RESUME: "resumed",
    OrderEvent.COMPLETE: "completed",
    OrderEvent.CANCEL: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for an order, and how they show that it is theirs.

    Attributes:
        secret: of a guest's order; empty for none.
        expected: see `Expected`.
    """

    order_id: UUID
    secret: str = ""
    expected: Expected = lambda _: None


async def read_order(uow: UnitOfWork, asking: Asking, actor: Actor, at: datetime) -> Stored[Order]:
    """An order, whole.

    Raises:
        NotFound, Forbidden: see `check_order_access`.
    """
    stored = await uow.orders.get(asking.order_id)
    found = stored.value if stored else None
    check_order_access(found, str(asking.order_id), asking.secret, actor, READ, at)
    assert stored is not None  # noqa: S101 - check_order_access refuses None
    return stored


async def move_order(
    uow: UnitOfWork, asking: Asking, event: OrderEvent, reason: str, doing: Doing
) -> Stored[Order]:
    """Process, hold, resume or complete an order. Does not commit.

    Raises:
        NotFound, Forbidden: see `check_order_access`.
        ChangedMeanwhile: it is not as expected.
        Conflict: `transition_not_allowed`.
    """
    before = (await _held(uow, asking, doing)).value
    order = replace(before, status=_follows(before, event))
    return await book(uow, _PAST[event], before, order, doing, reason=reason)


async def cancel_order(uow: UnitOfWork, asking: Asking, reason: str, doing: Doing) -> Stored[Order]:
    """Cancel an order: its units and coupons can be had again, and its money goes back.

    What was promised is let go and what was taken is refunded by the recovery of payments,
    after the commit. Does not commit. An order that is cancelled stays so: twice is once.

    Raises:
        NotFound, Forbidden: see `check_order_access`.
        ChangedMeanwhile: it is not as expected.
        Conflict: `transition_not_allowed`, `order_shipped`.
    """
    # Whoever books an outcome locks the payment before the order, so this does too. Where the
    # order turns out not to be theirs, all of it is rolled back.
    await cancel_payment(uow, asking.order_id, reason or "cancelled", doing)
    stored = await _held(uow, asking, doing)
    before = stored.value
    if _is_cancelled(before):
        return stored
    order = replace(
        before, status=_follows(before, OrderEvent.CANCEL), cancel_reason=reason or "cancelled"
    )
    owner = Owner("order", order.id)
    await release_reservations(uow, owner, order.cancel_reason, doing)
    if order.discounts:
        await give_promotions_back(uow, order.id, doing)
    return await book(uow, "cancelled", before, order, doing, reason=order.cancel_reason)


async def edit_order(
    uow: UnitOfWork, asking: Asking, edits: Sequence[Edit], reason: str, doing: Doing
) -> Stored[Order]:
    """Edit an order and keep the edit as a version of it. Units that are not wanted any more
    can be had again; what was paid too much goes back. Does not commit.

    Raises:
        NotFound, Forbidden, ChangedMeanwhile: as above.
        Conflict: see `edited`.
    """
    payments = await locked_payments(uow, asking.order_id)
    before = (await _held(uow, asking, doing)).value
    order, actions = edited(before, edits)
    wants = [Want(one.variant_id, one.quantity) for one in order.lines if one.quantity]
    if order.lines != before.lines:
        owner = Owner("order", order.id)
        await reserve(uow, owner, wants, doing, expires_at=None)
        await commit_reservations(uow, owner, doing)
    known = await uow.orders.changes(order.id)
    if order.total_minor != before.total_minor:
        key = f"order-change-{order.id}-{len(known) + 1}"
        await give_back_beyond(uow, payments, order.total_minor, key, doing)
    change = OrderChange(
        order_id=order.id,
        n=len(known) + 1,
        kind="edit",
        actions=actions,
        total_before_minor=before.total_minor,
        total_after_minor=order.total_minor,
        actor=f"{doing.actor.kind.value}:{doing.actor.id}",
        reason=reason,
        at=doing.at,
    )
    await uow.orders.add_changes([change])
    return await book(uow, "changed", before, order, doing, reason=reason)


class MoneyMoving:
    """Brings an order's payment status up to what its money says.

    Shared by all tasks of a process.
    """

    def __init__(self, now: Clock, new_id: NewId) -> None:
        self._now = now
        self._new_id = new_id

    async def __call__(self, uow: UnitOfWork, order_id: UUID, paid: Paid) -> None:
        """See the port."""
        stored = await uow.orders.locked(order_id)
        if stored is None:
            raise NotFound("order", str(order_id))
        before = stored.value
        status = payment_after(before.payment_status, before.total_minor, paid)
        if status is before.payment_status:
            return
        doing = Doing(system("payments"), self._now(), self._new_id)
        order = replace(before, payment_status=status)
        await book(uow, "payment_changed", before, order, doing)


def allowed(order: Order, actor: Actor) -> tuple[tuple[OrderEvent, str], ...]:
    """What this actor may do to an order now, and where that leads. Buyers may only cancel."""
    found = allowed_events(order)
    is_staff = WRITE in actor.scopes
    return tuple(
        (event, status.value) for event, status in found if is_staff or event is OrderEvent.CANCEL
    )


async def _held(uow: UnitOfWork, asking: Asking, doing: Doing) -> Stored[Order]:
    stored = await uow.orders.locked(asking.order_id)
    found = stored.value if stored else None
    key = str(asking.order_id)
    check_order_access(found, key, asking.secret, doing.actor, WRITE, doing.at)
    assert stored is not None  # noqa: S101 - check_order_access refuses None
    if not _is_cancelled(stored.value):
        asking.expected(stored)
    return stored


def _is_cancelled(order: Order) -> bool:
    return order.status is OrderStatus.CANCELLED


def _follows(order: Order, event: OrderEvent) -> OrderStatus:
    if order.status is OrderStatus.PENDING_PAYMENT:
        # Its payment decides: a gateway may be taking the money at this moment.
        raise Conflict("payment_in_progress", "the order is being paid for")
    return after(order, event)
