"""What the use cases of orders need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.order import NumberSeries, Order, OrderChange, OrderStatus


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders a page holds.

    Attributes:
        newest_first: by (created_at, id) downwards; else by (updated_at, id) upwards, so that
            whoever reads on sees every change.
        after: the place in that order after which the page begins.
        account_ids: orders of any of these business accounts; None does not filter, empty
            finds nothing.
        with_lines: without them `Order.lines` is empty.
    """

    limit: int
    after: tuple[datetime, UUID] | None = None
    newest_first: bool = False
    statuses: tuple[OrderStatus, ...] = ()
    customer_id: UUID | None = None
    account_ids: tuple[UUID, ...] | None = None
    number: str | None = None
    placed_from: datetime | None = None
    placed_before: datetime | None = None
    updated_since: datetime | None = None
    with_lines: bool = False


class OrderStore(Protocol):
    """Orders with their lines."""

    async def get(self, order_id: UUID) -> Stored[Order] | None:
        """An order; None when there is none."""
        ...

    async def of_cart(self, cart_id: UUID) -> Stored[Order] | None:
        """The order that a cart became: the one that is not cancelled, else the newest."""
        ...

    async def by_number(self, number: str) -> Stored[Order] | None:
        """The order of a number."""
        ...

    async def locked(self, order_id: UUID) -> Stored[Order] | None:
        """An order that nobody else changes until this transaction ends."""
        ...

    async def page(self, query: OrderQuery) -> tuple[Stored[Order], ...]:
        """At most `query.limit` orders."""
        ...

    async def put(self, order: Order, now: datetime) -> Stored[Order]:
        """Write an order and its lines whole, and give it as it is now.

        Raises:
            InvalidValue: its number has another order, or its cart one that is not cancelled.
        """
        ...

    async def next_number(self, series: NumberSeries) -> str:
        """The next number of a series, drawn in this transaction; whoever draws after waits
        for its end, so draw late.

        Raises:
            Conflict: `order_numbers_exhausted`: the range is used up.
        """
        ...

    async def changes(self, order_id: UUID) -> tuple[OrderChange, ...]:
        """All edits of an order, oldest first."""
        ...

    async def forget_texts(self, order_id: UUID) -> None:
        """Take out of an order's edits what people wrote: notes, addresses, reasons."""
        ...

    async def add_changes(self, changes: Sequence[OrderChange]) -> None:
        """Write edits down; nobody changes them any more."""
        ...
