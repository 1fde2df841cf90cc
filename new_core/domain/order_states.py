"""Where an order, its payment and its fulfilment may go: three tables, and who may ask."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from new_core.domain.order import FulfilmentStatus as F
from new_core.domain.order import Order, Paid
from new_core.domain.order import OrderStatus as S
from new_core.domain.order import PaymentStatus as P
from new_core.errors import Conflict


class OrderEvent(StrEnum):
    """What happens to an order."""

    ASK_APPROVAL = "ask_approval"
    ASK_PAYMENT = "ask_payment"
    PLACE = "place"
    PROCESS = "process"
    HOLD = "hold"
    RESUME = "resume"
    COMPLETE = "complete"
    CANCEL = "cancel"


class PaymentEvent(StrEnum):
    """What happens to the payment of an order."""

    AUTHORISE = "authorise"
    CAPTURE_PART = "capture_part"
    CAPTURE = "capture"
    REFUND_PART = "refund_part"
    REFUND = "refund"
    VOID = "void"
    PUT_ON_ACCOUNT = "put_on_account"
    FALL_DUE = "fall_due"
    DISPUTE = "dispute"


class FulfilmentEvent(StrEnum):
    """What happens to the goods of an order."""

    ALLOCATE_PART = "allocate_part"
    ALLOCATE = "allocate"
    SHIP_PART = "ship_part"
    SHIP = "ship"
    DELIVER_PART = "deliver_part"
    DELIVER = "deliver"
    RETURN_PART = "return_part"
    RETURN = "return"


ORDERS: Final[Mapping[S, Mapping[OrderEvent, S]]] = MappingProxyType(
    {
        S.DRAFT: {
            OrderEvent.ASK_APPROVAL: S.PENDING_APPROVAL,
            OrderEvent.ASK_PAYMENT: S.PENDING_PAYMENT,
            OrderEvent.PLACE: S.PLACED,
            OrderEvent.CANCEL: S.CANCELLED,
        },
        S.PENDING_APPROVAL: {
            OrderEvent.ASK_PAYMENT: S.PENDING_PAYMENT,
            OrderEvent.PLACE: S.PLACED,
            OrderEvent.CANCEL: S.CANCELLED,
        },
        S.PENDING_PAYMENT: {OrderEvent.PLACE: S.PLACED, OrderEvent.CANCEL: S.CANCELLED},
        S.PLACED: {
            OrderEvent.PROCESS: S.PROCESSING,
            OrderEvent.HOLD: S.ON_HOLD,
            OrderEvent.CANCEL: S.CANCELLED,
        },
        S.PROCESSING: {
            OrderEvent.HOLD: S.ON_HOLD,
            OrderEvent.COMPLETE: S.COMPLETED,
            OrderEvent.CANCEL: S.CANCELLED,
        },
        S.ON_HOLD: {OrderEvent.RESUME: S.PROCESSING, OrderEvent.CANCEL: S.CANCELLED},
        S.COMPLETED: {},
        S.CANCELLED: {},
    }
)

_MONEY_BACK: Final = {
    PaymentEvent.REFUND_PART: P.PARTIALLY_REFUNDED,
    PaymentEvent.REFUND: P.REFUNDED,
    PaymentEvent.DISPUTE: P.DISPUTED,
}
_MONEY_IN: Final = {
    PaymentEvent.CAPTURE_PART: P.PARTIALLY_CAPTURED,
    PaymentEvent.CAPTURE: P.PAID,
}

PAYMENTS: Final[Mapping[P, Mapping[PaymentEvent, P]]] = MappingProxyType(
    {
        P.NOT_REQUIRED: {},
        P.UNPAID: {
            **_MONEY_IN,
            PaymentEvent.AUTHORISE: P.AUTHORISED,
            PaymentEvent.PUT_ON_ACCOUNT: P.ON_ACCOUNT,
            PaymentEvent.VOID: P.VOIDED,
        },
        P.AUTHORISED: {**_MONEY_IN, PaymentEvent.VOID: P.VOIDED},
        P.PARTIALLY_CAPTURED: {**_MONEY_IN, **_MONEY_BACK},
        P.PAID: _MONEY_BACK,
        P.PARTIALLY_REFUNDED: {**_MONEY_BACK, **_MONEY_IN},
        P.REFUNDED: {PaymentEvent.DISPUTE: P.DISPUTED},
        P.VOIDED: {PaymentEvent.AUTHORISE: P.AUTHORISED, **_MONEY_IN},
        P.ON_ACCOUNT: {
            **_MONEY_IN,
            PaymentEvent.FALL_DUE: P.OVERDUE,
            PaymentEvent.VOID: P.VOIDED,
        },
        P.OVERDUE: {**_MONEY_IN, PaymentEvent.VOID: P.VOIDED},
        P.DISPUTED: {
            PaymentEvent.CAPTURE: P.PAID,
            PaymentEvent.REFUND_PART: P.PARTIALLY_REFUNDED,
            PaymentEvent.REFUND: P.REFUNDED,
        },
    }
)

_GOODS_BACK: Final = {
    FulfilmentEvent.RETURN_PART: F.PARTIALLY_RETURNED,
    FulfilmentEvent.RETURN: F.RETURNED,
}
_GOODS_OUT: Final = {
    FulfilmentEvent.SHIP_PART: F.PARTIALLY_SHIPPED,
    FulfilmentEvent.SHIP: F.SHIPPED,
}
_GOODS_THERE: Final = {
    FulfilmentEvent.DELIVER_PART: F.PARTIALLY_DELIVERED,
    FulfilmentEvent.DELIVER: F.DELIVERED,
}

FULFILMENTS: Final[Mapping[F, Mapping[FulfilmentEvent, F]]] = MappingProxyType(
    {
        F.UNFULFILLED: {
            **_GOODS_OUT,
            FulfilmentEvent.ALLOCATE_PART: F.PARTIALLY_ALLOCATED,
            FulfilmentEvent.ALLOCATE: F.ALLOCATED,
        },
        F.PARTIALLY_ALLOCATED: {
            **_GOODS_OUT,
            FulfilmentEvent.ALLOCATE_PART: F.PARTIALLY_ALLOCATED,
            FulfilmentEvent.ALLOCATE: F.ALLOCATED,
        },
        F.ALLOCATED: _GOODS_OUT,
        F.PARTIALLY_SHIPPED: {**_GOODS_OUT, **_GOODS_THERE, **_GOODS_BACK},
        F.SHIPPED: {**_GOODS_THERE, **_GOODS_BACK},
        F.PARTIALLY_DELIVERED: {**_GOODS_OUT, **_GOODS_THERE, **_GOODS_BACK},
        F.DELIVERED: _GOODS_BACK,
        F.PARTIALLY_RETURNED: {**_GOODS_OUT, **_GOODS_THERE, **_GOODS_BACK},
        F.RETURNED: {},
        F.NOT_REQUIRED: {},
    }
)

ASKED_BY_PEOPLE: Final = frozenset(
    {
        OrderEvent.PROCESS,
        OrderEvent.HOLD,
        OrderEvent.RESUME,
        OrderEvent.COMPLETE,
        OrderEvent.CANCEL,
    }
)
"""The rest happens by checkout, approval and payment."""

NOTHING_LEFT: Final = frozenset({F.UNFULFILLED, F.PARTIALLY_ALLOCATED, F.ALLOCATED, F.NOT_REQUIRED})
"""Nothing of the order left the house: it may be cancelled, not only returned."""

BEFORE_FULFILMENT: Final = frozenset({F.UNFULFILLED, F.NOT_REQUIRED})

_EDITABLE: Final = frozenset({S.PLACED, S.PROCESSING, S.ON_HOLD})


def after(order: Order, event: OrderEvent) -> S:
    """The status that follows.

    Raises:
        Conflict: `transition_not_allowed`, or `order_shipped` for a cancel that comes late.
    """
    follows = ORDERS[order.status].get(event)
    if follows is None:
        raise Conflict("transition_not_allowed", f"an order that is {order.status} cannot {event}")
    if event is OrderEvent.CANCEL and order.fulfilment_status not in NOTHING_LEFT:
        raise Conflict("order_shipped", "part of the order is on its way; it can only be returned")
    return follows


def allowed(order: Order) -> tuple[tuple[OrderEvent, S], ...]:
    """What people may do to an order now, and where that leads.

    An order that is being paid for is cancelled by its payment alone.
    """
    found = []
    for event, follows in ORDERS[order.status].items():
        late = event is OrderEvent.CANCEL and order.fulfilment_status not in NOTHING_LEFT
        if event in ASKED_BY_PEOPLE and not late and order.status is not S.PENDING_PAYMENT:
            found.append((event, follows))
    return tuple(found)


def check_editable(order: Order) -> None:
    """Let an order be edited only while nothing of it is being packed.

    Raises:
        Conflict: `order_not_editable`.
    """
    if order.status not in _EDITABLE or order.fulfilment_status not in BEFORE_FULFILMENT:
        raise Conflict(
            "order_not_editable",
            f"an order that is {order.status} and {order.fulfilment_status} cannot be edited",
        )


def payment_after(now: P, total_minor: int, paid: Paid) -> P:
    """What an order's payment is, as its money says; what the table forbids changes nothing.

    1. A refund is told, 2. the capture before it is told late. The sums decide, so the order
    in which they arrive does not.
    """
    event = _payment_event(total_minor, paid)
    return now if event is None else PAYMENTS[now].get(event, now)


def _payment_event(total_minor: int, paid: Paid) -> PaymentEvent | None:
    if paid.is_disputed:
        return PaymentEvent.DISPUTE
    if paid.refunded_minor:
        all_of_it = paid.refunded_minor >= paid.captured_minor
        return PaymentEvent.REFUND if all_of_it else PaymentEvent.REFUND_PART
    if paid.captured_minor:
        all_of_it = paid.captured_minor >= total_minor
        return PaymentEvent.CAPTURE if all_of_it else PaymentEvent.CAPTURE_PART
    if paid.is_voided:
        return PaymentEvent.VOID
    return PaymentEvent.AUTHORISE if paid.authorised_minor else None
