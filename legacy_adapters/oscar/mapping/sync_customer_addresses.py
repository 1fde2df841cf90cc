"""Addresses between oscar's columns and documents."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import msgspec

from legacy_adapters.mapping.rows import Cell
from legacy_adapters.mapping.rows import Row as Cells
from legacy_adapters.oscar.mapping.cells import Row
from legacy_adapters.oscar.mapping.sync_customer_countries import PRINTED


class Address(msgspec.Struct, frozen=True):
    """A printed address.

    Attributes:
        lines: street and more, at most 3, without empty ones at the end.
        country: ISO 3166-1 alpha-2.
    """

    country: str
    lines: tuple[str, ...]
    city: str
    title: str
    first_name: str
    last_name: str
    region: str
    postcode: str
    phone: str = ""
    notes: str = ""


def address(row: Row, *, is_called: bool = True) -> Address:
    """The address of a row of any of oscar's tables of addresses.

    Args:
        row: read strictly.
        is_called: whether its table has a telephone number and notes.

    Raises:
        RowCorrupt: a cell is no text.
    """
    return Address(
        country=row.text("country_id"),
        lines=printed_lines(row.text("line1"), row.text("line2"), row.text("line3")),
        city=row.text("line4"),
        title=row.text("title"),
        first_name=row.text("first_name"),
        last_name=row.text("last_name"),
        region=row.text("state"),
        postcode=row.text("postcode"),
        phone=row.text("phone_number") if is_called else "",
        notes=row.text("notes") if is_called else "",
    )


def printed_lines(*lines: str) -> tuple[str, ...]:
    """Lines without the empty ones behind the last that is not."""
    end = len(lines)
    while end and not lines[end - 1]:
        end -= 1
    return lines[:end]


def address_cells(one: Address, *, is_called: bool = True) -> Mapping[str, Cell]:
    """The columns of an address in oscar, but for its key and its code."""
    line1, line2, line3 = (*one.lines, "", "", "")[:3]
    names = {"title": one.title, "first_name": one.first_name, "last_name": one.last_name}
    places = {
        "line1": line1, "line2": line2, "line3": line3, "line4": one.city, "state": one.region,
        "postcode": one.postcode,
    }  # fmt: skip
    called = {"phone_number": one.phone, "notes": one.notes} if is_called else {}
    return {
        **names,
        **places,
        **called,
        "country_id": one.country,
        "search_text": _search_text(one),
    }


def address_hash(cells: Cells) -> str:
    """By which oscar keeps a customer's addresses apart."""
    person = " ".join(str(cells[name]) for name in _PERSON if cells[name]).strip()
    parts = [person, *(str(cells[name]) for name in _PLACE), printed(str(cells["country_id"]))]
    whole = ", ".join(part.strip() for part in parts if part)
    return str(zlib.crc32(whole.upper().encode("utf-8")))


def printed(country: str) -> str:
    """A country's name as oscar prints it; its code where nobody knows a name."""
    return PRINTED.get(country, country)


def _search_text(one: Address) -> str:
    parts = (
        one.first_name, one.last_name, *one.lines, one.city, one.region, one.postcode,
        printed(one.country),
    )  # fmt: skip
    return " ".join(part for part in parts if part)


_PERSON = ("title", "first_name", "last_name")
_PLACE = ("line1", "line2", "line3", "line4", "state", "postcode")
