"""Who buys here again."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.address import PostalAddress
from new_core.errors import InvalidValue


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


LONGEST_EMAIL = 254


def normal_email(text: str) -> str:
    """One spelling per address: composed, without spaces around it, in lower case.

    The part before the @ is lowered too: no shop's customers count on a difference there, and
    whoever registers twice by accident is one customer. Whether mail reaches it nobody can
    tell from looking.

    Raises:
        InvalidValue: it is no address.
    """
    found = unicodedata.normalize("NFC", text.strip()).lower()
    local, at, domain = found.rpartition("@")
    odd = any(one.isspace() or unicodedata.category(one) in {"Cc", "Cs"} for one in found)
    if not (local and at and domain) or "@" in local or odd or len(found) > LONGEST_EMAIL:
        raise InvalidValue("email", "is no e-mail address")
    return found
