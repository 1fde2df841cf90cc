"""Health out of two readings: shares of enough, bounds that hold, and nothing made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.health import (
    LEAST_ANSWERS,
    WINDOW_S,
    Between,
    Counts,
    Orders,
    Readings,
    SideHealth,
    health,
    share,
)
from cutover.core.live import Tally
from proxy.routing import PPM, Side

CORE = ("checkout", Side.CORE)


def seen(before: Counts | None, after: Counts) -> SideHealth:
    return health(Between(after, before, 60.0), "checkout", places_orders=True)[Side.CORE]


def orders(*within: tuple[int, int], begun: int, completed: int = 0) -> Counts:
    return Counts(orders={CORE: Orders(begun, completed, dict(within))})


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_share_is_never_flattered_and_never_of_too_few(part: int, more: int) -> None:
    whole = part + more

    found = share(part, whole)

    assert found.of == whole
    if whole < LEAST_ANSWERS:
        assert found.ppm is None
    else:
        assert found.ppm is not None
        assert found.ppm * whole <= part * PPM
        assert (found.ppm == PPM) == (more == 0)


def test_only_what_came_between_the_readings_counts() -> None:
    before = Counts({CORE: Tally(1_000, 900)}, {CORE: Orders(500, 1)})
    after = Counts({CORE: Tally(1_100, 901)}, {CORE: Orders(540, 31)})

    found = seen(before, after)

    assert (found.answered.of, found.answered.ppm) == (100, 990_000)
    assert found.completed is not None
    assert (found.completed.of, found.completed.ppm) == (40, 750_000)


def test_counters_that_began_anew_count_from_there() -> None:
    before = Counts({CORE: Tally(9_000, 10)}, {CORE: Orders(500, 400, {100: 500})})
    after = Counts({CORE: Tally(50, 5)}, {CORE: Orders(30, 30, {100: 30})})

    found = seen(before, after)

    assert (found.answered.of, found.answered.ppm) == (50, 900_000)
    assert found.completed is not None
    assert found.completed.of == 30


def test_buckets_alone_that_went_back_show_a_new_beginning_too() -> None:
    before = Orders(10, 5, {100: 10})

    assert Orders(40, 5, {100: 2, 200: 38}).since(before) == Orders(40, 5, {100: 2, 200: 38})
    assert Orders(40, 4, {100: 40}).since(before) == Orders(40, 4, {100: 40})


def test_a_side_that_nobody_asked_is_unknown() -> None:
    found = seen(None, Counts())

    assert (found.answered.ppm, found.answered.of) == (None, 0)
    assert found.times_us == (None, None, None)


def test_a_domain_that_places_no_orders_has_no_figure_of_them() -> None:
    found = health(Between(Counts()), "catalog", places_orders=False)

    assert {side: one.completed for side, one in found.items()} == dict.fromkeys(Side)


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        (19, (None, None, None)),
        (20, (100, 200, None)),
        (99, (100, 200, None)),
        (100, (100, 200, 400)),
    ],
)
def test_a_quantile_wants_its_number_of_orders(
    begun: int, expected: tuple[int | None, ...]
) -> None:
    fast, slow = begun // 2 + 1, max(1, begun // 50)
    after = orders((100, fast), (200, begun - fast - slow), (400, slow), begun=begun)

    assert seen(None, after).times_us == expected


def test_a_time_beyond_every_bucket_has_no_bound() -> None:
    after = orders((100, 60), begun=100)

    assert seen(None, after).times_us == (100, None, None)


def test_readings_reach_back_an_hour_and_no_further() -> None:
    kept = Readings()
    assert kept.between() is None
    for minute in range(90):
        kept.take(minute * 60.0, Counts({CORE: Tally(minute)}))

    between = kept.between()

    assert between is not None
    assert between.elapsed_s == WINDOW_S
    assert between.before is not None
    assert between.before.answers[CORE].answers == 29
    assert between.after.answers[CORE].answers == 89


def test_one_reading_tells_all_that_was_ever_counted() -> None:
    kept = Readings()
    kept.take(5.0, Counts({CORE: Tally(1)}))
    kept.take(6.0, Counts({CORE: Tally(2)}))  # too soon after it

    assert kept.between() == Between(Counts({CORE: Tally(1)}))


def test_after_a_long_silence_the_old_reading_is_gone() -> None:
    kept = Readings()
    kept.take(0.0, Counts({CORE: Tally(1)}))
    kept.take(WINDOW_S + 1, Counts({CORE: Tally(2)}))

    assert kept.between() == Between(Counts({CORE: Tally(2)}))


def test_twenty_are_enough_for_a_share_and_nineteen_are_not() -> None:
    assert (share(19, 19).ppm, share(20, 20).ppm) == (None, PPM)


def test_one_order_less_in_a_bucket_is_a_new_beginning() -> None:
    after = Orders(40, 5, {100: 9, 200: 31})

    assert after.since(Orders(10, 5, {100: 10})) == after


def test_a_reading_after_the_grain_is_kept() -> None:
    kept = Readings()
    for at_s in (0.0, 14.9, 15.0):
        kept.take(at_s, Counts({CORE: Tally(round(at_s * 10))}))

    between = kept.between()

    assert between is not None
    assert between.after.answers[CORE].answers == 150
    assert between.elapsed_s == 15.0
