"""Three tables of states, cell by cell, and what follows from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.buyer import Buyer
from new_core.domain.checkout import CHECKOUTS, CheckoutEvent, CheckoutState
from new_core.domain.checkout import after as checkout_after
from new_core.domain.order import FulfilmentStatus, Order, OrderStatus, Paid, PaymentStatus
from new_core.domain.order_states import (
    ASKED_BY_PEOPLE,
    FULFILMENTS,
    NOTHING_LEFT,
    ORDERS,
    PAYMENTS,
    FulfilmentEvent,
    OrderEvent,
    PaymentEvent,
    after,
    allowed,
    check_editable,
    payment_after,
)
from new_core.errors import Conflict

AT = datetime(2026, 3, 1, tzinfo=UTC)

ORDER_CELLS = """
    draft            ask_approval pending_approval
    draft            ask_payment  pending_payment
    draft            place        placed
    draft            cancel       cancelled
    pending_approval ask_payment  pending_payment
    pending_approval place        placed
    pending_approval cancel       cancelled
    pending_payment  place        placed
    pending_payment  cancel       cancelled
    placed           process      processing
    placed           hold         on_hold
    placed           cancel       cancelled
    processing       hold         on_hold
    processing       complete     completed
    processing       cancel       cancelled
    on_hold          resume       processing
    on_hold          cancel       cancelled
"""
PAYMENT_CELLS = """
    unpaid             authorise      authorised
    unpaid             capture_part   partially_captured
    unpaid             capture        paid
    unpaid             put_on_account on_account
    unpaid             void           voided
    authorised         capture_part   partially_captured
    authorised         capture        paid
    authorised         void           voided
    partially_captured capture_part   partially_captured
    partially_captured capture        paid
    partially_captured refund_part    partially_refunded
    partially_captured refund         refunded
    partially_captured dispute        disputed
    paid               refund_part    partially_refunded
    paid               refund         refunded
    paid               dispute        disputed
    partially_refunded refund_part    partially_refunded
    partially_refunded refund         refunded
    partially_refunded dispute        disputed
    partially_refunded capture_part   partially_captured
    partially_refunded capture        paid
    refunded           dispute        disputed
    voided             authorise      authorised
    voided             capture_part   partially_captured
    voided             capture        paid
    on_account         capture_part   partially_captured
    on_account         capture        paid
    on_account         fall_due       overdue
    on_account         void           voided
    overdue            capture_part   partially_captured
    overdue            capture        paid
    overdue            void           voided
    disputed           capture        paid
    disputed           refund_part    partially_refunded
    disputed           refund         refunded
"""
FULFILMENT_CELLS = """
    unfulfilled         allocate_part partially_allocated
    unfulfilled         allocate      allocated
    unfulfilled         ship_part     partially_shipped
    unfulfilled         ship          shipped
    partially_allocated allocate_part partially_allocated
    partially_allocated allocate      allocated
    partially_allocated ship_part     partially_shipped
    partially_allocated ship          shipped
    allocated           ship_part     partially_shipped
    allocated           ship          shipped
    partially_shipped   ship_part     partially_shipped
    partially_shipped   ship          shipped
    partially_shipped   deliver_part  partially_delivered
    partially_shipped   deliver       delivered
    partially_shipped   return_part   partially_returned
    partially_shipped   return        returned
    shipped             deliver_part  partially_delivered
    shipped             deliver       delivered
    shipped             return_part   partially_returned
    shipped             return        returned
    partially_delivered ship_part     partially_shipped
    partially_delivered ship          shipped
    partially_delivered deliver_part  partially_delivered
    partially_delivered deliver       delivered
    partially_delivered return_part   partially_returned
    partially_delivered return        returned
    delivered           return_part   partially_returned
    delivered           return        returned
    partially_returned  ship_part     partially_shipped
    partially_returned  ship          shipped
    partially_returned  deliver_part  partially_delivered
    partially_returned  deliver       delivered
    partially_returned  return_part   partially_returned
    partially_returned  return        returned
"""


def cells(text: str) -> dict[tuple[str, str], str]:
    rows = (line.split() for line in text.strip().splitlines())
    return {(state, event): follows for state, event, follows in rows}


def an_order(
    status: OrderStatus = OrderStatus.PLACED,
    fulfilment: FulfilmentStatus = FulfilmentStatus.UNFULFILLED,
) -> Order:
    return Order(
        id=UUID(int=1), number="700", cart_id=UUID(int=2), buyer=Buyer("CAD"), status=status,
        payment_status=PaymentStatus.UNPAID, fulfilment_status=fulfilment, lines=(),
        shipping=None, discounts=(), taxes=(), total_minor=1000, tax_included=False,
        created_at=AT,
    )  # fmt: skip


@pytest.mark.parametrize(("status", "event"), [*product(OrderStatus, OrderEvent)])
def test_every_cell_of_orders_leads_where_it_should(status: OrderStatus, event: OrderEvent) -> None:
    expected = cells(ORDER_CELLS).get((status.value, event.value))

    follows = ORDERS[status].get(event)
    assert (follows and follows.value) == expected
    if expected is None:
        with pytest.raises(Conflict) as told:
            after(an_order(status), event)
        assert told.value.code == "transition_not_allowed"
    else:
        assert after(an_order(status), event) == expected


@pytest.mark.parametrize(("status", "event"), [*product(PaymentStatus, PaymentEvent)])
def test_every_cell_of_payments_leads_where_it_should(
    status: PaymentStatus, event: PaymentEvent
) -> None:
    assert PAYMENTS[status].get(event) == cells(PAYMENT_CELLS).get((status.value, event.value))


@pytest.mark.parametrize(("status", "event"), [*product(FulfilmentStatus, FulfilmentEvent)])
def test_every_cell_of_fulfilments_leads_where_it_should(
    status: FulfilmentStatus, event: FulfilmentEvent
) -> None:
    found = FULFILMENTS[status].get(event)
    assert found == cells(FULFILMENT_CELLS).get((status.value, event.value))


@pytest.mark.parametrize(("state", "event"), [*product(CheckoutState, CheckoutEvent)])
def test_every_cell_of_checkouts_leads_where_it_should(
    state: CheckoutState, event: CheckoutEvent
) -> None:
    expected = {
        ("open", "start"): "paying",
        ("paying", "succeed"): "completed",
        ("paying", "fail"): "open",
    }.get((state.value, event.value))
    refusals = {
        "open": "checkout_not_started",
        "paying": "checkout_in_progress",
        "completed": "checkout_completed",
    }

    assert CHECKOUTS[state].get(event) == expected
    if expected is None:
        with pytest.raises(Conflict) as told:
            checkout_after(state, event)
        assert told.value.code == refusals[state.value]
    else:
        assert checkout_after(state, event) == expected


@pytest.mark.parametrize("fulfilment", FulfilmentStatus)
def test_an_order_is_cancelled_only_while_nothing_of_it_left_the_house(
    fulfilment: FulfilmentStatus,
) -> None:
    order = an_order(OrderStatus.PROCESSING, fulfilment)

    if fulfilment in NOTHING_LEFT:
        assert after(order, OrderEvent.CANCEL) is OrderStatus.CANCELLED
    else:
        with pytest.raises(Conflict) as told:
            after(order, OrderEvent.CANCEL)
        assert told.value.code == "order_shipped"
    can_cancel = OrderEvent.CANCEL in dict(allowed(order))
    assert can_cancel == (fulfilment in NOTHING_LEFT)


@pytest.mark.parametrize(("status", "fulfilment"), [*product(OrderStatus, FulfilmentStatus)])
def test_what_is_allowed_is_what_the_table_lets_people_do(
    status: OrderStatus, fulfilment: FulfilmentStatus
) -> None:
    order = an_order(status, fulfilment)

    for event, follows in allowed(order):
        assert event in ASKED_BY_PEOPLE
        assert after(order, event) is follows
    if status is OrderStatus.PENDING_PAYMENT:
        assert allowed(order) == ()


@pytest.mark.parametrize(("status", "fulfilment"), [*product(OrderStatus, FulfilmentStatus)])
def test_an_order_is_edited_before_anything_of_it_is_packed(
    status: OrderStatus, fulfilment: FulfilmentStatus
) -> None:
    editable = status.value in ("placed", "processing", "on_hold") and fulfilment.value in (
        "unfulfilled", "not_required",
    )  # fmt: skip

    if editable:
        check_editable(an_order(status, fulfilment))
    else:
        with pytest.raises(Conflict, match="cannot be edited"):
            check_editable(an_order(status, fulfilment))


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        (Paid(), "unpaid"),
        (Paid(authorised_minor=1000), "authorised"),
        (Paid(authorised_minor=1000, captured_minor=400), "partially_captured"),
        (Paid(authorised_minor=1000, captured_minor=1000), "paid"),
        (Paid(captured_minor=1000, refunded_minor=1), "unpaid"),
        (Paid(authorised_minor=1000, is_voided=True), "voided"),
    ],
)
def test_the_payment_status_of_an_unpaid_order_follows_its_money(paid: Paid, expected: str) -> None:
    assert payment_after(PaymentStatus.UNPAID, 1000, paid) == expected


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        (Paid(captured_minor=1000, refunded_minor=1), "partially_refunded"),
        (Paid(captured_minor=1000, refunded_minor=1000), "refunded"),
        (Paid(captured_minor=1000, is_disputed=True), "disputed"),
        (Paid(captured_minor=1000), "paid"),
    ],
)
def test_the_payment_status_of_a_paid_order_follows_its_money(paid: Paid, expected: str) -> None:
    assert payment_after(PaymentStatus.PAID, 1000, paid) == expected


@given(
    now=st.sampled_from(PaymentStatus),
    total=st.integers(0, 5000),
    paid=st.builds(
        Paid, st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000), st.booleans(),
        st.booleans(),
    ),
)  # fmt: skip
def test_telling_the_same_money_twice_changes_nothing_more(
    now: PaymentStatus, total: int, paid: Paid
) -> None:
    once = payment_after(now, total, paid)

    assert payment_after(once, total, paid) is once
    assert replace(an_order(), payment_status=once).payment_status is once
