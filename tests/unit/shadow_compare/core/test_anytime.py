"""The bound that gates read: true however often anyone looks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.anytime import (
    Bounds,
    anytime_bounds_ppm,
    anytime_samples_needed,
    more_needed,
)
from shadow_compare.core.confidence import lower_bound_ppm

Counts = npt.NDArray[np.int32]
RUNS, SAMPLES = 6_000, 4_000
MIN_PPM, CONFIDENCE_BP, DOUBT = 990_000, 9_500, 0.05


@pytest.mark.parametrize(
    ("min_ppm", "flawless"),
    [(990_000, 323), (999_000, 4_104), (999_900, 53_355), (980_000, 155), (995_000, 684)],
)
def test_flawless_samples_needed_are_those_of_the_mixture(min_ppm: int, flawless: int) -> None:
    assert anytime_samples_needed(min_ppm, 9_500) == flawless
    assert anytime_bounds_ppm(flawless, flawless, 9_500).lower_ppm >= min_ppm
    assert anytime_bounds_ppm(flawless - 1, flawless - 1, 9_500).lower_ppm < min_ppm


def test_a_whole_cannot_be_proven_by_samples_and_nothing_needs_none() -> None:
    assert anytime_samples_needed(1_000_000, 9_500) is None
    assert anytime_samples_needed(0, 9_500) == 0
    assert more_needed(0, 10, 1_000_000, 9_500) is None


def test_without_a_sample_everything_is_possible() -> None:
    assert anytime_bounds_ppm(0, 0, 9_500) == Bounds(0, 1_000_000)


@pytest.mark.parametrize(("equal", "samples", "bp"), [(2, 1, 9_500), (-1, 1, 9_500), (1, 1, 0)])
def test_what_cannot_be_is_refused(equal: int, samples: int, bp: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        anytime_bounds_ppm(equal, samples, bp)


def log_bet(equal: int, unequal: int, unequal_ppm: int) -> float:
    """The mixture against one share, sample by sample: each factor a predictive chance.

    The same bet as in the product, computed as a gambler would place it.
    """
    total, weights = 0.0, [500.0, 0.5]
    for wrong in [0] * equal + [1] * unequal:
        chance = weights[wrong] / sum(weights)
        share = unequal_ppm / 1e6 if wrong else 1 - unequal_ppm / 1e6
        if share == 0:
            return math.inf
        total += math.log(chance / share)
        weights[wrong] += 1
    return total


@given(st.integers(0, 300), st.integers(0, 60), st.sampled_from([9_000, 9_500, 9_900]))
def test_the_bounds_are_where_the_bet_against_a_share_pays(
    equal: int, unequal: int, confidence_bp: int
) -> None:
    pays = math.log(1 / (1 - confidence_bp / 10_000))

    lower, upper = anytime_bounds_ppm(equal, equal + unequal, confidence_bp)

    if lower > 0:
        assert log_bet(equal, unequal, 1_000_000 - lower) >= pays - 1e-9
        assert log_bet(equal, unequal, 1_000_000 - lower - 1) < pays + 1e-9
    if upper < 1_000_000:
        assert log_bet(equal, unequal, 1_000_000 - upper) >= pays - 1e-9
        assert log_bet(equal, unequal, 1_000_000 - upper + 1) < pays + 1e-9


@given(st.integers(0, 50_000), st.integers(0, 500), st.sampled_from([9_000, 9_500, 9_900]))
def test_it_is_never_more_hopeful_than_the_exact_bound_and_holds_what_was_seen(
    equal: int, unequal: int, confidence_bp: int
) -> None:
    samples = equal + unequal

    lower, upper = anytime_bounds_ppm(equal, samples, confidence_bp)

    assert lower <= lower_bound_ppm(equal, samples, confidence_bp)
    assert 0 <= lower <= upper <= 1_000_000
    if samples:
        assert lower <= equal * 1_000_000 / samples <= upper


@given(st.integers(0, 20_000), st.integers(0, 100))
def test_an_equal_sample_never_lowers_the_bound_and_an_unequal_one_never_lifts_it(
    equal: int, unequal: int
) -> None:
    samples = equal + unequal
    now = anytime_bounds_ppm(equal, samples, 9_500)
    better = anytime_bounds_ppm(equal + 1, samples + 1, 9_500)
    worse = anytime_bounds_ppm(equal, samples + 1, 9_500)

    assert better.lower_ppm >= now.lower_ppm >= worse.lower_ppm
    assert better.upper_ppm >= now.upper_ppm - 1
    assert now.upper_ppm >= worse.upper_ppm


@given(st.integers(0, 5_000), st.integers(0, 20), st.sampled_from([950_000, 990_000, 999_000]))
def test_what_is_needed_more_is_enough_and_one_less_is_not(
    equal: int, unequal: int, min_ppm: int
) -> None:
    more = more_needed(equal, equal + unequal, min_ppm, 9_500)

    assert more is not None
    enough = anytime_bounds_ppm(equal + more, equal + unequal + more, 9_500)
    assert enough.lower_ppm >= min_ppm
    if more:
        less = anytime_bounds_ppm(equal + more - 1, equal + unequal + more - 1, 9_500)
        assert less.lower_ppm < min_ppm


def most_unequal(*, is_exact: bool) -> Counts:
    """For 1 … SAMPLES samples, with how many unequal ones the gate still passes; -1: none."""
    limits, unequal = [], -1
    for samples in range(1, SAMPLES + 1):
        while unequal + 1 <= samples and _passes(samples - unequal - 1, samples, is_exact=is_exact):
            unequal += 1
        limits.append(unequal)
    return np.array(limits, dtype=np.int32)


def _passes(equal: int, samples: int, *, is_exact: bool) -> bool:
    if is_exact:
        return lower_bound_ppm(equal, samples, CONFIDENCE_BP) >= MIN_PPM
    return anytime_bounds_ppm(equal, samples, CONFIDENCE_BP).lower_ppm >= MIN_PPM


def unequal_so_far(seed: int, share: float) -> Counts:
    """RUNS pairs of stores, SAMPLES samples of each: how many were unequal up to each one."""
    draws = np.random.default_rng(seed).random((RUNS, SAMPLES), dtype=np.float32) < share
    return np.cumsum(draws, axis=1, dtype=np.int32)


def test_who_looks_after_every_sample_is_wrong_in_at_most_one_of_twenty_cases() -> None:
    at_the_threshold = unequal_so_far(1, 1 - MIN_PPM / 1e6)

    wrong = (at_the_threshold <= most_unequal(is_exact=False)).any(axis=1).mean()
    wrong_by_the_exact_bound = (at_the_threshold <= most_unequal(is_exact=True)).any(axis=1).mean()

    assert wrong <= DOUBT
    assert wrong_by_the_exact_bound > 2 * DOUBT


def test_the_bound_is_not_safe_by_never_passing() -> None:
    flawless = unequal_so_far(2, 0.002)

    passed = (flawless <= most_unequal(is_exact=False)).any(axis=1).mean()

    assert passed > 0.95


def test_of_several_strata_the_worst_one_decides_so_the_gate_is_no_more_often_wrong() -> None:
    limit = most_unequal(is_exact=False)
    threshold, good = unequal_so_far(3, 1 - MIN_PPM / 1e6), unequal_so_far(4, 0.001)

    worst = ((threshold <= limit) & (good <= limit)).any(axis=1).mean()
    all_at_it = ((threshold <= limit) & (unequal_so_far(5, 1 - MIN_PPM / 1e6) <= limit)).any(axis=1)
    best = ((threshold <= limit) | (good <= limit)).any(axis=1).mean()

    assert worst <= DOUBT
    assert all_at_it.mean() <= DOUBT
    assert best > DOUBT
