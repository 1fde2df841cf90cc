"""Money in answers: read exactly, added up per currency, or not at all."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Side, ValueRule
from shadow_compare.core.stake import (
    Amount,
    Stake,
    amount_in,
    digits_of,
    minor_of,
    money,
    rule_for,
    stake_of,
)

EUR = ValueRule("$.price.incl_tax", "EUR")
NAMED = ValueRule("$.total", "$.currency")


def body(price: object) -> bytes:
    return json.dumps({"price": {"incl_tax": price}}).encode()


@pytest.mark.parametrize(
    ("price", "minor"),
    [
        ("12.99", 1_299),
        (12, 1_200),
        ("0.005", 0),
        ("0.015", 2),
        ("-3.10", -310),
        ("+1", 100),
        (True, None),
        (None, None),
        ("", None),
        ("12,99", None),
        ("1e3", None),
        ("1" * 16, None),
        ([], None),
        ("[hmac:5f2b7c90aa41d3e6]", None),
        ("\N{ARABIC-INDIC DIGIT ONE}", None),
    ],
)
def test_an_amount_is_money_or_it_is_not(price: object, minor: int | None) -> None:
    found = amount_in(EUR, body(price))

    assert found == (None if minor is None else Amount(minor, "EUR"))


def test_a_number_is_read_as_it_stands_and_not_as_a_float() -> None:
    assert amount_in(EUR, b'{"price": {"incl_tax": 1.005}}') == Amount(100, "EUR")
    assert amount_in(EUR, b'{"price": {"incl_tax": 1.015}}') == Amount(102, "EUR")
    assert amount_in(EUR, b'{"price": {"incl_tax": 1e400}}') is None
    assert amount_in(EUR, b'{"price": {"incl_tax": NaN}}') is None


@pytest.mark.parametrize("text", [b"", b"{", b"<p>12.99</p>", b"\xff\xfe", b"[" * 100_000])
def test_what_cannot_be_read_is_no_money(text: bytes) -> None:
    assert amount_in(EUR, text) is None


def test_the_currency_may_stand_in_the_answer() -> None:
    assert amount_in(NAMED, b'{"total": "5", "currency": "JPY"}') == Amount(5, "JPY")
    assert amount_in(NAMED, b'{"total": "5", "currency": "KWD"}') == Amount(5_000, "KWD")
    assert amount_in(NAMED, b'{"total": "5", "currency": "eur"}') is None
    assert amount_in(NAMED, b'{"total": "5"}') is None


def test_all_amounts_at_a_path_are_added_up_or_none() -> None:
    lines = ValueRule("$.lines[*].price", "EUR")
    anywhere = ValueRule("$..price", "EUR", in_minor=True)

    assert amount_in(lines, b'{"lines": [{"price": "1"}, {"price": 2.5}]}') == Amount(350, "EUR")
    assert amount_in(lines, b'{"lines": [{"price": "1"}, {"price": null}]}') is None
    assert amount_in(lines, b'{"lines": []}') is None
    deep = b'{"price": 1, "a": [{"price": 2, "b": {"price": 3}}]}'
    assert amount_in(anywhere, deep) == Amount(6, "EUR")
    assert amount_in(anywhere, b'{"a": [' + b'{"price": 1},' * 1_500 + b"0]}") is None


@given(st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_what_is_written_as_money_is_read_as_the_same_money(minor: int, currency: str) -> None:
    text = money(minor, currency).removesuffix(f" {currency}").replace(",", "")

    assert minor_of(text, currency) == minor
    assert minor_of(minor, currency, in_minor=True) == minor
    assert minor_of(Decimal(text), currency) == minor
    assert len(text.partition(".")[2]) == digits_of(currency)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_stake_is_of_the_live_answer_and_its_gap_of_both(legacy: int, core: int) -> None:
    rule = ValueRule("$.price.incl_tax", "EUR", in_minor=True)

    found = stake_of(rule, body(legacy), body(core), Side.LEGACY)
    flipped = stake_of(rule, body(legacy), body(core), Side.CORE)

    assert found is not None
    assert flipped is not None
    assert (found.affected_minor, flipped.affected_minor) == (legacy, core)
    assert found.over_minor - found.under_minor == core - legacy
    assert min(found.over_minor, found.under_minor) == 0
    assert found.gap_minor == abs(core - legacy)


def test_money_that_only_one_side_names_is_affected_and_not_compared() -> None:
    lacking = stake_of(EUR, body("12.99"), b"{}", Side.LEGACY)
    other = stake_of(
        NAMED,
        b'{"total": "5", "currency": "EUR"}',
        b'{"total": "5", "currency": "USD"}',
        Side.LEGACY,
    )

    assert lacking == Stake("EUR", 1_299, exchanges=1, compared=0)
    assert other == Stake("EUR", 500, exchanges=1, compared=0)
    assert stake_of(EUR, b"{}", body("12.99"), Side.LEGACY) is None


def test_stakes_of_one_currency_add_up_without_cancelling_out() -> None:
    both = Stake("EUR", 100, 5, 0) + Stake("EUR", 200, 0, 5)

    assert both == Stake("EUR", 300, 5, 5, exchanges=2, compared=2)
    assert both.gap_minor == 10
    with pytest.raises(ValueError, match="cannot be added"):
        _ = both + Stake("USD", 1)


def test_a_route_goes_by_its_own_rule_before_the_one_for_all() -> None:
    own = ValueRule("$.a", "EUR", ("/cart/",))
    rest = ValueRule("$.b", "EUR")

    assert rule_for((rest, own), "/cart/") is own
    assert rule_for((rest, own), "/price/") is rest
    assert rule_for((own,), "/price/") is None
