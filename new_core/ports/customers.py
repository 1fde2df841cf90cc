"""What the use cases of customers need."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer


class CustomerStore(Protocol):
    """Customers with their addresses."""

    async def get(self, customer_id: UUID) -> Stored[Customer] | None:
        """A customer; None when there is none."""
        ...

    async def locked(self, customer_id: UUID) -> Stored[Customer] | None:
        """The same; nobody else changes it until this transaction ends."""
        ...

    async def by_email(self, email: str) -> Stored[Customer] | None:
        """The customer of a normalised e-mail address who is not erased."""
        ...

    async def by_username(self, username: str) -> Stored[Customer] | None:
        """The customer whom the shop before called so, who is not erased."""
        ...

    async def put(self, customer: Customer, now: datetime) -> Stored[Customer]:
        """Write a customer and their addresses whole.

        Raises:
            InvalidValue: another customer has this e-mail address or this username.
        """
        ...

    async def accounts_of(self, customer_id: UUID) -> tuple[UUID, ...]:
        """The business accounts that a customer is an active member of, ascending."""
        ...

    async def old_hash(self) -> str:
        """A password hash that the shop before made; empty when none are left."""
        ...
