"""What others are told of an order."""

from __future__ import annotations

from new_core.domain.events import AuditEntry, Event
from new_core.domain.money import Money
from new_core.domain.order import Order

_WITH_LINES = frozenset({"placed", "changed"})
"""Others act on what was bought then; the rest of the time they know it already."""


def order_event(name: str, order: Order, **more: object) -> Event:
    """`orders.order.<name>.v1`, without anything personal beyond ids."""
    total = Money(order.total_minor, order.buyer.currency)
    customer = order.buyer.customer_id
    data: dict[str, object] = {
        "number": order.number,
        "cart_id": str(order.cart_id),
        "customer_id": None if customer is None else str(customer),
        "status": order.status.value,
        "payment_status": order.payment_status.value,
        "fulfilment_status": order.fulfilment_status.value,
        "total": {"amount": total.text, "currency": total.currency},
    }
    if name in _WITH_LINES:
        data["lines"] = [
            {
                "id": str(one.id),
                "variant_id": str(one.variant_id),
                "sku": one.sku,
                "quantity": one.quantity,
            }
            for one in order.lines
        ]
    return Event(f"orders.order.{name}.v1", "order", order.id, data | more)


def order_entry(name: str, before: Order | None, after: Order, reason: str = "") -> AuditEntry:
    """The same for the audit, as what it was and what it is."""
    return AuditEntry(
        f"order.{name}",
        "order",
        str(after.id),
        before=None if before is None else _seen(before),
        after=_seen(after),
        reason=reason,
    )


def _seen(order: Order) -> dict[str, object]:
    total = Money(order.total_minor, order.buyer.currency)
    return {
        "number": order.number,
        "status": order.status.value,
        "payment_status": order.payment_status.value,
        "fulfilment_status": order.fulfilment_status.value,
        "total": f"{total.text} {total.currency}",
        "units": sum(one.quantity for one in order.lines),
    }
