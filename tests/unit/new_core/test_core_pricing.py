"""The price choice is total, explained and the same in any order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.money import UnitPrice
from new_core.domain.pricing import Listed, Price, PriceList, PriceListKind, Refusal, choose

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE, THERE = UUID(int=1), UUID(int=2)


def a_list(code: str = "base", priority: int = 0, valid_to: datetime | None = None) -> PriceList:
    return PriceList(
        id=UUID(int=abs(hash(code)) % 2**64),
        code=code,
        currency="EUR",
        kind=PriceListKind.BASE,
        priority=priority,
        tax_included=False,
        valid_to=valid_to,
    )


def a_price(
    number: int = 1,
    *,
    place: UUID | None = None,
    min_qty: int = 1,
    micro: int | None = 1_000_000,
    **validity: datetime,
) -> Price:
    return Price(
        id=UUID(int=number),
        price_list_id=UUID(int=9),
        variant_id=UUID(int=8),
        stock_level_id=place,
        min_qty=min_qty,
        unit_micro=micro,
        **validity,
    )


moments = st.one_of(st.none(), st.integers(-2, 2).map(lambda days: NOW + timedelta(days=days)))
listed = st.builds(
    lambda number, place, step, starts, ends, priority: Listed(
        Price(UUID(int=number), UUID(int=9), UUID(int=8), place, step, number, starts, ends),
        a_list(f"list{priority}", priority),
    ),
    st.integers(1, 2**60),
    st.sampled_from([None, HERE, THERE]),
    st.sampled_from([1, 5, 10]),
    moments,
    moments,
    st.integers(0, 2),
)
candidates = st.lists(listed, max_size=8, unique_by=lambda one: one.price.id)


@given(candidates, st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(
    some: list[Listed], quantity: int, shuffler: random.Random
) -> None:
    shuffled = list(some)
    shuffler.shuffle(shuffled)

    first = choose(some, quantity=quantity, at=NOW, place=HERE)
    second = choose(shuffled, quantity=quantity, at=NOW, place=HERE)

    assert first == second


@given(candidates, st.integers(1, 20))
def test_the_chosen_price_holds_and_every_other_one_says_why_not(
    some: list[Listed], quantity: int
) -> None:
    trace = choose(some, quantity=quantity, at=NOW, place=HERE)

    taken = [one.listed for one in trace.considered if one.refusal is None]
    assert len(trace.considered) == len(some)
    assert taken == ([trace.chosen] if trace.chosen else [])
    if trace.chosen:
        price = trace.chosen.price
        assert price.min_qty <= quantity
        assert price.stock_level_id in (None, HERE)
        assert price.valid_from is None or price.valid_from <= NOW
        assert price.valid_to is None or price.valid_to > NOW
    else:
        assert all(one.refusal is not Refusal.OUTRANKED for one in trace.considered)


def test_the_lists_priority_comes_before_everything_else() -> None:
    small = Listed(a_price(1, min_qty=1), a_list("high", 5))
    large = Listed(a_price(2, min_qty=10, place=HERE), a_list("low", 1))

    trace = choose([large, small], quantity=10, at=NOW, place=HERE)

    assert trace.chosen == small


def test_the_largest_step_that_is_reached_wins() -> None:
    steps = [Listed(a_price(n, min_qty=n), a_list()) for n in (1, 5, 10)]

    chosen = {q: choose(steps, quantity=q, at=NOW, place=None).chosen for q in (1, 4, 5, 9, 10)}

    found = {quantity: one.price.min_qty for quantity, one in chosen.items() if one}
    assert found == {1: 1, 4: 1, 5: 5, 9: 5, 10: 10}


def test_a_price_of_another_place_does_not_hold() -> None:
    trace = choose([Listed(a_price(place=THERE), a_list())], quantity=1, at=NOW, place=HERE)

    assert trace.chosen is None
    assert trace.considered[0].refusal is Refusal.OTHER_PLACE


def test_a_price_on_request_is_chosen_and_shows_no_amount() -> None:
    on_request = Listed(a_price(micro=None, place=HERE), a_list())
    elsewhere = Listed(a_price(2, place=THERE), a_list())

    trace = choose([on_request, elsewhere], quantity=1, at=NOW, place=HERE)

    assert trace.chosen == on_request
    assert trace.unit_price is None


def test_validity_is_half_open_and_told() -> None:
    until = NOW + timedelta(hours=1)
    offer = Listed(a_price(valid_from=NOW, valid_to=until), a_list())

    before = choose([offer], quantity=1, at=NOW - timedelta(microseconds=1), place=None)
    during = choose([offer], quantity=1, at=NOW, place=None)
    after = choose([offer], quantity=1, at=until, place=None)

    assert (before.chosen, after.chosen) == (None, None)
    assert during.unit_price == UnitPrice(1_000_000, "EUR")
    assert during.valid_until == until


def test_a_list_that_is_over_gives_no_price() -> None:
    over = a_list(valid_to=NOW)

    trace = choose([Listed(a_price(), over)], quantity=1, at=NOW, place=None)

    assert trace.considered[0].refusal is Refusal.LIST_NOT_VALID
