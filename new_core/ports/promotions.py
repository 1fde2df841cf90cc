"""What the use cases of promotions need."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.promotions import Promotion, PromotionUse, Running


@dataclass(frozen=True, slots=True)
class Usage:
    """One use of a promotion, by an order."""

    promotion_id: UUID
    order_id: UUID
    customer_id: UUID | None
    coupon: str
    amount_minor: int
    used_at: datetime


class PromotionStore(Protocol):
    """Promotions, and who used them."""

    async def running(
        self, codes: Collection[str], customer_id: UUID | None, at: datetime
    ) -> tuple[Running, ...]:
        """Automatic promotions that are live, and those of these codes whatever they are."""
        ...

    async def get(self, promotion_id: UUID) -> Stored[Promotion] | None:
        """A promotion; None when there is none."""
        ...

    async def locked(self, promotion_id: UUID) -> Stored[Promotion] | None:
        """The same; nobody changes or uses it until this transaction ends."""
        ...

    async def page(self, after: UUID | None, limit: int) -> tuple[Stored[Promotion], ...]:
        """Promotions, ascending by id."""
        ...

    async def put(self, promotion: Promotion, now: datetime) -> None:
        """Write a promotion that is locked or new; its uses stay, and are counted anew.

        Raises:
            InvalidValue: another one has its code.
        """
        ...

    async def delete(self, promotion_id: UUID) -> None:
        """Delete a promotion that was never used."""
        ...

    async def use_of(self, promotion_id: UUID) -> PromotionUse:
        """How often it was used and what it gave, by the rows of its uses."""
        ...

    async def usages(self, promotion_id: UUID, after: UUID | None, limit: int) -> tuple[Usage, ...]:
        """Its uses, ascending by order."""
        ...

    async def add_usages(self, usages: Sequence[Usage]) -> tuple[Usage, ...]:
        """Write down uses; gives those that were not there yet."""
        ...

    async def unbounded(self, promotion_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those that neither a limit nor a budget bounds, and will not until this ends."""
        ...

    async def count_use(self, usage: Usage) -> bool | None:
        """Count a use of a bounded promotion, if it has one left: None means it has none,
        True that this was the last one.
        """
        ...

    async def count_customer(self, usage: Usage) -> bool:
        """Count a use by a customer, if they have one left."""
        ...

    async def take_back(self, order_id: UUID) -> tuple[Usage, ...]:
        """Delete an order's uses, and count them down; gives them."""
        ...

    async def to_tell(self, at: datetime, limit: int) -> tuple[tuple[Promotion, str], ...]:
        """Promotions that "started" or "ended" and of which nobody told, claimed for whoever
        does.
        """
        ...
