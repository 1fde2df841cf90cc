"""Money is exact, rounded once, and says itself without loss."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.currency import CURRENCIES, decimals
from new_core.domain.money import (
    MAX_UNIT_MICRO,
    Money,
    Rounding,
    UnitPrice,
    divide,
    scaled_text,
    unit_micro,
)
from new_core.errors import InvalidValue

currencies = st.sampled_from(sorted(CURRENCIES))
micros = st.integers(0, MAX_UNIT_MICRO - 1)
quantities = st.integers(1, 1_000_000)


@given(micros, quantities, currencies, st.sampled_from(Rounding))
def test_a_line_total_is_off_by_half_a_minor_unit_at_most(
    micro: int, quantity: int, currency: str, rounding: Rounding
) -> None:
    divisor = 10 ** (6 - decimals(currency))

    total = UnitPrice(micro, currency).times(quantity, rounding)

    assert abs(total.minor * divisor - micro * quantity) * 2 <= divisor


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**7))
def test_rounding_is_that_of_decimal(amount: int, divisor: int) -> None:
    exact = Decimal(amount) / Decimal(divisor)

    half_up = divide(amount, divisor)
    half_even = divide(amount, divisor, Rounding.HALF_EVEN)

    if (2 * abs(amount)) % divisor or not (2 * abs(amount) // divisor) % 2:
        assert half_up == half_even
    assert abs(half_up) >= abs(half_even)
    assert abs(exact - half_even) <= Decimal("0.5")
    assert divide(-amount, divisor) == -half_up


@given(micros, quantities, quantities)
def test_more_units_never_cost_less(micro: int, few: int, more: int) -> None:
    price = UnitPrice(micro, "EUR")

    few, more = sorted((few, more))

    assert price.times(few).minor <= price.times(more).minor


@given(micros, currencies)
def test_a_unit_price_reads_back_from_its_text(micro: int, currency: str) -> None:
    text = UnitPrice(micro, currency).text

    assert unit_micro(Decimal(text)) == micro
    assert len(text.partition(".")[2]) >= decimals(currency)


@given(st.integers(-(10**15), 10**15), currencies)
def test_money_reads_back_from_its_text(minor: int, currency: str) -> None:
    text = Money(minor, currency).text

    assert Decimal(text).scaleb(decimals(currency)) == minor


@pytest.mark.parametrize(
    ("micro", "currency", "text"),
    [
        (19_990_000, "GBP", "19.99"),
        (3_250, "CAD", "0.00325"),
        (5_000_000, "JPY", "5"),
        (500_000, "JPY", "0.5"),
        (1_500_000, "KWD", "1.500"),
        (0, "EUR", "0.00"),
    ],
)
def test_a_unit_price_shows_the_decimals_it_needs(micro: int, currency: str, text: str) -> None:
    assert UnitPrice(micro, currency).text == text


@pytest.mark.parametrize(
    "amount",
    [
        "-0.01",
        "0.0000001",
        f"1.{'0' * 40}1",
        "10000000000",
        "NaN",
        "Infinity",
        "1e999999",
        "1e-999999",
    ],
)
def test_what_is_no_price_is_refused(amount: str) -> None:
    with pytest.raises(InvalidValue, match="price"):
        unit_micro(Decimal(amount))


def test_an_unknown_currency_is_refused_rather_than_guessed() -> None:
    with pytest.raises(InvalidValue, match="'GBX' is not an ISO 4217 code"):
        decimals("GBX")


def test_halves_go_up_or_to_the_even() -> None:
    assert [divide(n, 2) for n in (1, 3, -1, -3)] == [1, 2, -1, -2]
    assert [divide(n, 2, Rounding.HALF_EVEN) for n in (1, 3, -1, -3)] == [0, 2, 0, -2]


def test_negative_cents_keep_their_sign() -> None:
    assert scaled_text(-5, 2) == "-0.05"
