"""Counts add up and quantiles are within two per cent."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from loadtests.tally import Outcome, Tally, Times

milliseconds = st.floats(min_value=0.01, max_value=60_000)


@given(times=st.lists(milliseconds, min_size=1), share=st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_an_upper_bound_within_two_per_cent(times: list[float], share: float) -> None:
    kept = Times()
    for elapsed in times:
        kept.add(elapsed)
    exact = sorted(times)[math.ceil(share * len(times)) - 1]

    bound = kept.quantile_ms(share)

    assert bound is not None
    assert exact - 0.001 <= bound <= exact * 1.021 + 0.001


def test_before_the_first_answer_there_is_no_quantile() -> None:
    assert Times().quantile_ms(0.5) is None


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(Outcome), milliseconds)))
def test_steps_add_up_to_the_total(steps: list[tuple[str, Outcome, float]]) -> None:
    tally = Tally()
    for step, outcome, elapsed in steps:
        tally.add(step, outcome, elapsed, "why")

    assert (
        tally.requests
        == len(steps)
        == sum(entry.outcomes.total() for entry in tally.steps.values())
    )
    assert tally.failures == sum(tally.reasons.values())


def test_only_answered_checkouts_are_orders() -> None:
    tally = Tally()
    for outcome in (Outcome.OK, Outcome.REFUSED, Outcome.FAILED):
        tally.add("checkout", outcome, 5.0, "status 500")

    summary = tally.as_json()

    assert (summary["orders"], summary["failures"], summary["refused"]) == (1, 1, 1)
    assert summary["failure_reasons"] == {"checkout: status 500": 1}
