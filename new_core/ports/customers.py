"""What the use cases of customers need."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer
from new_core.domain.customer_accounts import BusinessAccount, CustomerGroup, Membership


@dataclass(frozen=True, slots=True)
class CustomerQuery:
    """Which customers a page holds, ascending by (updated_at, id)."""

    limit: int
    after: tuple[datetime, UUID] | None = None
    email: str | None = None
    updated_since: datetime | None = None
    group_id: UUID | None = None


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

    async def page(self, query: CustomerQuery) -> tuple[Stored[Customer], ...]:
        """At most `query.limit` customers; a fixed number of queries."""
        ...

    async def add_token(
        self, digest: str, customer_id: UUID, purpose: str, now: datetime, expires_at: datetime
    ) -> None:
        """Keep a secret that is good for one use; older ones for that purpose are not any more."""
        ...

    async def take_token(self, digest: str, purpose: str, now: datetime) -> UUID | None:
        """Use a secret up: the customer whose it was; None when it is none, or used, or late."""
        ...

    async def drop_tokens(self, customer_id: UUID) -> None:
        """Nothing that was sent to a customer opens anything any more."""
        ...

    async def forget_tokens(self, before: datetime) -> int:
        """Delete secrets that nobody used until then; gives how many."""
        ...

    async def groups(self, ids: Collection[UUID] | None = None) -> tuple[CustomerGroup, ...]:
        """Groups by code: all, or those of some ids."""
        ...

    async def put_group(self, group: CustomerGroup, now: datetime) -> None:
        """Write a group.

        Raises:
            InvalidValue: another one has the code.
        """
        ...

    async def account(self, account_id: UUID) -> Stored[BusinessAccount] | None: ...
    async def accounts(self, after: UUID | None, limit: int) -> tuple[Stored[BusinessAccount], ...]:
        """Business accounts, ascending by id."""
        ...

    async def put_account(
        self, account: BusinessAccount, now: datetime
    ) -> Stored[BusinessAccount]: ...
    async def lineage(self, account_id: UUID) -> tuple[UUID, ...]:
        """A business account and those above it, nearest first; empty when there is none."""
        ...

    async def members(self, account_id: UUID) -> tuple[Membership, ...]:
        """Who acts for an account, ascending by customer."""
        ...

    async def put_member(self, member: Membership) -> None: ...
    async def remove_member(self, account_id: UUID, customer_id: UUID) -> bool:
        """Whether they were one."""
        ...

    async def leave_accounts(self, customer_id: UUID) -> None:
        """A customer acts for nobody any more."""
        ...
