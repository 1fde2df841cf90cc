"""The bound that gates read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.confidence import lower_bound_ppm, samples_needed


@pytest.mark.parametrize(
    ("min_ppm", "confidence_bp", "flawless"),
    [
        (990_000, 9_500, 299),
        (999_000, 9_500, 2_995),
        (999_500, 9_500, 5_990),
        (999_900, 9_500, 29_956),
        (990_000, 9_900, 459),
        (999_000, 9_900, 4_603),
        (999_500, 9_900, 9_209),
        (999_900, 9_900, 46_050),
    ],
)
def test_flawless_comparisons_needed_are_those_of_the_textbook(
    min_ppm: int, confidence_bp: int, flawless: int
) -> None:
    assert samples_needed(min_ppm, confidence_bp) == flawless
    assert lower_bound_ppm(flawless, flawless, confidence_bp) >= min_ppm
    assert lower_bound_ppm(flawless - 1, flawless - 1, confidence_bp) < min_ppm


def test_a_whole_cannot_be_proven_by_samples_and_nothing_needs_none() -> None:
    assert samples_needed(1_000_000, 9_500) is None
    assert samples_needed(0, 9_500) == 0


def test_one_sided_bounds_are_those_of_known_tables() -> None:
    # The two-sided 95 % interval has these lower ends; one-sided that is 97.5 %.
    assert lower_bound_ppm(9_990, 10_000, 9_750) == pytest.approx(998_162, abs=20)
    assert lower_bound_ppm(50, 50, 9_750) == pytest.approx(928_900, abs=200)


@pytest.mark.parametrize(("equal", "compared", "bp"), [(2, 1, 9_500), (-1, 1, 9_500), (1, 1, 0)])
def test_what_cannot_be_is_refused(equal: int, compared: int, bp: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        lower_bound_ppm(equal, compared, bp)


def chance_of_so_many_equal(equal: int, compared: int, share: float) -> float:
    """The binomial tail: P(at least `equal` of `compared`) by its definition."""
    logs = [
        math.lgamma(compared + 1)
        - math.lgamma(k + 1)
        - math.lgamma(compared - k + 1)
        + k * math.log(share)
        + (compared - k) * math.log1p(-share)
        for k in range(equal, compared + 1)
    ]
    return math.fsum(math.exp(value) for value in logs)


@given(st.integers(1, 400), st.data(), st.sampled_from([9_000, 9_500, 9_900]))
def test_the_bound_is_the_share_at_which_the_evidence_becomes_unlikely(
    compared: int, data: st.DataObject, confidence_bp: int
) -> None:
    equal = data.draw(st.integers(1, compared))
    doubt = 1 - confidence_bp / 10_000

    bound_ppm = lower_bound_ppm(equal, compared, confidence_bp)

    if bound_ppm > 0:
        at_bound = chance_of_so_many_equal(equal, compared, bound_ppm / 1e6)
        assert at_bound <= doubt * (1 + 1e-9)
    above = chance_of_so_many_equal(equal, compared, (bound_ppm + 1) / 1e6)
    assert above > doubt * (1 - 1e-9)


@given(st.integers(0, 5_000), st.integers(0, 50))
def test_more_equal_answers_never_lower_the_bound_and_a_mismatch_does(
    equal: int, unequal: int
) -> None:
    now = lower_bound_ppm(equal, equal + unequal, 9_500)

    assert lower_bound_ppm(equal + 1, equal + unequal + 1, 9_500) >= now
    assert lower_bound_ppm(equal, equal + unequal + 1, 9_500) <= now
    assert now <= 1_000_000
