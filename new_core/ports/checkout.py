"""What the use cases of checkout need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.checkout import CheckoutState, Offer
from new_core.ports.idempotency import RequestKey


@dataclass(frozen=True, slots=True)
class Checkout:
    """A cart on its way to its order; a cart has one, however often it is tried.

    Attributes:
        order_id: of the last try; None before the first.
        offer: what the buyer was shown last; None before anything was.
        request: whose answer the outcome of the last try is.
        failure: why the last try came to nothing; empty when none did.
    """

    id: UUID
    cart_id: UUID
    state: CheckoutState
    created_at: datetime
    order_id: UUID | None = None
    request: RequestKey | None = None
    failure: str = ""
    offer: Offer | None = None


class CheckoutStore(Protocol):
    """Checkouts."""

    async def get(self, checkout_id: UUID) -> Stored[Checkout] | None:
        """A checkout; None when there is none."""
        ...

    async def locked(self, checkout_id: UUID) -> Stored[Checkout] | None:
        """The same; nobody else changes it until this transaction ends."""
        ...

    async def of_cart(self, cart_id: UUID) -> Stored[Checkout] | None:
        """The checkout of a cart."""
        ...

    async def of_order(self, order_id: UUID) -> Stored[Checkout] | None:
        """The checkout whose last try made this order."""
        ...

    async def begin(self, checkout: Checkout, now: datetime) -> Stored[Checkout]:
        """Write a new checkout; where its cart has one, give that."""
        ...

    async def put(self, checkout: Checkout, now: datetime) -> Stored[Checkout]:
        """Write what changed of a checkout."""
        ...

    async def paying_since(self, before: datetime, limit: int) -> tuple[Stored[Checkout], ...]:
        """Checkouts that nobody touched since then and that are still being paid, oldest
        first.
        """
        ...
