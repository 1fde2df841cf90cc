"""What the use cases of assortments need."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.assortment import AssignedTo, Assortment
from new_core.domain.catalog import Stored


class AssortmentStore(Protocol):
    """Parts of the catalogue, and who is limited to them."""

    async def every(self) -> tuple[Stored[Assortment], ...]:
        """All assortments, ascending by code."""
        ...

    async def assigned(
        self, customer_id: UUID | None, account_ids: Collection[UUID], group_ids: Collection[UUID]
    ) -> tuple[Assortment, ...]:
        """The assortments that a buyer's view is limited to; none means no limit."""
        ...

    async def put(self, assortment: Assortment, now: datetime) -> Stored[Assortment]:
        """Write an assortment and its rules whole."""
        ...

    async def assign(self, assortment_id: UUID, scope: AssignedTo, scope_id: UUID) -> None:
        """Limit somebody's view to this assortment and those they have already."""
        ...

    async def unassign(self, assortment_id: UUID, scope: AssignedTo, scope_id: UUID) -> None:
        """Take an assortment from somebody; nobody's is fine."""
        ...
