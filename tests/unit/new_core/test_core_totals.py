"""The money of any cart adds up, to the minor unit."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.buyer import Buyer
from new_core.domain.money import Rounding, divide, spread
from new_core.domain.pricing import NO_PRICE, Standing
from new_core.domain.reservation import Want
from new_core.domain.tax import Taxable, TaxRounding, TaxRule, TaxSystem
from new_core.domain.tax_amounts import tax_all
from new_core.domain.totals import CartAsked, LineAsked, PricedCart, PricedLine, PricedShipping
from new_core.domain.totals_cart import Known, price_cart
from tests.support.pricing_carts import HERE, NOW, carts

Drawn = tuple[CartAsked, Known]


def parts_of(priced: PricedCart) -> list[PricedLine | PricedShipping]:
    return [*priced.lines, *((priced.shipping,) if priced.shipping else ())]


@given(carts)
def test_the_sum_of_lines_and_shipping_is_the_total(drawn: Drawn) -> None:
    priced = price_cart(*drawn)

    parts = parts_of(priced)
    assert sum(one.gross_minor for one in parts) == priced.total_minor
    assert priced.net_minor + priced.tax_minor == priced.total_minor
    for one in parts:
        assert one.gross_minor - one.net_minor == sum(tax.minor for tax in one.taxes)


@given(carts)
def test_the_sum_of_tax_lines_is_the_tax_total(drawn: Drawn) -> None:
    priced = price_cart(*drawn)

    parts = parts_of(priced)
    summed: Counter[tuple[str, str]] = Counter()
    for tax in (tax for one in parts for tax in one.taxes):
        summed[tax.jurisdiction, tax.code] += tax.minor
    assert summed == {(one.jurisdiction, one.code): one.minor for one in priced.taxes}


@given(carts)
def test_a_discount_is_never_negative_and_never_more_than_the_base(drawn: Drawn) -> None:
    priced = price_cart(*drawn)

    for line in priced.lines:
        assert all(one.minor > 0 for one in line.discounts)
        assert 0 <= line.discount_minor <= line.base_minor
        assert line.net_minor >= 0
    if priced.shipping:
        off = sum(one.minor for one in priced.shipping.discounts)
        assert 0 <= off <= priced.shipping.base_minor


@given(carts)
def test_discounts_of_lines_and_shipping_add_up_to_those_of_promotions(drawn: Drawn) -> None:
    priced = price_cart(*drawn)

    shares: Counter[UUID] = Counter()
    for one in (one for line in priced.lines for one in line.discounts):
        shares[one.promotion_id] += one.minor
    for one in priced.shipping.discounts if priced.shipping else ():
        shares[one.promotion_id] += one.minor
    assert shares == {one.promotion_id: one.minor for one in priced.discounts}


@given(carts)
def test_without_tax_what_is_left_after_discounts_is_what_is_paid(drawn: Drawn) -> None:
    asked, known = drawn
    priced = price_cart(replace(asked, destination=None), known)

    assert not priced.tax_known
    assert priced.tax_minor == 0
    base = sum(one.base_minor for one in priced.lines)
    base += priced.shipping.base_minor if priced.shipping else 0
    assert priced.total_minor == base - priced.discount_minor


@given(carts, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_amount(drawn: Drawn, dice: random.Random) -> None:
    asked, known = drawn
    lines = list(asked.lines)
    dice.shuffle(lines)

    first, other = price_cart(asked, known), price_cart(replace(asked, lines=tuple(lines)), known)

    assert [one.key for one in other.lines] == [one.key for one in lines]
    assert sorted(other.lines, key=lambda one: one.key) == list(first.lines)
    assert replace(other, lines=()) == replace(first, lines=())


@given(carts, st.randoms(use_true_random=False))
def test_the_order_of_promotions_and_rules_changes_nothing(
    drawn: Drawn, dice: random.Random
) -> None:
    asked, known = drawn
    assert known.taxes is not None
    promotions, rules = list(known.promotions), list(known.taxes.rules)
    dice.shuffle(promotions)
    dice.shuffle(rules)
    taxes = replace(known.taxes, rules=tuple(rules))

    shuffled = price_cart(asked, replace(known, promotions=promotions, taxes=taxes))

    assert shuffled == price_cart(asked, known)


@given(carts)
def test_there_is_no_float_anywhere(drawn: Drawn) -> None:
    def floats(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(floats, value.values()))
        if isinstance(value, list | tuple):
            return any(map(floats, value))
        return isinstance(value, float)

    assert not floats(asdict(price_cart(*drawn)))


@given(carts)
def test_every_coupon_gives_something_or_says_why_not(drawn: Drawn) -> None:
    priced = price_cart(*drawn)

    gave = {one.coupon for one in priced.discounts if one.coupon}
    refused = {code for code, _ in priced.coupon_problems}
    assert gave | refused == set(drawn[0].coupons)
    assert not gave & refused


@given(st.integers(0, 10**9), st.sampled_from([0, 50_000, 99_750, 130_000, 190_000, 2_000_000]))
def test_one_tax_put_on_a_price_is_the_tax_in_that_price(net: int, ppm: int) -> None:
    rule = TaxRule(UUID(int=1), "T", "Tax", "CA", "", "standard", ppm)
    levies = TaxSystem((rule,)).levies(HERE, "standard", NOW)

    (put_on,) = tax_all(
        [Taxable(net, 1, levies, included=False)], TaxRounding.LINE, Rounding.HALF_UP
    )
    gross = put_on.gross_minor
    (within,) = tax_all(
        [Taxable(gross, 1, levies, included=True)], TaxRounding.LINE, Rounding.HALF_UP
    )

    assert within == put_on


@given(st.lists(st.integers(0, 10**6), max_size=20), st.integers(0, 10**6))
def test_shares_add_up_and_are_no_larger_than_their_weights(weights: list[int], total: int) -> None:
    total = min(total, sum(weights))

    shares = spread(total, weights)

    assert sum(shares) == total
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))
    whole = sum(weights) or 1
    assert all(abs(s * whole - total * w) < whole for s, w in zip(shares, weights, strict=True))


@pytest.mark.parametrize(
    ("on", "gross"),
    [(TaxRounding.LINE, 386), (TaxRounding.ORDER, 386), (TaxRounding.UNIT_PRICE, 387)],
)
def test_three_at_1_08_with_19_percent_depend_on_what_is_rounded(
    on: TaxRounding, gross: int
) -> None:
    rule = TaxRule(UUID(int=1), "VAT", "VAT", "DE", "", "standard", 190_000)
    levies = TaxSystem((rule,)).levies(replace(HERE, country="DE"), "standard", NOW)

    (taxed,) = tax_all([Taxable(324, 3, levies, included=False)], on, Rounding.HALF_UP)

    assert taxed.gross_minor == gross


def test_rounded_on_the_order_a_tax_is_that_of_the_sum() -> None:
    rule = TaxRule(UUID(int=1), "HST", "HST", "CA", "ON", "standard", 130_000)
    levies = TaxSystem((rule,)).levies(replace(HERE, region="ON"), "standard", NOW)
    items = [Taxable(3, 1, levies, included=False)] * 10

    by_line = tax_all(items, TaxRounding.LINE, Rounding.HALF_UP)
    by_order = tax_all(items, TaxRounding.ORDER, Rounding.HALF_UP)

    assert sum(one.gross_minor for one in by_line) == 30
    assert sum(one.gross_minor for one in by_order) == 30 + divide(30 * 130_000, 10**6)
    assert {one.gross_minor for one in by_order} == {3, 4}


def test_a_pinned_price_goes_before_the_lists() -> None:
    line = LineAsked(UUID(int=1), UUID(int=2), 3, agreed_unit_micro=1_500_000)
    known = Known(NOW, {Want(line.variant_id, 3): NO_PRICE})

    priced = price_cart(CartAsked(Buyer("CAD"), (line,)), known)

    assert priced.total_minor == 450
    assert priced.lines[0].trace.reason is Standing.AGREED


def test_an_empty_cart_costs_nothing() -> None:
    priced: PricedCart = price_cart(CartAsked(Buyer("CAD"), ()), Known(NOW, {}))

    assert (priced.total_minor, priced.lines, priced.discounts) == (0, (), ())
