"""Amounts that people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.drift_money import amounts


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ("1000.00 EUR", {"EUR": 100_000}),
        ("1,000.50 EUR, 7 JPY", {"EUR": 100_050, "JPY": 7}),
        ("1 EUR; 2 EUR", {"EUR": 300}),
        ("0.5 KWD", {"KWD": 500}),
    ],
)
def test_amounts_are_read_as_minor_units(text: str, wanted: dict[str, int]) -> None:
    assert amounts(text) == wanted


@pytest.mark.parametrize(
    "text", ["1000", "EUR 5", "-5 EUR", "5 eur", "1e9 EUR", "five EUR", "∞ EUR"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        amounts(text)


@given(st.integers(0, 10**12))
def test_what_is_written_is_read(minor: int) -> None:
    assert amounts(f"{minor // 100}.{minor % 100:02} EUR") == {"EUR": minor}
