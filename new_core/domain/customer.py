"""Who buys here again."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
MOST_ADDRESSES = 100
RESET_LIVES = timedelta(minutes=30)


def with_address(book: tuple[SavedAddress, ...], saved: SavedAddress) -> tuple[SavedAddress, ...]:
    """The book with an address added, or put in the place of the one with its id. One that is
    a default takes that from the others; the first one is both defaults.

    Raises:
        InvalidValue: the book is full.
    """
    if not book:
        return (replace(saved, default_shipping=True, default_billing=True),)
    rest = tuple(
        replace(
            one,
            default_shipping=one.default_shipping and not saved.default_shipping,
            default_billing=one.default_billing and not saved.default_billing,
        )
        for one in book
        if one.id != saved.id
    )
    if len(rest) >= MOST_ADDRESSES:
        raise InvalidValue("addresses", f"are {MOST_ADDRESSES} at most; delete one")
    return (*rest, saved)


def anonymised(customer: Customer) -> Customer:
    """A customer of whom nothing is left but that there was one: their id, and when they came.
    Of addresses country, region, city and the first part of the postcode stay.
    """
    return Customer(
        customer.id,
        "",
        CustomerStatus.ERASED,
        customer.created_at,
        addresses=tuple(
            replace(one, address=anonymised_address(one.address)) for one in customer.addresses
        ),
    )


def anonymised_address(address: PostalAddress) -> PostalAddress:
    """Where roughly something went: what taxes and statistics need, and nobody's door."""
    return PostalAddress(
        address.country,
        (),
        address.city,
        region=address.region,
        postcode=truncated(address.postcode),
    )


def truncated(postcode: str) -> str:
    """The first half of a postcode, three characters at most: a district, not a street."""
    plain = "".join(postcode.split())
    return plain[: min(3, len(plain) // 2)]


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
