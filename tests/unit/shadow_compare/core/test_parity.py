"""Counts to statements."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.evidence import Accounting, DomainEvidence
from shadow_compare.core.parity import Counts, parity, trend, worst_first
from shadow_compare.core.text import short, storable
from shadow_compare.core.words import headline


def test_the_route_that_is_proven_least_comes_first() -> None:
    routes = {
        "much": Counts(samples=900),
        "few": Counts(samples=9),
        "bad": Counts(samples=990, unequal=90),
    }

    ordered = [one.route for one in worst_first(routes, 9_500)]

    assert ordered == ["few", "bad", "much"]


def test_what_was_not_read_is_beside_parity_and_not_in_it() -> None:
    counts = Counts(matched=5, accepted=3, mismatched=2, incomparable=7, broken=1)

    found = parity(None, counts, 9_500)

    assert (counts.judged, found.compared, found.ratio_ppm) == (18, 10, 800_000)


def some(equal: int, unequal: int) -> Counts:
    """Comparisons that are a sample each."""
    samples = equal + unequal
    return Counts(matched=equal, mismatched=unequal, samples=samples, unequal=unequal)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12), st.integers(0, 9))
def test_the_last_point_of_a_trend_is_what_is_known_now(
    steps: list[tuple[int, int]], earlier: int
) -> None:
    intervals = [
        (at * 10, "e1", some(matched, mismatched)) for at, (matched, mismatched) in enumerate(steps)
    ]
    total = sum((counts for _, _, counts in intervals), some(earlier, 0))

    points = trend(intervals, {"e1": total}, 9_500)

    assert len(points) == sum(1 for step in steps if sum(step))
    if points:
        now = parity(None, total, 9_500)
        assert (points[-1].ratio_ppm, points[-1].lower_ppm) == (now.ratio_ppm, now.lower_ppm)


def test_epochs_of_a_trend_do_not_mix() -> None:
    intervals = [(0, "old", Counts(mismatched=5)), (10, "new", Counts(matched=5))]

    points = trend(intervals, {"old": Counts(mismatched=5), "new": Counts(matched=5)}, 9_500)

    assert [(p.epoch, p.ratio_ppm) for p in points] == [("old", 0), ("new", 1_000_000)]


def test_text_is_made_fit_for_every_database_and_cut_with_a_note() -> None:
    assert storable("a\0b\ud800") == "a\N{REPLACEMENT CHARACTER}b?"
    assert short("abcdef", 3) == "abc… (3 more characters)"
    assert short("abc", 3) == "abc"


def evidence(counts: Counts, heartbeat_s: float | None) -> DomainEvidence:
    whole = parity(None, counts, 9_500)
    return DomainEvidence("catalog", "e", 1.0, whole, (), (), Accounting(0, 0, 0), heartbeat_s)


def test_a_headline_says_what_is_known_and_what_is_not() -> None:
    assert "has not seen it yet" in headline(evidence(Counts(), None))
    assert "nothing compared yet" in headline(evidence(Counts(), 1.0))
    assert headline(evidence(Counts(matched=400, samples=323), 1.0)) == (
        "catalog: at least 99 % (95 % sure) equal, 323 samples"
    )
