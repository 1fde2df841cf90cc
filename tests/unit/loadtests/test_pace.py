"""The cap on requests per second holds, and slowness is not made up for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.pace import Pace


def test_without_a_cap_nobody_waits() -> None:
    pace = Pace(None)

    assert [pace.reserve(7.0) for _ in range(3)] == [0, 0, 0]


def test_requests_that_come_at_once_are_spread_evenly() -> None:
    pace = Pace(10)

    waits = [pace.reserve(100.0) for _ in range(4)]

    assert waits == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_after_a_pause_there_is_no_burst() -> None:
    pace = Pace(10)
    pace.reserve(100.0)

    waits = [pace.reserve(200.0), pace.reserve(200.0)]

    assert waits == pytest.approx([0.0, 0.1])


@given(
    gaps=st.lists(st.floats(min_value=0, max_value=2), min_size=2, max_size=50),
    rate=st.floats(min_value=0.5, max_value=1_000),
)
def test_two_requests_are_never_closer_than_the_rate_allows(gaps: list[float], rate: float) -> None:
    pace = Pace(rate)
    now, moments = 0.0, []
    for gap in gaps:
        now += gap
        moments.append(now + pace.reserve(now))

    assert all(later - earlier >= 1 / rate - 1e-6 for earlier, later in itertools.pairwise(moments))


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Pace(rate)
