"""Groups of customers, and the companies that some of them buy for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CustomerGroup:
    """Customers who are treated alike, e.g. by prices."""

    id: UUID
    code: str
    name: str


class AccountKind(StrEnum):
    """Whether an account stands alone or below another."""

    COMPANY = "company"
    DIVISION = "division"


class AccountStatus(StrEnum):
    """Where a business account stands."""

    PROSPECT = "prospect"
    PENDING_REVIEW = "pending_review"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


NEXT: dict[AccountStatus, frozenset[AccountStatus]] = {
    AccountStatus.PROSPECT: frozenset({AccountStatus.PENDING_REVIEW, AccountStatus.CLOSED}),
    AccountStatus.PENDING_REVIEW: frozenset({AccountStatus.ACTIVE, AccountStatus.CLOSED}),
    AccountStatus.ACTIVE: frozenset({AccountStatus.SUSPENDED, AccountStatus.CLOSED}),
    AccountStatus.SUSPENDED: frozenset({AccountStatus.ACTIVE, AccountStatus.CLOSED}),
    AccountStatus.CLOSED: frozenset(),
}
"""Where an account may go from where it stands."""


@dataclass(frozen=True, slots=True)
class BusinessAccount:
    """A company, or a part of one. Who stands above it never changes, so the tree is one.

    Attributes:
        parent_id: of a division the account above it.
        tax_ids: (kind, number), e.g. ("CA_GST", "123456789RT0001").
    """

    id: UUID
    kind: AccountKind
    status: AccountStatus
    legal_name: str
    currency: str
    created_at: datetime
    parent_id: UUID | None = None
    tax_ids: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """A customer who acts for a business account.

    Attributes:
        role: what they may there; the words of approvals, which read it.
        spending_limit_minor: in the account's currency; None for none.
    """

    account_id: UUID
    customer_id: UUID
    role: str
    joined_at: datetime
    active: bool = True
    spending_limit_minor: int | None = None
