"""Who buys here again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.address import PostalAddress


class CustomerStatus(StrEnum):
    """Whether a customer may log in."""

    ACTIVE = "active"
    DISABLED = "disabled"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class SavedAddress:
    """An address in a customer's book."""

    id: UUID
    address: PostalAddress
    default_shipping: bool = False
    default_billing: bool = False


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer.

    Attributes:
        email: normalised; unique among those not erased.
        username: what the shop before called them; empty where it is the e-mail.
        password_hash: argon2, or what the shop before made of it, e.g. "pbkdf2_sha256$…";
            empty when they cannot log in with a password.
    """

    id: UUID
    email: str
    status: CustomerStatus
    created_at: datetime
    username: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    locale: str = ""
    password_hash: str = ""
    group_ids: frozenset[UUID] = frozenset()
    addresses: tuple[SavedAddress, ...] = ()
