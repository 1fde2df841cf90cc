"""Use cases of checkout: from a cart to its order, with the payment in between.

1. `start` is one transaction: it re-prices, promises the units, writes the order and its
   payment, and freezes the cart. Whatever is wrong rolls all of it back.
2. The gateway is called outside of any transaction (`paying.pay`).
3. `Settling` is called in the transaction that books the gateway's answer: it places the order,
   or cancels it, gives units and coupons back and opens the cart again.

A process that dies in between leaves an order that waits for its payment, and a payment that
the recovery of payments takes up; `Settling` does the rest then, as it would have before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from new_core.domain.actor import Actor, system
from new_core.domain.cart import Cart, CartEvent, moved
from new_core.domain.cart_access import Opening, check_access
from new_core.domain.catalog import Stored
from new_core.domain.checkout import CheckoutEvent, CheckoutState, after, check_price, offer_of
from new_core.domain.events import AuditEntry, Event
from new_core.domain.money import Money
from new_core.domain.order import Order, OrderStatus, PaymentStatus
from new_core.domain.order_events import order_entry, order_event
from new_core.domain.order_placing import Bill, Terms, Wishes, check_orderable, place
from new_core.domain.order_states import OrderEvent
from new_core.domain.order_states import after as order_after
from new_core.domain.payment import CaptureMode, PaymentMethod, PaymentOutcome, Settled
from new_core.domain.reservation import Owner, Want
from new_core.errors import NotFound
from new_core.ports import Checkout, Clock, NewId, RequestKey, UnitOfWork
from new_core.service import checkout_answers
from new_core.service.carting import CartView, view_cart
from new_core.service.doing import Doing
from new_core.service.inventory import commit_reservations, release_reservations, reserve
from new_core.service.paying import open_payment
from new_core.service.pricing import give_promotions_back, use_promotions

SCOPE = "checkout:write"
MANUAL = "manual"
_WON = {
    PaymentOutcome.AUTHORISED: PaymentStatus.AUTHORISED,
    PaymentOutcome.CAPTURED: PaymentStatus.PAID,
}


@dataclass(frozen=True, slots=True)
class Complete:
    """What a buyer says at the last step.

    Attributes:
        token_sha256: of the secret of a guest's cart that they show; empty for none.
        expected: the total that they agreed to.
    """

    checkout_id: UUID
    token_sha256: str
    expected: Money
    method: PaymentMethod
    capture: CaptureMode
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class Progress:
    """How a checkout stands.

    Attributes:
        order: of its last try, if there was one.
        payment_id: the payment to be made now; None when there is none.
        redirect_url: where the buyer confirms the payment; empty when they need not.
    """

    checkout: Checkout
    order: Order | None
    payment_id: UUID | None = None
    redirect_url: str = ""


async def begin_checkout(
    uow: UnitOfWork, opening: Opening, doing: Doing
) -> tuple[Stored[Checkout], CartView]:
    """Begin to check a cart out, or look again: gives the offer and what stands in its way,
    and commits. Nothing is promised yet.

    Raises:
        NotFound, Forbidden: see `check_access`.
        Conflict: the cart is being paid for, or was ordered, merged or abandoned.
    """
    stored = await uow.carts.get(opening.cart_id)
    cart = check_access(stored.value if stored else None, opening, doing.actor, SCOPE)
    assert stored is not None  # noqa: S101 - check_access refuses None
    fresh = Checkout(doing.new_id(), cart.id, CheckoutState.OPEN, doing.at)
    written = await uow.checkout.begin(fresh, doing.at)
    # Somebody may start it at this moment; what is shown must not undo that.
    begun = await uow.checkout.locked(written.value.id) or written
    after(begun.value.state, CheckoutEvent.START)
    moved(cart, CartEvent.FREEZE)
    view = await view_cart(uow, stored, doing.at)
    offer = offer_of(view.priced)
    if begun.value.offer != offer:
        begun = await uow.checkout.put(replace(begun.value, offer=offer), doing.at)
    await uow.commit()
    return begun, view


async def read_checkout(
    uow: UnitOfWork, checkout_id: UUID, token_sha256: str, actor: Actor
) -> tuple[Stored[Checkout], Progress]:
    """How a checkout stands.

    Raises:
        NotFound, Forbidden: see `check_access`.
    """
    stored = await uow.checkout.get(checkout_id)
    if stored is None:
        raise NotFound("checkout", str(checkout_id))
    cart = await uow.carts.get(stored.value.cart_id)
    opening = Opening(stored.value.cart_id, token_sha256)
    check_access(cart.value if cart else None, opening, actor, SCOPE)
    return stored, await _progress(uow, stored.value)


async def start(
    uow: UnitOfWork, asked: Complete, request: RequestKey, doing: Doing, terms: Terms
) -> Progress:
    """Turn the cart into an order that waits for its payment, or that is placed where there is
    nothing to wait for. Called after the request was taken in hand; does not commit.

    The same request, taken up again after a process died over it, finds what it began.

    Raises:
        NotFound, Forbidden: see `check_access`.
        Conflict: `price_changed`, `cart_has_problems`, `insufficient_stock`,
            `promotion_exhausted`, `checkout_in_progress`, `checkout_completed` and others;
            with all reasons. Roll back.
    """
    checkout = await uow.checkout.locked(asked.checkout_id)
    if checkout is None:
        raise NotFound("checkout", str(asked.checkout_id))
    stored = await uow.carts.locked(checkout.value.cart_id)
    opening = Opening(checkout.value.cart_id, asked.token_sha256)
    check_access(stored.value if stored else None, opening, doing.actor, SCOPE)
    assert stored is not None  # noqa: S101 - check_access refuses None
    if checkout.value.state is CheckoutState.PAYING and checkout.value.request == request:
        return await _progress(uow, checkout.value)
    paying = after(checkout.value.state, CheckoutEvent.START)
    view = await view_cart(uow, stored, doing.at)
    check_orderable(view.problems, asked.wishes)
    check_price(asked.expected, checkout.value.offer, offer_of(view.priced))
    order = await _promise(uow, view, asked.wishes, doing, terms)
    if order.total_minor == 0 or asked.method.kind == MANUAL:
        order = replace(order, status=order_after(order, OrderEvent.PLACE), placed_at=doing.at)
    begun = replace(checkout.value, state=paying, order_id=order.id, request=request, failure="")
    return await _write(uow, begun, view.stored.value, order, asked, doing)


async def _promise(
    uow: UnitOfWork, view: CartView, wishes: Wishes, doing: Doing, terms: Terms
) -> Order:
    """Units, coupons and a number for a new order, in the order in which everybody takes these
    locks. What is promised to an order ends with the order and not by time: 1. a payment's
    outcome is unknown for a day, 2. its units go to somebody else, 3. the money was taken.
    """
    bill = Bill(view.stored.value, view.priced, view.facts.goods)
    order = place(bill, wishes, doing.new_id(), doing.at, terms)
    wants = [Want(one.variant_id, one.quantity) for one in order.lines]
    owner = Owner("order", order.id)
    await reserve(uow, owner, wants, doing, expires_at=None)
    if order.discounts:
        await use_promotions(uow, view.priced, order.id, order.buyer.customer_id, doing)
    return replace(order, number=await uow.orders.next_number(terms.numbers))


async def _write(
    uow: UnitOfWork,
    begun: Checkout,
    cart: Cart,
    order: Order,
    asked: Complete,
    doing: Doing,
) -> Progress:
    is_placed = order.status is OrderStatus.PLACED
    await uow.orders.put(order, doing.at)
    frozen = moved(cart, CartEvent.FREEZE)
    checkout = begun
    if is_placed:
        await commit_reservations(uow, Owner("order", order.id), doing)
        frozen = moved(frozen, CartEvent.ORDER)
        checkout = replace(begun, state=after(begun.state, CheckoutEvent.SUCCEED))
    await uow.carts.put(frozen, doing.at)
    await uow.checkout.put(checkout, doing.at)
    payment_id = None
    if order.total_minor:
        amount = Money(order.total_minor, order.buyer.currency)
        payment = await open_payment(
            uow, order.id, amount, asked.method, asked.capture, doing, reference=order.number
        )
        payment_id = payment.id
    await _tell_started(uow, checkout, frozen, order, doing)
    if is_placed and checkout.request is not None:
        answer = checkout_answers.placed(checkout, order)
        await uow.idempotency.finish(checkout.request, answer, doing.at)
    return Progress(checkout, order, payment_id)


async def _tell_started(
    uow: UnitOfWork, checkout: Checkout, cart: Cart, order: Order, doing: Doing
) -> None:
    events = [
        _cart_event("frozen", cart, order),
        _checkout_event("started", checkout, order),
        order_event("created", order),
    ]
    entries = [_cart_entry("frozen", cart), order_entry("created", None, order)]
    if order.status is OrderStatus.PLACED:
        events += [
            order_event("placed", order),
            _cart_event("ordered", cart, order),
            _checkout_event("completed", checkout, order),
        ]
    await uow.outbox.add(events, doing.actor, doing.at)
    await uow.audit.add(entries, doing.actor, doing.at)


class Settling:
    """Places or cancels the order of a payment, in the transaction that books its outcome.

    Shared by all tasks of a process.
    """

    def __init__(self, now: Clock, new_id: NewId) -> None:
        self._now = now
        self._new_id = new_id

    async def __call__(self, uow: UnitOfWork, settled: Settled) -> None:
        """See the port. Locks go order, request, checkout, cart, stock: a request that is taken
        up again locks in the same order.
        """
        if settled.outcome is PaymentOutcome.PENDING:
            return
        doing = Doing(system("checkout"), self._now(), self._new_id)
        stored = await uow.orders.locked(settled.intent.order_id)
        checkout = await uow.checkout.of_order(settled.intent.order_id)
        if stored is None or stored.value.status is not OrderStatus.PENDING_PAYMENT:
            # Placed at once (pay later), or cancelled by hand meanwhile.
            return
        if checkout is None:
            raise NotFound("checkout of order", stored.value.number)
        paid = _WON.get(settled.outcome)
        if paid is None:
            await _fail(uow, stored.value, checkout.value, settled.reason, doing)
        else:
            await _succeed(uow, stored.value, checkout.value, paid, doing)


async def _succeed(
    uow: UnitOfWork, before: Order, checkout: Checkout, paid: PaymentStatus, doing: Doing
) -> None:
    order = replace(
        before,
        status=order_after(before, OrderEvent.PLACE),
        payment_status=paid,
        placed_at=doing.at,
    )
    done = replace(checkout, state=after(checkout.state, CheckoutEvent.SUCCEED))
    if done.request is not None:
        answer = checkout_answers.placed(done, order)
        await uow.idempotency.finish(done.request, answer, doing.at)
    await uow.checkout.put(done, doing.at)
    cart = await _moved_cart(uow, order, CartEvent.ORDER, doing)
    await commit_reservations(uow, Owner("order", order.id), doing)
    await uow.orders.put(order, doing.at)
    events = [
        order_event("placed", order),
        _cart_event("ordered", cart, order),
        _checkout_event("completed", done, order),
    ]
    entries = [order_entry("placed", before, order), _cart_entry("ordered", cart)]
    await uow.outbox.add(events, doing.actor, doing.at)
    await uow.audit.add(entries, doing.actor, doing.at)


async def _fail(
    uow: UnitOfWork, before: Order, checkout: Checkout, reason: str, doing: Doing
) -> None:
    order = replace(
        before, status=order_after(before, OrderEvent.CANCEL), cancel_reason="payment_failed"
    )
    opened = replace(
        checkout, state=after(checkout.state, CheckoutEvent.FAIL), failure=reason or "declined"
    )
    if opened.request is not None:
        answer = checkout_answers.failed(order, reason)
        await uow.idempotency.finish(opened.request, answer, doing.at)
    await uow.checkout.put(opened, doing.at)
    cart = await _moved_cart(uow, order, CartEvent.THAW, doing)
    await release_reservations(uow, Owner("order", order.id), "payment_failed", doing)
    if order.discounts:
        await give_promotions_back(uow, order.id, doing)
    await uow.orders.put(order, doing.at)
    events = [
        order_event("cancelled", order, reason="payment_failed"),
        _cart_event("thawed", cart, order),
        _checkout_event("failed", opened, order),
    ]
    entries = [
        order_entry("cancelled", before, order, "payment_failed"),
        _cart_entry("thawed", cart),
    ]
    await uow.outbox.add(events, doing.actor, doing.at)
    await uow.audit.add(entries, doing.actor, doing.at)


async def _moved_cart(uow: UnitOfWork, order: Order, event: CartEvent, doing: Doing) -> Cart:
    stored = await uow.carts.locked(order.cart_id)
    if stored is None:
        raise NotFound("cart", str(order.cart_id))
    cart = moved(stored.value, event)
    await uow.carts.put(cart, doing.at)
    return cart


async def _progress(uow: UnitOfWork, checkout: Checkout) -> Progress:
    if checkout.order_id is None:
        return Progress(checkout, None)
    stored = await uow.orders.get(checkout.order_id)
    found = await uow.payments.of_orders([checkout.order_id])
    payments = found.get(checkout.order_id, ())
    intent = payments[-1].intent if payments else None
    return Progress(
        checkout,
        stored.value if stored else None,
        intent.id if intent else None,
        intent.redirect_url if intent and checkout.state is CheckoutState.PAYING else "",
    )


def _cart_event(name: str, cart: Cart, order: Order) -> Event:
    data = {"state": cart.state.value, "order_id": str(order.id), "order_number": order.number}
    return Event(f"carts.cart.{name}.v1", "cart", cart.id, data)


def _cart_entry(name: str, cart: Cart) -> AuditEntry:
    return AuditEntry(f"cart.{name}", "cart", str(cart.id), after={"state": cart.state.value})


def _checkout_event(name: str, checkout: Checkout, order: Order) -> Event:
    data = {
        "cart_id": str(checkout.cart_id),
        "order_id": str(order.id),
        "order_number": order.number,
        "state": checkout.state.value,
        "failure": checkout.failure or None,
    }
    return Event(f"checkout.checkout.{name}.v1", "checkout", checkout.id, data)
