"""Numbers as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.api.figures import age, milliseconds, percent_of_ppm, share_of_bp, small_share
from cutover.api.rendering import fill_ages, when


@given(ppm=st.integers(0, 1_000_000))
def test_a_bound_is_never_shown_higher_than_it_is(ppm: int) -> None:
    shown = percent_of_ppm(ppm)

    assert Decimal(shown.removesuffix(" %")) <= Decimal(ppm) / 10_000


@given(ppm=st.integers(0, 999_999))
def test_only_all_of_a_whole_reads_as_a_hundred_percent(ppm: int) -> None:
    assert percent_of_ppm(ppm) != "100 %"


@pytest.mark.parametrize(
    ("ppm", "shown"),
    [
        (0, "0.00 %"),
        (999_149, "99.91 %"),
        (999_899, "99.98 %"),
        (999_950, "99.995 %"),
        (999_904, "99.9904 %"),
        (1_000_000, "100 %"),
    ],
)
def test_a_bound_shows_more_digits_where_the_next_nine_counts(ppm: int, shown: str) -> None:
    assert percent_of_ppm(ppm) == shown


@given(ppm=st.integers(1, 1_000_000))
def test_a_mismatch_that_exists_never_reads_as_nothing(ppm: int) -> None:
    assert not small_share(ppm).startswith("0 ")


@pytest.mark.parametrize(
    ("elapsed_s", "shown"),
    [
        (-3, "just now"),
        (0.4, "just now"),
        (12, "12 s ago"),
        (59.9, "59 s ago"),
        (3_599, "59 min ago"),
        (7_200, "2 h ago"),
        (9 * 86_400, "9 days ago"),
    ],
)
def test_an_age_is_told_in_the_coarsest_unit_that_says_something(
    elapsed_s: float, shown: str
) -> None:
    assert age(elapsed_s) == shown


def test_shares_and_times_carry_no_needless_digits() -> None:
    assert (share_of_bp(1_000), share_of_bp(25), share_of_bp(0)) == ("10 %", "0.25 %", "0 %")
    assert (milliseconds(1.234), milliseconds(48.7), milliseconds(1_530)) == (
        "1.2 ms",
        "49 ms",
        "1.53 s",
    )


def test_a_moment_gets_its_age_when_it_is_sent() -> None:
    html = f"<p>{when(1_000.0)}</p>"

    sent = fill_ages(html, 1_012.0)

    assert ">12 s ago</time>" in sent
    assert 'title="1970-01-01 00:16:40 UTC"' in sent
