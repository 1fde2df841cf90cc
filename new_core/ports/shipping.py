"""What the use cases of shipping need."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.shipping import ShippingMethod


class ShippingStore(Protocol):
    """Ways of shipping; a shop has a handful."""

    async def methods(self) -> tuple[Stored[ShippingMethod], ...]:
        """All of them, by rank and code."""
        ...

    async def locked(self, method_id: UUID) -> Stored[ShippingMethod] | None:
        """One that nobody else changes until this transaction ends."""
        ...

    async def put(self, method: ShippingMethod, now: datetime) -> Stored[ShippingMethod]:
        """Write one and give it as it is now.

        Raises:
            InvalidValue: another one has its code.
        """
        ...

    async def delete(self, method_id: UUID) -> None:
        """Delete one; orders keep their own copy of what they were shipped with."""
        ...
