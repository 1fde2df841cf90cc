"""What a buyer is told of a checkout that is over, the same however often they ask.

Made here and not by a route: who finds the outcome of a payment out may be a worker, and the
answer is kept in the transaction that books it.
"""

from __future__ import annotations

import json

from new_core.domain.money import Money
from new_core.domain.order import Order
from new_core.ports import Checkout, KeptAnswer

_JSON = ("content-type", "application/json")
_PROBLEM = ("content-type", "application/problem+json")


def body_of(checkout: Checkout, order: Order | None, redirect_url: str = "") -> dict[str, object]:
    """How a checkout stands, as JSON."""
    return {
        "id": str(checkout.id),
        "cart_id": str(checkout.cart_id),
        "state": checkout.state.value,
        "order": None if order is None else _order(order),
        "failure": checkout.failure or None,
        "redirect_url": redirect_url or None,
    }


def placed(checkout: Checkout, order: Order) -> KeptAnswer:
    """The cart was ordered."""
    location = ("location", f"/v1/orders/{order.id}")
    return KeptAnswer(201, (_JSON, location), _bytes(body_of(checkout, order)))


def failed(order: Order, reason: str) -> KeptAnswer:
    """The payment was declined for good, and the cart is open again."""
    problem = {
        "type": "/problems/payment_failed",
        "title": "Conflict",
        "status": 409,
        "detail": "the payment was declined; nothing was charged, and the cart is open again",
        "code": "payment_failed",
        "request_id": "",
        "retryable": False,
        "errors": [
            {
                "pointer": "/payment",
                "code": "payment_failed",
                "detail": reason or "declined",
                "meta": {"order_id": str(order.id), "order_number": order.number},
            }
        ],
    }
    return KeptAnswer(409, (_PROBLEM,), _bytes(problem))


def _order(order: Order) -> dict[str, object]:
    total = Money(order.total_minor, order.buyer.currency)
    return {
        "id": str(order.id),
        "number": order.number,
        "status": order.status.value,
        "payment_status": order.payment_status.value,
        "total": {"amount": total.text, "currency": total.currency},
        "has_token": bool(order.token_sha256),
    }


def _bytes(body: dict[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
