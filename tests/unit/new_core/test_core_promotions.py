"""What promotions give, in which order, and what they say about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from new_core.domain.buyer import Buyer, Destination
from new_core.domain.pricing import Listed, Price, PriceList, PriceListKind, PriceTrace
from new_core.domain.promotions import (
    AllOf,
    AmountOff,
    AnyOf,
    AtTime,
    BuyXGetY,
    Condition,
    FixedPrice,
    InChannel,
    InCountry,
    InGroup,
    Items,
    Measure,
    NotThat,
    PercentOff,
    Promotion,
    PromotionStatus,
    PromotionUse,
    QuantityFrom,
    Running,
    SubtotalFrom,
    Tier,
    Tiered,
)
from new_core.domain.promotions_json import action_json, action_of, condition_json, condition_of
from new_core.domain.promotions_when import ItemFacts
from new_core.domain.reservation import Want
from new_core.domain.totals import (
    CartAsked,
    CouponProblem,
    DiscountKind,
    LineAsked,
    PricedCart,
    ShippingAsked,
)
from new_core.domain.totals_cart import Known, price_cart
from new_core.errors import InvalidValue

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)  # a Monday
CHEAP, DEAR, TYPE, GROUP = (UUID(int=n) for n in (1, 2, 3, 4))
LINE, ORDER, SHIPPING = DiscountKind.LINE, DiscountKind.ORDER, DiscountKind.SHIPPING
UNITS = {CHEAP: 5_000_000, DEAR: 20_000_000}


def a_promotion(
    number: int, action: object, kind: DiscountKind = ORDER, **more: object
) -> Promotion:
    return Promotion(UUID(int=number), f"P{number}", kind, action, **more)  # type: ignore[arg-type]  # what the test says


def priced(
    *promotions: Promotion | Running,
    cheap: int = 1,
    dear: int = 1,
    coupons: tuple[str, ...] = (),
    kind: PriceListKind = PriceListKind.BASE,
    buyer: Buyer | None = None,
) -> PricedCart:
    """Cheap ones at 5.00 and dear ones at 20.00, and 7.00 for shipping."""
    price_list = PriceList(UUID(int=9), "l", "CAD", kind, 0, tax_included=False)
    lines = tuple(
        LineAsked(UUID(int=10 + n), variant, quantity)
        for n, (variant, quantity) in enumerate(((CHEAP, cheap), (DEAR, dear)))
        if quantity
    )
    listed = {
        one: Listed(Price(one, price_list.id, one, None, 1, micro), price_list)
        for one, micro in UNITS.items()
    }
    traces = {
        Want(one.variant_id, one.quantity): PriceTrace(listed[one.variant_id], (), None)
        for one in lines
    }
    facts = {one: ItemFacts(one, frozenset([one]), type_id=TYPE) for one in UNITS}
    running = [one if isinstance(one, Running) else Running(one) for one in promotions]
    asked = CartAsked(
        buyer or Buyer("CAD"), lines, coupons, ShippingAsked("post", "Post", 700),
        Destination("CA", "ON"),
    )  # fmt: skip
    return price_cart(asked, Known(NOW, traces, facts, running))


def off(cart: PricedCart) -> dict[str, int]:
    return {one.name: one.minor for one in cart.discounts}


def test_phases_come_line_then_order_then_shipping() -> None:
    half = PercentOff(500_000)

    cart = priced(a_promotion(1, half, SHIPPING), a_promotion(2, half), a_promotion(3, half, LINE))

    assert [(one.name, one.minor) for one in cart.discounts] == [
        ("P3", 1250), ("P2", 625), ("P1", 350),
    ]  # fmt: skip
    assert cart.explained[0] == "P3 takes 12.50 CAD off 2 lines."


def test_within_a_phase_priority_decides_and_then_the_id() -> None:
    first, second = a_promotion(2, AmountOff(2400)), a_promotion(1, PercentOff(500_000))

    assert off(priced(replace(first, priority=-1), second)) == {"P2": 2400, "P1": 50}
    assert off(priced(first, second)) == {"P1": 1250, "P2": 1250}


def test_of_a_stacking_group_only_the_best_is_taken() -> None:
    some = [a_promotion(n, AmountOff(n * 100), stacking_group="g", code=f"C{n}") for n in (1, 3, 2)]

    cart = priced(*some, coupons=("c1", "C2", "c3"))

    assert off(cart) == {"P3": 300}
    assert cart.coupon_problems == (
        ("C1", CouponProblem.OUTRANKED),
        ("C2", CouponProblem.OUTRANKED),
    )


def test_an_exclusive_one_ends_its_phase_and_no_other() -> None:
    cart = priced(
        a_promotion(1, AmountOff(100), exclusive=True), a_promotion(2, AmountOff(200)),
        a_promotion(3, AmountOff(300), SHIPPING),
    )  # fmt: skip

    assert off(cart) == {"P1": 100, "P3": 300}


def test_two_are_applied_together_only_if_each_combines_with_the_other() -> None:
    alone = a_promotion(1, AmountOff(100), LINE, combines_with=frozenset([LINE]))

    cart = priced(alone, a_promotion(2, AmountOff(200)), a_promotion(3, AmountOff(50), LINE))

    assert off(cart) == {"P1": 200, "P3": 100}


def test_contract_prices_are_left_alone_unless_a_promotion_says_so() -> None:
    plain = a_promotion(1, PercentOff(100_000))

    assert off(priced(plain, kind=PriceListKind.CONTRACT)) == {}
    spoken = replace(plain, applies_to_contract=True)
    assert off(priced(spoken, kind=PriceListKind.CONTRACT)) == {"P1": 250}


def test_buy_two_get_one_gives_the_cheapest() -> None:
    action = BuyXGetY(2, 1)

    assert off(priced(a_promotion(1, action, LINE), cheap=1, dear=1)) == {}
    assert off(priced(a_promotion(1, action, LINE), cheap=1, dear=2)) == {"P1": 500}
    assert off(priced(a_promotion(1, action, LINE), cheap=1, dear=5)) == {"P1": 2500}


@pytest.mark.parametrize("keys", [(10, 11), (11, 10)])
def test_of_equal_lines_the_one_that_stands_first_is_free(keys: tuple[int, int]) -> None:
    price_list = PriceList(UUID(int=9), "l", "CAD", PriceListKind.BASE, 0, tax_included=False)
    listed = Listed(Price(CHEAP, price_list.id, CHEAP, None, 1, 5_000_000), price_list)
    lines = tuple(
        LineAsked(UUID(int=key), CHEAP, 2, position=place) for place, key in enumerate(keys)
    )
    traces = {Want(CHEAP, 2): PriceTrace(listed, (), None)}
    running = [Running(a_promotion(1, BuyXGetY(2, 1), LINE))]

    cart = price_cart(CartAsked(Buyer("CAD"), lines), Known(NOW, traces, {}, running))

    assert [one.discount_minor for one in cart.lines] == [500, 0]


@pytest.mark.parametrize(("units", "given"), [(2, 0), (3, 150), (9, 450), (10, 1000)])
def test_the_highest_tier_that_is_reached_counts(units: int, given: int) -> None:
    tiers = (Tier(3, PercentOff(100_000)), Tier(10, AmountOff(100)))
    action = Tiered(Measure.QUANTITY, tiers)
    items = Items(variant_ids=frozenset([CHEAP]))

    cart = priced(a_promotion(1, action, LINE, items=items), cheap=units, dear=3)

    assert off(cart).get("P1", 0) == given


def test_a_fixed_price_never_makes_anything_dearer() -> None:
    assert off(priced(a_promotion(1, FixedPrice(1200), LINE))) == {"P1": 800}
    assert off(priced(a_promotion(1, FixedPrice(900), SHIPPING))) == {}


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        (SubtotalFrom(2500), True), (SubtotalFrom(2501), False),
        (SubtotalFrom(2001, Items(variant_ids=frozenset([DEAR]))), False),
        (QuantityFrom(2), True), (QuantityFrom(2, Items(product_ids=frozenset([DEAR]))), False),
        (QuantityFrom(2, Items(type_ids=frozenset([TYPE]))), True),
        (QuantityFrom(1, Items(category_ids=frozenset([TYPE]))), False),
        (InGroup(frozenset([GROUP])), True), (InGroup(frozenset([TYPE])), False),
        (InChannel(frozenset(["web"])), True), (InCountry(frozenset(["US"])), False),
        (AtTime(frozenset([1])), True), (AtTime(frozenset([2, 7])), False),
        (AtTime(from_minute=720, to_minute=721), True),
        (AtTime(from_minute=600, to_minute=720), False),
        (AtTime(from_minute=1380, to_minute=721), True),
        (AnyOf((QuantityFrom(9), QuantityFrom(1))), True), (AnyOf(()), False),
        (AllOf((QuantityFrom(9), QuantityFrom(1))), False), (NotThat(QuantityFrom(9)), True),
    ],
)  # fmt: skip
def test_a_promotion_asks_for_its_conditions(condition: Condition, held: bool) -> None:
    buyer = Buyer("CAD", group_ids=frozenset([GROUP]), channel="web")

    cart = priced(a_promotion(1, AmountOff(1), conditions=condition), buyer=buyer)

    assert bool(cart.discounts) is held
    assert condition_of(condition_json(condition, "CAD"), "CAD") == condition


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": PromotionStatus.ENDED}, CouponProblem.NOT_VALID),
        ({"starts_at": NOW + timedelta(seconds=1)}, CouponProblem.NOT_VALID),
        ({"ends_at": NOW}, CouponProblem.NOT_VALID),
        ({"currency": "EUR"}, CouponProblem.NOT_VALID),
        ({"usage_limit": 3}, CouponProblem.EXHAUSTED),
        ({"budget_minor": 99}, CouponProblem.EXHAUSTED),
        ({"usage_per_customer": 1}, CouponProblem.CONDITION),
        ({"conditions": QuantityFrom(9)}, CouponProblem.CONDITION),
        ({"items": Items(variant_ids=frozenset([GROUP]))}, CouponProblem.CONDITION),
    ],
)  # fmt: skip
def test_a_coupon_that_gives_nothing_says_why(
    change: dict[str, object], problem: CouponProblem
) -> None:
    coupon = replace(a_promotion(1, AmountOff(100), code="TEN"), **change)  # type: ignore[arg-type]  # what the test says
    running = Running(coupon, PromotionUse(used=3))

    cart = priced(running, coupons=("ten", "none"))

    assert cart.discounts == ()
    assert cart.coupon_problems == (("TEN", problem), ("NONE", CouponProblem.UNKNOWN))
    assert cart.total_minor == 3200


def test_a_price_ends_with_the_promotion_in_it() -> None:
    ends = NOW + timedelta(hours=1)

    assert priced(a_promotion(1, AmountOff(1), ends_at=ends)).valid_until == ends


def test_money_of_another_currency_and_too_many_nodes_are_refused() -> None:
    amount = action_json(AmountOff(100), "CAD")
    deep: Condition = QuantityFrom(1)
    for _ in range(9):
        deep = NotThat(deep)

    with pytest.raises(InvalidValue, match="currency"):
        action_of(amount, "EUR")
    with pytest.raises(InvalidValue, match="levels"):
        condition_of(condition_json(deep, "CAD"), "CAD")
    with pytest.raises(InvalidValue, match="nodes"):
        condition_of(condition_json(AllOf((QuantityFrom(1),) * 101), "CAD"), "CAD")
