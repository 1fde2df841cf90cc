"""What the use cases of orders need."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.order import Order


class OrderStore(Protocol):
    """Orders with their lines."""

    async def get(self, order_id: UUID) -> Stored[Order] | None:
        """An order; None when there is none."""
        ...

    async def of_cart(self, cart_id: UUID) -> Stored[Order] | None:
        """The order that a cart became."""
        ...

    async def locked(self, order_id: UUID) -> Stored[Order] | None:
        """An order that nobody else changes until this transaction ends."""
        ...

    async def put(self, order: Order, now: datetime) -> Stored[Order]:
        """Write an order and its lines whole, and give it as it is now.

        Raises:
            InvalidValue: its cart or its number has another order already.
        """
        ...

    async def next_number(self, series: str) -> str:
        """The next number of a series, drawn in this transaction."""
        ...
