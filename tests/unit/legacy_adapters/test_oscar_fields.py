"""What clients send, read by the rules of Django REST framework."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.oscar.mapping.fields import (
    Field,
    InvalidField,
    InvalidForm,
    boolean,
    choice,
    decimal,
    email,
    integer,
    link,
    many,
    nested,
    phone,
    read_form,
    text,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FORM = {
    "count": Field(integer(least=0, most=9)),
    "name": Field(text(longest=5)),
    "mail": Field(email(longest=20), required=False),
    "sum": Field(decimal(), required=False, default=None),
    "yes": Field(boolean, required=False),
    "title": Field(choice(("Mr", "Ms")), required=False),
    "phone": Field(phone, required=False),
    "home": Field(link(r"/api/countries/([A-z]{2})/", {"GB"}.__contains__), required=False),
    "inner": Field(nested({"n": Field(integer())}), required=False, nullable=True),
    "list": Field(many({"n": Field(integer())}), required=False),
}


@given(sent=json_values | st.dictionaries(st.sampled_from(sorted(FORM)), json_values))
def test_whatever_is_sent_is_read_or_refused(sent: Any) -> None:
    values: dict[str, Any] = {"count": 0, "name": "x"}

    with contextlib.suppress(InvalidForm):
        values = read_form(FORM, sent)

    assert 0 <= values["count"] <= 9
    assert 1 <= len(values["name"]) <= 5


@pytest.mark.parametrize(
    ("field", "sent", "problem"),
    [
        ("count", "x", "A valid integer is required."),
        ("count", 1.5, "A valid integer is required."),
        ("count", -1, "Ensure this value is greater than or equal to 0."),
        ("count", 10, "Ensure this value is less than or equal to 9."),
        ("count", None, "This field may not be null."),
        ("count", "1" * 1001, "String value too large."),
        ("name", " ", "This field may not be blank."),
        ("name", True, "Not a valid string."),
        ("name", "a\x00b", "Null characters are not allowed."),
        ("name", "a\ud800", "Surrogate characters are not allowed: U+D800."),
        ("name", "abcdef", "Ensure this field has no more than 5 characters."),
        ("mail", "x", "Enter a valid email address."),
        ("sum", "five", "A valid number is required."),
        ("sum", "NaN", "A valid number is required."),
        ("sum", "5.001", "Ensure that there are no more than 2 decimal places."),
        ("sum", "1" * 13, "Ensure that there are no more than 12 digits in total."),
        ("yes", "maybe", "Must be a valid boolean."),
        ("title", "Lord", '"Lord" is not a valid choice.'),
        ("phone", "12", "The phone number entered is not valid."),
        ("home", "nonsense", "Invalid hyperlink - No URL match."),
        ("home", "/api/products/7/", "Invalid hyperlink - Incorrect URL match."),
        ("home", "/api/countries/XX/", "Invalid hyperlink - Object does not exist."),
        ("home", 7, "Incorrect type. Expected URL string, received int."),
    ],
)  # fmt: skip
def test_a_refusal_is_in_the_frameworks_words(field: str, sent: object, problem: str) -> None:
    with pytest.raises(InvalidForm) as refused:
        read_form(FORM, {"count": 1, "name": "x", field: sent})

    assert refused.value.problems == {field: [problem]}


def test_values_come_as_what_they_are() -> None:
    sent = {
        "count": "3.0", "name": " ab ", "sum": 5, "yes": "on", "phone": "+44 20 7946 0018",
        "home": "http://shop/api/countries/GB/", "inner": {"n": 1}, "list": [{"n": 2}],
    }  # fmt: skip

    assert read_form(FORM, sent) == {
        "count": 3, "name": "ab", "sum": Decimal("5.00"), "yes": True, "phone": "+442079460018",
        "home": "GB", "inner": {"n": 1}, "list": [{"n": 2}],
    }  # fmt: skip


def test_part_of_a_form_needs_nothing_and_sets_nothing_else() -> None:
    assert read_form(FORM, {"count": 3}, partial=True) == {"count": 3}


def test_a_list_names_the_rows_that_are_refused() -> None:
    with pytest.raises(InvalidField) as refused:
        many({"n": Field(integer())})([{"n": 1}, {}])

    assert refused.value.problems == [{}, {"n": ["This field is required."]}]
