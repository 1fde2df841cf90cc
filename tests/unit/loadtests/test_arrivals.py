"""Requests are due when shoppers would come, whatever the store does."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.arrivals import arrivals, length_s

phases = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 50)), max_size=4)


@given(phases, st.integers())
def test_moments_ascend_and_lie_within_the_phases(
    asked: list[tuple[float, float]], seed: int
) -> None:
    moments = list(arrivals(asked, random.Random(seed)))

    assert all(before <= after for before, after in pairwise(moments))
    assert all(0 <= at < length_s(asked) for at in moments)
    assert moments == list(arrivals(asked, random.Random(seed)))


def test_each_phase_has_its_rate() -> None:
    moments = list(arrivals([(100, 10), (100, 100), (100, 10)], random.Random(1)))

    counts = [sum(begin <= at < begin + 100 for at in moments) for begin in (0, 100, 200)]

    assert counts == [pytest.approx(n, rel=0.15) for n in (1_000, 10_000, 1_000)]


def test_a_phase_without_requests_is_a_pause() -> None:
    assert all(at >= 5 for at in arrivals([(5, 0), (5, 10)], random.Random(1)))
