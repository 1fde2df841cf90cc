"""What stands between a cart and its order is told as data, with its numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.cart import Cart, CartLine, CartState
from new_core.domain.cart_lines import Goods
from new_core.domain.cart_problems import CartProblem, Facts, ShippingNeeds, find_problems
from new_core.domain.money import MICRO
from new_core.domain.pricing import NO_PRICE
from new_core.domain.shipping import ShippingQuote
from new_core.domain.totals import CouponProblem, PricedCart, PricedLine

THEN = datetime(2026, 1, 1, tzinfo=UTC)
THING, LINE = UUID(int=1), UUID(int=11)
ANN = UUID(int=7)
HOME = PostalAddress("CA", ("1",), "Ottawa")
POST = ShippingQuote("post", "Post", "", 750, "CAD")
WELL = Cart(
    UUID(int=9), Buyer("CAD", ANN), CartState.OPEN,
    (CartLine(LINE, THING, 2, 0, (), 5 * MICRO),), THEN, THEN,
    shipping_code="post", shipping_address=HOME,
)  # fmt: skip
GOODS = Goods(THING, THING, "t", "Thing", is_for_sale=True, requires_shipping=True)
FACTS = Facts({THING: GOODS}, {THING: 2}, ShippingNeeds(needed=True, ships=True, quotes=(POST,)))


def priced(cart: Cart, unit_micro: int | None = 5 * MICRO, **more: object) -> PricedCart:
    lines = tuple(
        PricedLine(one.id, one.variant_id, one.quantity, unit_micro, 0, (), 0, (), 0, NO_PRICE)
        for one in cart.lines
    )
    money = PricedCart("CAD", lines, None, (), (), False, False, 0)
    return replace(money, **more)  # type: ignore[arg-type]


def problems(cart: Cart = WELL, money: PricedCart | None = None, facts: Facts = FACTS) -> list[str]:
    return [one.code for one in find_problems(cart, money or priced(cart), facts)]


def with_goods(**more: object) -> Facts:
    return replace(FACTS, goods={THING: replace(GOODS, **more)})  # type: ignore[arg-type]


def test_a_cart_may_have_none() -> None:
    assert problems() == []


def test_what_is_gone_or_a_draft_is_not_for_sale_and_no_more_is_said_of_it() -> None:
    assert problems(facts=replace(FACTS, goods={}, units={})) == ["not_for_sale"]
    assert problems(facts=with_goods(is_for_sale=False)) == ["not_for_sale"]


def test_rules_of_quantity_may_have_changed_since() -> None:
    assert problems(facts=with_goods(quantity_step=3)) == ["quantity_not_a_step"]


def test_a_price_that_moved_says_from_where_to_where() -> None:
    (found,) = find_problems(WELL, priced(WELL, 5_500_000), FACTS)

    assert found == CartProblem(
        "price_changed", "the price of one was 5.00 and is 5.50", LINE,
        {"shown": "5.00", "now": "5.50", "currency": "CAD"},
    )  # fmt: skip


def test_without_a_price_it_cannot_be_sold() -> None:
    assert problems(money=priced(WELL, None)) == ["no_price"]


def test_a_line_that_was_told_no_price_has_none_that_changed() -> None:
    untold = replace(WELL, lines=(replace(WELL.lines[0], shown_micro=None),))

    assert problems(untold) == []


@pytest.mark.parametrize(("units", "available"), [(2, None), (1, 1), (0, 0), (-3, 0), (None, None)])
def test_too_little_stock_says_how_much_there_is(units: int | None, available: int | None) -> None:
    found = find_problems(WELL, priced(WELL), replace(FACTS, units={THING: units}))

    if available is None:
        assert found == ()
    else:
        assert found[0].code == "insufficient_stock"
        assert (found[0].meta["wanted"], found[0].meta["available"]) == (2, available)


def test_lines_of_one_thing_share_what_there_is() -> None:
    more = CartLine(UUID(int=12), THING, 1, 1, (("size", "m"),))
    cart = replace(WELL, lines=(*WELL.lines, more))

    found = find_problems(cart, priced(cart), FACTS)

    assert [(one.code, one.line_id, one.meta["wanted"]) for one in found] == [
        ("insufficient_stock", LINE, 3), ("insufficient_stock", more.id, 3),
    ]  # fmt: skip


def test_what_the_stock_does_not_know_cannot_be_had() -> None:
    assert problems(facts=replace(FACTS, units={})) == ["insufficient_stock"]


def test_coupons_say_why_they_give_nothing() -> None:
    money = priced(WELL, coupon_problems=(("SUMMER", CouponProblem.EXHAUSTED),))

    (found,) = find_problems(WELL, money, FACTS)

    assert (found.code, found.detail, found.meta) == (
        "coupon_exhausted", "SUMMER: exhausted", {"coupon": "SUMMER"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"shipping_code": ""}, ["missing_shipping"]),
        ({"shipping_code": "ship"}, ["shipping_not_offered"]),
        ({"shipping_address": None}, ["missing_shipping_address"]),
        ({"buyer": Buyer("CAD")}, ["missing_email"]),
        ({"buyer": Buyer("CAD"), "email": "g@example.org"}, []),
    ],
)
def test_what_the_cart_does_not_say_yet(change: dict[str, object], found: list[str]) -> None:
    assert problems(replace(WELL, **change)) == found  # type: ignore[arg-type]


def test_a_shop_without_ways_of_shipping_asks_for_none_but_for_an_address() -> None:
    bare = replace(WELL, shipping_code="", shipping_address=None)
    nothing = replace(FACTS, shipping=ShippingNeeds(needed=False, ships=True, quotes=()))
    download = replace(FACTS, shipping=ShippingNeeds(needed=False, ships=False, quotes=()))

    assert problems(bare, facts=nothing) == ["missing_shipping_address"]
    assert problems(bare, facts=download) == []


def test_an_empty_cart_is_not_ordered() -> None:
    empty = replace(WELL, lines=())
    nothing = ShippingNeeds(needed=False, ships=False, quotes=())

    assert problems(empty, facts=Facts({}, {}, nothing)) == ["cart_empty"]
