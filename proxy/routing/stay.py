"""What a ticket becomes with a request: a name for a visitor, pins made, kept and ended."""

from __future__ import annotations

from proxy.routing.decision import RequestHead, Why
from proxy.routing.model import Side
from proxy.routing.plans import Plan
from proxy.routing.table import RoutingTable
from proxy.routing.ticket import MAX_PINS, Pin, Ticket


def next_ticket(
    head: RequestHead, table: RoutingTable, plan: Plan, side: Side, why: Why
) -> tuple[Ticket | None, bool]:
    """The ticket to set, None to leave it; and whether only a success may set it.

    A cart that is paid loses its pin with the answer to the payment, and only when that
    went well: after a declined card the shopper tries again where the cart is.
    """
    had = head.ticket or Ticket("")
    visitor = had.visitor
    if not visitor and table.draws_by_ticket:
        visitor = head.visitor
    live = tuple(p for p in had.pins if p.until_s > head.now_s and p.group in table.pinned)
    kept = tuple(pin for pin in live if pin.group not in plan.ends)
    if kept != live:
        return Ticket(visitor, kept), True
    if plan.pin is not None and why is not Why.PILOT and plan.cohort not in plan.ends:
        lasts_s = plan.pin.lasts_s
        held = had.pin(plan.cohort, head.now_s)
        # Renewed in its second half only, so that few answers carry a cookie.
        if held is None or held.side is not side or 2 * (held.until_s - head.now_s) < lasts_s:
            others = tuple(pin for pin in live if pin.group != plan.cohort)
            made = Pin(plan.cohort, side, head.now_s + lasts_s)
            return Ticket(visitor, (*others, made)[-MAX_PINS:]), False
    if why is Why.NEW_VISITOR and visitor != had.visitor:
        return Ticket(visitor, live), False
    return None, False
