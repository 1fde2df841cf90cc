"""Of all lists that hold for a buyer, the one with the strongest reason gives the price."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.pricing import (
    Entitled,
    Listed,
    Offer,
    Price,
    PriceList,
    PriceListKind,
    PriceListStatus,
    Refusal,
    Standing,
    choose,
    resolve,
)
from new_core.domain.pricing_offers import Lists, adjusted, strongest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = UUID(int=1)
LISTED = [one for one in Standing if one is not Standing.AGREED]


def a_list(number: int = 1, priority: int = 0, **more: object) -> PriceList:
    return PriceList(
        UUID(int=number), f"l{number}", "CAD", PriceListKind.LIST, priority, tax_included=False,
        **more,  # type: ignore[arg-type]  # what the test says
    )  # fmt: skip


def an_offer(
    standing: Standing,
    number: int = 1,
    micro: int | None = 1_000_000,
    distance: int = 0,
    min_qty: int = 1,
) -> Offer:
    price_list = a_list(number)
    price = Price(
        UUID(int=100 * number + min_qty), price_list.id, UUID(int=5), None, min_qty, micro
    )
    return Offer(Listed(price, price_list), Entitled(price_list, standing, distance))


offers = st.lists(
    st.builds(
        an_offer, st.sampled_from(LISTED), st.integers(1, 40),
        st.one_of(st.none(), st.integers(0, 9)), st.integers(0, 2), st.sampled_from([1, 5]),
    ),
    max_size=8, unique_by=lambda one: one.listed.price_list.id,
)  # fmt: skip


@given(offers, st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_order_of_offers_does_not_matter(
    some: list[Offer], quantity: int, dice: random.Random
) -> None:
    shuffled = list(some)
    dice.shuffle(shuffled)

    first = resolve(some, quantity=quantity, at=NOW, place=None)

    assert first == resolve(shuffled, quantity=quantity, at=NOW, place=None)


@given(offers, st.integers(1, 9))
def test_nothing_that_holds_is_stronger_than_what_was_chosen(
    some: list[Offer], quantity: int
) -> None:
    trace = resolve(some, quantity=quantity, at=NOW, place=None)

    held = [one for one in some if one.listed.price.min_qty <= quantity]
    chosen = next((one for one in some if one.listed == trace.chosen), None)
    assert (chosen is None) == (not held)
    assert len(trace.considered) == len(some)
    if chosen is not None:
        assert chosen.entitled.strength == min(one.entitled.strength for one in held)
        assert trace.reason is chosen.entitled.standing


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=6, unique=True))
def test_of_several_groups_the_lowest_price_wins(prices: list[int]) -> None:
    some = [an_offer(Standing.GROUP, n + 1, micro) for n, micro in enumerate(prices)]

    trace = resolve(some, quantity=1, at=NOW, place=None)

    assert trace.unit_price is not None
    assert trace.unit_price.micro == min(prices)


def test_inside_a_groups_list_the_step_decides_before_lists_are_compared() -> None:
    price_list = a_list(1)
    entitled = Entitled(price_list, Standing.GROUP)
    steps = [
        Offer(
            Listed(Price(UUID(int=n), price_list.id, UUID(int=5), None, n, micro), price_list),
            entitled,
        )
        for n, micro in ((1, 400), (10, 300))
    ]
    other = an_offer(Standing.GROUP, 2, 350)

    few, many = (resolve([*steps, other], quantity=n, at=NOW, place=None) for n in (1, 10))

    assert few.chosen == other.listed
    assert many.chosen == steps[1].listed


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 5, 10])), max_size=6))
def test_among_base_lists_the_choice_is_the_plain_one(rows: list[tuple[int, int]]) -> None:
    some = [
        Listed(
            Price(UUID(int=n + 1), UUID(int=priority + 1), UUID(int=5), None, step, n),
            a_list(priority + 1, priority),
        )
        for n, (priority, step) in enumerate(rows)
    ]
    base = [Offer(one, Entitled(one.price_list, Standing.BASE)) for one in some]

    trace = resolve(base, quantity=6, at=NOW, place=HERE)

    assert trace.chosen == choose(some, quantity=6, at=NOW, place=HERE).chosen


@pytest.mark.parametrize("status", [PriceListStatus.DRAFT, PriceListStatus.ARCHIVED])
def test_a_list_that_is_not_active_gives_no_price(status: PriceListStatus) -> None:
    price_list = a_list(status=status)
    listed = Listed(Price(UUID(int=1), price_list.id, UUID(int=5), None, 1, 1), price_list)

    trace = resolve(
        [Offer(listed, Entitled(price_list, Standing.BASE))], quantity=1, at=NOW, place=None
    )

    assert trace.chosen is None
    assert trace.considered[0].refusal is Refusal.LIST_NOT_VALID


def test_a_price_holds_until_a_stronger_one_begins() -> None:
    begins = NOW + timedelta(days=1)
    contract = a_list(2)
    entitled = Entitled(contract, Standing.ACCOUNT_CONTRACT, valid_from=begins)
    price = Price(UUID(int=7), contract.id, UUID(int=5), None, 1, 500_000)

    trace = resolve(
        [an_offer(Standing.BASE), Offer(Listed(price, contract), entitled)],
        quantity=1, at=NOW, place=None,
    )  # fmt: skip

    assert trace.reason is Standing.BASE
    assert trace.valid_until == begins


def test_of_two_contracts_on_one_list_the_one_that_holds_now_counts() -> None:
    price_list = a_list()
    over = Entitled(price_list, Standing.LOCATION_CONTRACT, valid_to=NOW)
    holds = Entitled(price_list, Standing.ACCOUNT_CONTRACT, 1)

    assert strongest([over, holds], NOW) == (holds,)
    assert strongest([holds, over], NOW) == (holds,)


@given(st.integers(0, 10**16), st.integers(-1_000_000, 10_000_000))
def test_an_adjusted_price_is_never_negative(micro: int, ppm: int) -> None:
    assert 0 <= adjusted(micro, ppm) <= micro * 11


def test_an_own_price_goes_before_the_parents() -> None:
    parent, child = a_list(1), a_list(2, parent_id=UUID(int=1), adjustment_ppm=-500_000)
    variant = UUID(int=5)
    prices = [
        Price(UUID(int=11), parent.id, variant, None, 1, 800),
        Price(UUID(int=12), child.id, variant, None, 10, 900),
    ]
    lists = Lists.of([Entitled(child, Standing.CUSTOMER)])

    few, many = (resolve(lists.offers(prices), quantity=n, at=NOW, place=None) for n in (1, 10))

    assert lists.ids == {parent.id, child.id}
    assert (few.unit_price, many.unit_price) == (
        resolve(lists.offers(prices[:1]), quantity=1, at=NOW, place=None).unit_price,
        resolve(lists.offers(prices[1:]), quantity=10, at=NOW, place=None).unit_price,
    )
    assert few.unit_price is not None
    assert few.unit_price.micro == 400
    assert few.considered[1].adjusted
