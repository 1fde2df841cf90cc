"""Visits look like those of a shop, and repeat with their seed."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.journeys import DOMAINS, WEIGHTS, Journey, Step, Visit, visits, with_buyers


def some_visits(seed: int = 1, shopper: int = 0, count: int = 2_000) -> list[Visit]:
    return list(islice(visits(seed, shopper), count))


@given(seed=st.integers(), shopper=st.integers(min_value=0))
def test_a_seed_gives_a_shopper_the_same_visits_for_ever(seed: int, shopper: int) -> None:
    assert some_visits(seed, shopper, 5) == some_visits(seed, shopper, 5)


def test_another_seed_and_another_shopper_do_other_things() -> None:
    mine = some_visits(1, 0, 20)

    assert mine != some_visits(2, 0, 20)
    assert mine != some_visits(1, 1, 20)


def test_journeys_come_in_their_weights() -> None:
    seen = Counter(visit.journey for visit in some_visits())

    assert sum(WEIGHTS.values()) == 100
    for journey, weight in WEIGHTS.items():
        assert seen[journey] / 2_000 == pytest.approx(weight / 100, abs=0.03)


def test_most_visits_look_and_few_buy() -> None:
    all_visits = some_visits()
    writes = {Step.BASKET_ADD, Step.BASKET_CHANGE, Step.BASKET_REMOVE, Step.CHECKOUT}
    steps = Counter(planned.step in writes for visit in all_visits for planned in visit.steps)
    buyers = [visit for visit in all_visits if visit.journey is Journey.BUY]

    assert steps[True] / steps.total() < 0.1
    assert len(buyers) / len(all_visits) < 0.06


def test_together_the_journeys_take_every_step() -> None:
    taken = {planned.step for visit in some_visits() for planned in visit.steps}

    assert taken == set(Step)


def test_every_step_belongs_to_a_domain() -> None:
    assert DOMAINS.keys() == set(Step)


@given(seed=st.integers())
def test_nothing_is_put_into_a_basket_before_a_product_and_the_basket_were_seen(seed: int) -> None:
    for visit in some_visits(seed, count=30):
        order = [planned.step for planned in visit.steps]
        if Step.BASKET_ADD in order:
            before = order[: order.index(Step.BASKET_ADD)]
            assert {Step.PRODUCT_DETAIL, Step.BASKET} <= set(before)
        if Step.CHECKOUT in order:
            assert order[-1] is Step.CHECKOUT
            assert Step.BASKET_ADD in order


@given(seed=st.integers())
def test_every_whim_picks_something_whatever_is_on_offer(seed: int) -> None:
    for visit in some_visits(seed, count=10):
        assert all(0 <= planned.pick < 1 for planned in visit.steps)


@given(percent=st.floats(0, 100))
def test_more_buyers_leave_the_other_visits_in_their_proportions(percent: float) -> None:
    weights = with_buyers(percent)

    assert weights[Journey.BUY] == percent
    assert sum(weights.values()) == pytest.approx(100)
    assert weights[Journey.BROWSE] * 20 == pytest.approx(weights[Journey.COMPARE] * 50)


def test_a_shop_of_buyers_sees_nobody_else() -> None:
    seen = {visit.journey for visit in islice(visits(1, 0, with_buyers(100)), 200)}

    assert seen == {Journey.BUY}


def test_the_usual_share_of_buyers_changes_no_visit() -> None:
    usual = with_buyers(WEIGHTS[Journey.BUY])

    assert list(islice(visits(1, 0, usual), 50)) == some_visits(1, 0, 50)
