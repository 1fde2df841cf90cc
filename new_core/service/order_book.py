"""Writing an order with all that is told of it, in one transaction."""

from __future__ import annotations

from new_core.domain.catalog import Stored
from new_core.domain.order import Order
from new_core.domain.order_events import order_entry, order_event
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing


async def book(
    uow: UnitOfWork,
    name: str,
    before: Order | None,
    after: Order,
    doing: Doing,
    *,
    reason: str = "",
) -> Stored[Order]:
    """Write an order, tell of it as `orders.order.<name>.v1`, and put it into the audit.

    The reason, in somebody's own words, goes into the audit alone: events carry nothing
    personal.
    """
    stored = await uow.orders.put(after, doing.at)
    await uow.outbox.add([order_event(name, after)], doing.actor, doing.at)
    await uow.audit.add([order_entry(name, before, after, reason)], doing.actor, doing.at)
    return stored
