"""Digests, ids, category trees and cursors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.api.answers import id_cursor, read_id_cursor, read_time_cursor, time_cursor
from new_core.domain.canonical import canonical_bytes, digest
from new_core.domain.catalog import (
    AttributeDef,
    AttributeValue,
    Category,
    Option,
    ProductType,
    Reference,
    ValueType,
    inherited,
)
from new_core.domain.identity import core_id
from new_core.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Pair:
    left: object
    right: object


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(),
    st.floats(allow_nan=False),
    st.uuids(),
    st.datetimes(timezones=st.just(UTC)),
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner).map(tuple), st.builds(Pair, inner, inner))
)


def told_apart(value: Any) -> object:
    """A form in which Python too keeps 1, True and 1.0 apart, and 0.0 and -0.0."""
    if isinstance(value, tuple):
        return ("tuple", *(told_apart(one) for one in value))
    if isinstance(value, Pair):
        return ("pair", told_apart(value.left), told_apart(value.right))
    return (type(value).__name__, value.hex() if isinstance(value, float) else value)


@given(values, values)
def test_values_have_one_form_if_and_only_if_they_are_equal(one: object, other: object) -> None:
    same = told_apart(one) == told_apart(other)

    assert (canonical_bytes(one) == canonical_bytes(other)) == same


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-12, 12))
def test_one_moment_has_one_digest_in_every_zone(moment: datetime, hours: int) -> None:
    if not 10 < moment.year < 9990:
        return
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))

    assert digest(elsewhere) == digest(moment)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), {"a": 1}, [1], Pair])  # noqa: DTZ001 - the point
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        digest(value)


def test_ids_of_things_from_elsewhere_are_the_same_for_ever() -> None:
    assert core_id("oscar", "product", 9) == core_id("oscar", "product", "9")
    assert core_id("oscar", "product", 9) != core_id("oscar", "variant", 9)
    assert core_id("oscar", "product", 9) != core_id("other", "product", 9)
    assert str(core_id("oscar", "product", 9)) == "ef2080fa-4126-5f71-accf-0c82114572c5"


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_leads_back_to_its_place(at: datetime, last: UUID) -> None:
    assert read_time_cursor(time_cursor(at, last)) == (at, last)
    assert read_id_cursor(id_cursor(last)) == last


@given(st.text(max_size=60))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    for read in (read_time_cursor, read_id_cursor):
        try:
            read(text)
        except InvalidValue as refused:
            assert refused.field == "after"  # noqa: PT017 - most texts are refused, a few are cursors


def a_category(number: int, path: str, slug: str) -> Category:
    return Category(
        id=UUID(int=number), parent_id=None, path=path, code=None, slug=slug, name=slug.title(),
        description="", long_description="", seo_title=None, seo_description=None, image=None,
        listed=True, published=True, ancestors_published=True,
    )  # fmt: skip


BOOKS, FICTION, CRIME = (
    a_category(1, "0001", "books"),
    a_category(2, "00010002", "fiction"),
    a_category(3, "000100020001", "crime"),
)
OTHER = a_category(4, "0002", "fiction")
TYPE = ProductType(UUID(int=9), "book", "Book", True, True, (UUID(int=11), UUID(int=12)))
OPTIONS = {
    UUID(int=n): Option(UUID(int=n), name, name, "text", False, None, rank)
    for n, name, rank in ((11, "b", 2), (12, "c", None), (13, "a", None))
}
COLOUR, TINT = (
    AttributeDef(UUID(int=n), None, "colour", "Colour", ValueType.TEXT, required=False)
    for n in (21, 22)
)
SIZE = AttributeDef(UUID(int=23), None, "size", "Size", ValueType.TEXT, required=False)
REFERENCE = Reference(
    types={TYPE.id: TYPE},
    attributes={one.id: one for one in (COLOUR, TINT, SIZE)},
    options=OPTIONS,
    categories={one.id: one for one in (BOOKS, FICTION, CRIME, OTHER)},
    categories_by_path={one.path: one for one in (BOOKS, FICTION, CRIME, OTHER)},
)


def test_a_category_knows_its_way_from_the_top() -> None:
    assert REFERENCE.lineage(CRIME) == (BOOKS, FICTION, CRIME)
    assert REFERENCE.slug_path(CRIME) == "books/fiction/crime"
    assert REFERENCE.children(None) == (BOOKS, OTHER)
    assert REFERENCE.children(BOOKS) == (FICTION,)


@pytest.mark.parametrize(
    ("slugs", "found"),
    [
        ("books", BOOKS), ("books/fiction", FICTION), (" books / fiction/crime", CRIME),
        ("fiction", OTHER), ("crime", None), ("books//crime", None), ("", None), ("books/", None),
    ],
)  # fmt: skip
def test_slugs_lead_from_the_top_only(slugs: str, found: Category | None) -> None:
    assert REFERENCE.by_slug_path(slugs) == found


def test_options_of_type_and_product_come_once_without_rank_first() -> None:
    options = REFERENCE.options_of(TYPE, (UUID(int=13), UUID(int=11)))

    assert [one.code for one in options] == ["a", "c", "b"]


def test_a_variant_overrides_by_code_and_inherits_the_rest() -> None:
    own = (AttributeValue(TINT.id, "red"),)
    parent = (AttributeValue(COLOUR.id, "blue"), AttributeValue(SIZE.id, "L"))

    values = inherited(own, parent, REFERENCE)

    assert values == (own[0], parent[1])
