"""Leaving a store alone that is down, and not asking it too much when it is up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.breaker import FAILURES_TO_OPEN, OPEN_S, Breaker
from shadow_compare.core.pace import Pace, next_batch


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(0)
    return breaker


def test_a_breaker_opens_after_failures_in_a_row() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed(0)
    before = breaker.allows(0)
    breaker.failed(0)

    assert before
    assert not breaker.allows(OPEN_S - 0.1)


def test_an_answer_in_between_starts_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN * 3):
        breaker.failed(0)
        breaker.succeeded()

    assert breaker.allows(0)


def test_after_a_while_one_request_tries() -> None:
    breaker = opened()

    assert [breaker.allows(OPEN_S) for _ in range(3)] == [True, False, False]


def test_the_try_decides() -> None:
    failing, answering = opened(), opened()
    failing.allows(OPEN_S)
    answering.allows(OPEN_S)

    failing.failed(OPEN_S)
    answering.succeeded()

    assert not failing.allows(OPEN_S * 2 - 0.1)
    assert failing.allows(OPEN_S * 2)
    assert answering.allows(OPEN_S)


def test_an_abandoned_try_lets_the_next_one_try() -> None:
    breaker = opened()
    breaker.allows(OPEN_S)

    breaker.abandoned()

    assert breaker.allows(OPEN_S)


@given(st.floats(1, 1_000), st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_no_stretch_of_time_holds_more_than_its_rate_and_one_burst(
    per_s: float, gaps: list[float]
) -> None:
    pace, now_s, sent = Pace(per_s), 0.0, []
    for gap in gaps:
        now_s += gap
        sent.append(now_s + pace.wait_s(now_s))

    assert sent == sorted(sent)
    for first in range(0, len(sent), 7):
        stretch = sent[-1] - sent[first]
        assert len(sent) - first <= (stretch + 1) * per_s + 2


def test_batches_stay_within_their_bounds() -> None:
    assert next_batch(200, 0.1) == 200
    assert next_batch(16, 5) == 16
    assert next_batch(64, 5) == 32
    assert next_batch(64, 0.1) == 128
    assert next_batch(64, 0.5) == 64
