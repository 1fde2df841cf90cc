"""Addresses, from oscar's form and back to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from legacy_adapters.oscar.mapping.fields import Field, boolean, choice, link, phone, text
from legacy_adapters.oscar.mapping.links import Links
from new_core.domain.address import PostalAddress
from new_core.domain.customer import SavedAddress

Json = dict[str, Any]
Known = Callable[[str], bool]

COUNTRY_PATH = r"/api/countries/([A-z]{2})/"
_TITLES = ("Mr", "Miss", "Mrs", "Ms", "Dr")
_LINES = 3


def _named(exists: Known) -> dict[str, Field]:
    """What every kind of address has, in the order in which the API writes it."""

    def optional(longest: int) -> Field:
        return Field(text(longest=longest, blank=True), required=False)

    return {
        "title": Field(choice(_TITLES), required=False),
        "first_name": optional(255),
        "last_name": optional(255),
        "line1": Field(text(longest=255)),
        "line2": optional(255),
        "line3": optional(255),
        "line4": optional(255),
        "state": optional(255),
        "postcode": optional(64),
        "phone_number": Field(phone, required=False),
        "notes": Field(text(blank=True), required=False),
        "country": Field(link(COUNTRY_PATH, exists)),
    }


def shipping_form(exists: Known) -> dict[str, Field]:
    """A shipping address."""
    return _named(exists)


def billing_form(exists: Known) -> dict[str, Field]:
    """A billing address, which nobody can be called at."""
    named = _named(exists)
    return {name: field for name, field in named.items() if name not in ("phone_number", "notes")}


def book_form(exists: Known) -> dict[str, Field]:
    """An address of a customer's book."""
    named = _named(exists)
    country = named.pop("country")
    default = Field(boolean, required=False)
    return {
        **named,
        "is_default_for_shipping": default,
        "is_default_for_billing": default,
        "country": country,
    }


def address(values: Mapping[str, Any], before: PostalAddress | None = None) -> PostalAddress:
    """An address from a form's values; what was not sent stays as it was before."""
    old = shown(before) if before is not None else {}
    new = {**old, **values}
    lines = [str(new.get(f"line{at}", "")) for at in range(1, _LINES + 1)]
    while lines and not lines[-1]:
        lines.pop()
    return PostalAddress(
        country=new["country"].upper(),
        lines=tuple(lines),
        city=new.get("line4", ""),
        first_name=new.get("first_name", ""),
        last_name=new.get("last_name", ""),
        title=new.get("title", ""),
        region=new.get("state", ""),
        postcode=new.get("postcode", "").upper(),
        phone=new.get("phone_number", ""),
        notes=new.get("notes", ""),
    )


def shown(one: PostalAddress) -> Json:
    """The fields that every kind of address shows, in the API's order, and its country's code."""
    lines = (*one.lines, "", "", "")
    return {
        "title": one.title,
        "first_name": one.first_name,
        "last_name": one.last_name,
        "line1": lines[0],
        "line2": lines[1],
        "line3": lines[2],
        "line4": one.city,
        "state": one.region,
        "postcode": one.postcode,
        "phone_number": one.phone,
        "notes": one.notes,
        "country": one.country,
    }


@dataclass(frozen=True, slots=True)
class Printed:
    """An address of an order, as the API writes it.

    Attributes:
        country_name: as it is printed.
        was_read: whether the order comes from the shop's books; the one that has just been
            placed has no code yet where the others have an empty one.
    """

    one: PostalAddress
    number: int
    country_name: str
    was_read: bool

    def shipping(self, links: Links) -> Json:
        """As where the goods go."""
        body = self.billing(links)
        return {**body, "phone_number": self.one.phone, "notes": self.one.notes}

    def billing(self, links: Links) -> Json:
        """As where the bill goes."""
        fields = shown(self.one)
        kept = {name: fields[name] for name in _PRINTED}
        return {
            "id": self.number,
            "country": links.country(self.one.country),
            "code": "" if self.was_read else None,
            **kept,
            "search_text": search_text(self.one, self.country_name),
        }


_PRINTED = (
    "title", "first_name", "last_name", "line1", "line2", "line3", "line4", "state", "postcode",
)  # fmt: skip


def saved(links: Links, one: SavedAddress, number: str, country_name: str) -> Json:
    """An address of a customer's book, as the API writes it."""
    fields = shown(one.address)
    return {
        "id": int(number),
        **{name: fields[name] for name in _PRINTED},
        "search_text": search_text(one.address, country_name),
        "phone_number": fields["phone_number"],
        "notes": fields["notes"],
        "is_default_for_shipping": one.default_shipping,
        "is_default_for_billing": one.default_billing,
        "country": links.country(one.address.country),
        "url": links.user_address(number),
    }


def search_text(one: PostalAddress, country_name: str) -> str:
    """All that is printed of an address, in one line."""
    lines = (*one.lines, one.city, one.region, one.postcode, country_name)
    return " ".join(part for part in (one.first_name, one.last_name, *lines) if part)


def book(before: tuple[SavedAddress, ...], one: SavedAddress) -> tuple[SavedAddress, ...]:
    """The book with an address added, or changed in its place; one that is a default takes
    that from the others, and the first is none unless it says so.
    """
    rest = {
        other.id: replace(
            other,
            default_shipping=other.default_shipping and not one.default_shipping,
            default_billing=other.default_billing and not one.default_billing,
        )
        for other in before
    }
    return tuple((rest | {one.id: one}).values())
