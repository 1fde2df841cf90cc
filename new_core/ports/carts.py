"""What the use cases of carts need."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.cart import Cart
from new_core.domain.catalog import Stored


class CartStore(Protocol):
    """Carts with their lines."""

    async def get(self, cart_id: UUID) -> Stored[Cart] | None:
        """A cart, whatever its state; None when there is none."""
        ...

    async def locked(self, cart_id: UUID) -> Stored[Cart] | None:
        """The same; nobody else changes it until this transaction ends."""
        ...

    async def put(self, cart: Cart, now: datetime) -> Stored[Cart]:
        """Write a cart and its lines whole, and give it as it is now."""
        ...
