"""A value fits its attribute's type, or is refused with the attribute's code."""

from __future__ import annotations

from uuid import uuid4

import pytest

from new_core.domain.attributes import checked
from new_core.domain.catalog import (
    AttributeContent,
    AttributeDef,
    Category,
    ValueType,
    next_path,
)
from new_core.errors import InvalidValue

KEPT: list[tuple[ValueType, AttributeContent]] = [
    (ValueType.TEXT, "Leather"),
    (ValueType.INTEGER, -7),
    (ValueType.NUMBER, 2.5),
    (ValueType.NUMBER, 10**40),
    (ValueType.BOOLEAN, False),
    (ValueType.DATE, "2026-02-28"),
    (ValueType.DATETIME, "2026-02-28T10:00:00+00:00"),
    (ValueType.CHOICE, "red"),
    (ValueType.CHOICES, ("red", "green")),
    (ValueType.FILE, "a/b.pdf"),
    (ValueType.TEXT, None),
]
REFUSED: list[tuple[ValueType, AttributeContent]] = [
    (ValueType.TEXT, 5),
    (ValueType.TEXT, "x" * 10_001),
    (ValueType.INTEGER, True),
    (ValueType.INTEGER, 1.0),
    (ValueType.INTEGER, 2**53 + 1),
    (ValueType.NUMBER, float("nan")),
    (ValueType.NUMBER, "2.5"),
    (ValueType.BOOLEAN, 1),
    (ValueType.DATE, "2026-02-30"),
    (ValueType.DATETIME, 5),
    (ValueType.CHOICES, ("red", "")),
    (ValueType.CHOICES, "red"),
]


def attribute(kind: ValueType) -> AttributeDef:
    return AttributeDef(uuid4(), uuid4(), "colour", "Colour", kind, required=False)


@pytest.mark.parametrize(("kind", "content"), KEPT)
def test_a_value_that_fits_is_kept_as_it_is(kind: ValueType, content: AttributeContent) -> None:
    assert checked(attribute(kind), content) == content


@pytest.mark.parametrize(("kind", "content"), REFUSED)
def test_a_value_that_does_not_fit_is_refused(kind: ValueType, content: AttributeContent) -> None:
    with pytest.raises(InvalidValue, match=r"attributes\.colour must be"):
        checked(attribute(kind), content)


def category(path: str) -> Category:
    return Category(
        uuid4(), None, path, None, path, path, "", "", None, None, None, True, True, True
    )  # fmt: skip


def test_a_new_category_stands_after_its_siblings() -> None:
    above = category("000B")

    assert next_path(None, []) == "0001"
    assert next_path(None, [category("0002"), above]) == "000C"
    assert next_path(above, [category("000B000Z")]) == "000B0010"


def test_a_full_shelf_and_a_shelf_too_deep_take_no_more() -> None:
    for parent, siblings in ((None, [category("ZZZZ")]), (category("0001" * 63), [])):
        with pytest.raises(InvalidValue, match="no room"):
            next_path(parent, siblings)
