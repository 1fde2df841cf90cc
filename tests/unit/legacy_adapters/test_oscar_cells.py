"""Cells are read the same from every database, and never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.oscar.mapping.cells import MAX_TEXT, Row
from legacy_adapters.oscar.mapping.values import attribute_value, utc_text

cents = st.integers(0, 10**12 - 1)


def a_row(value: object) -> Row:
    return Row("table", {"cell": value})


@given(cents)
def test_a_price_is_the_same_from_float_decimal_and_text(cent: int) -> None:
    amount = Decimal(cent).scaleb(-2)

    found = {a_row(one).price_micro_or_none("cell") for one in (amount, float(amount), str(amount))}

    assert found == {cent * 10_000}


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-11, 11))
def test_a_moment_is_the_same_from_text_and_from_any_zone(moment: datetime, hours: int) -> None:
    if not 10 < moment.year < 9990:
        return
    naive = moment.replace(tzinfo=None)
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))

    found = {a_row(one).moment("cell") for one in (moment, naive, str(naive), elsewhere)}

    assert found == {moment}


@given(st.one_of(st.none(), st.integers(), st.floats(), st.binary(), st.booleans()))
def test_text_is_text_or_an_error(value: object) -> None:
    with pytest.raises(RowCorrupt, match=r"table\.cell"):
        a_row(value).text("cell")


@given(st.one_of(st.integers(), st.floats(), st.text(), st.binary(), st.none(), st.decimals()))
def test_every_reader_gives_its_own_kind_or_an_error(value: Any) -> None:
    readers = {
        "key": str, "integer_or_none": int, "truth_or_none": bool, "number_or_none": float,
        "price_micro_or_none": int, "moment_or_none": datetime, "day_or_none": date,
        "text_or_none": str,
    }  # fmt: skip

    for name, kind in readers.items():
        try:
            found = getattr(a_row(value), name)("cell")
        except RowCorrupt:
            continue
        assert isinstance(found, kind) or (found is None and value is None), name


@pytest.mark.parametrize(
    ("reader", "value", "problem"),
    [
        ("text", "a\x00b", "NUL"),
        ("text", "a\ud800b", "surrogate"),
        ("text", "x" * (MAX_TEXT + 1), "characters, more than"),
        ("integer", 2**31, "not in"),
        ("integer", True, "not an integer"),
        ("key", 0, "not in 1 to"),
        ("truth", 2, "not true or false"),
        ("number_or_none", float("nan"), "which JSON cannot say"),
        ("price_micro_or_none", Decimal("0.0000001"), "more than 6 decimals"),
        ("price_micro_or_none", "1e99999999", "out of range"),
        ("moment", "2026-13-01", "not a time"),
        ("moment", None, "not a time"),
        ("day_or_none", datetime(2026, 1, 1, tzinfo=UTC), "not a date"),
    ],
)
def test_what_is_wrong_is_said(reader: str, value: object, problem: str) -> None:
    with pytest.raises(RowCorrupt) as caught:
        getattr(a_row(value), reader)("cell")

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "column", "cell", "value"),
    [
        ("text", "value_text", "a", "a"),
        ("richtext", "value_richtext", None, None),
        ("integer", "value_integer", 3, 3),
        ("float", "value_float", 1, 1.0),
        ("boolean", "value_boolean", 0, False),
        ("date", "value_date", "2020-02-29", "2020-02-29"),
        ("datetime", "value_datetime", "2020-02-29 12:00:00.5", "2020-02-29T12:00:00.500000Z"),
        ("option", "option_label", "Red", "Red"),
        ("image", "value_image", "", None),
        ("file", "value_file", "a.pdf", "a.pdf"),
    ],
)
def test_an_attribute_value_comes_from_the_column_of_its_type(
    kind: str, column: str, cell: object, value: object
) -> None:
    row = Row("t", {"attribute_type": kind, column: cell})

    assert attribute_value(row, ()) == value


def test_labels_of_several_options_are_kept_in_order() -> None:
    row = Row("t", {"attribute_type": "multi_option"})

    assert attribute_value(row, ("b", "a")) == ("b", "a")


def test_an_entity_is_refused() -> None:
    row = Row("t", {"attribute_type": "entity"})

    with pytest.raises(RowCorrupt, match="'entity', which the core does not have"):
        attribute_value(row, ())


def test_a_whole_second_has_no_fraction() -> None:
    assert utc_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
