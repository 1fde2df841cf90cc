"""Breaker and health: a bad store is left alone, a good one always comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from proxy.core.breaker import (
    SLOTS,
    TRANSITIONS,
    TRIALS,
    BreakerEvent,
    BreakerState,
    CircuitBreaker,
)
from proxy.core.health import Health, HealthState

WINDOW_S = 10.0
OPEN_S = 5.0
MIN_REQUESTS = 10


def breaker(failures_bp: int = 5_000, min_requests: int = MIN_REQUESTS) -> CircuitBreaker:
    return CircuitBreaker(
        failures_bp=failures_bp,
        min_requests=min_requests,
        window_s=WINDOW_S,
        open_s=OPEN_S,
        now_s=0.0,
    )


def fail(subject: CircuitBreaker, times: int, at_s: float = 0.0) -> None:
    for _ in range(times):
        subject.failed(at_s, at_s)


def opened(at_s: float = 0.0) -> CircuitBreaker:
    subject = breaker()
    fail(subject, MIN_REQUESTS, at_s)
    return subject


def test_every_cell_of_the_transitions_is_meant() -> None:
    closed, open_, half = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN

    cells = {(s, e): TRANSITIONS[s].get(e) for s in BreakerState for e in BreakerEvent}

    assert {cell: to for cell, to in cells.items() if to is not None} == {
        (closed, BreakerEvent.WINDOW_BAD): open_,
        (open_, BreakerEvent.PAUSE_OVER): half,
        (half, BreakerEvent.TRIALS_GOOD): closed,
        (half, BreakerEvent.TRIAL_BAD): open_,
    }


def test_a_store_that_fails_half_the_time_is_left_alone() -> None:
    subject = breaker()

    for _ in range(MIN_REQUESTS // 2):
        subject.good += 1
        subject.failed(1.0, 1.0)

    assert subject.state is BreakerState.OPEN
    assert not subject.admit(1.0)
    assert subject.pause_s(2.0) == OPEN_S - 1.0


def test_a_few_failures_at_night_open_nothing() -> None:
    subject = breaker()

    fail(subject, MIN_REQUESTS - 1)

    assert subject.state is BreakerState.CLOSED


def test_failures_among_many_successes_open_nothing() -> None:
    subject = breaker()
    subject.good += 101

    fail(subject, 100)

    assert subject.state is BreakerState.CLOSED


def test_what_left_the_window_is_forgotten() -> None:
    subject = breaker()
    fail(subject, MIN_REQUESTS - 1)

    subject.failed(WINDOW_S, WINDOW_S)

    assert subject.state is BreakerState.CLOSED
    assert subject.counts == (0, 1)


def test_what_is_in_the_window_still_counts() -> None:
    subject = breaker()
    fail(subject, MIN_REQUESTS - 1)

    subject.failed(WINDOW_S * 0.89, WINDOW_S * 0.89)

    assert subject.state is BreakerState.OPEN


def test_successes_that_leave_the_window_can_open_it() -> None:
    subject = breaker()
    subject.good += 100
    fail(subject, 1)
    subject.advance(WINDOW_S / SLOTS)
    fail(subject, MIN_REQUESTS, WINDOW_S / SLOTS)
    states = [subject.state]

    subject.advance(WINDOW_S)
    states.append(subject.state)

    assert states == [BreakerState.CLOSED, BreakerState.OPEN]


def test_after_the_pause_a_few_trials_are_let_through_and_no_more() -> None:
    subject = opened()

    admitted = [subject.admit(OPEN_S) for _ in range(10)]

    assert admitted == [True] * TRIALS + [False] * (10 - TRIALS)
    assert subject.state is BreakerState.HALF_OPEN


def test_the_pause_is_never_longer_than_it_was_asked_for() -> None:
    subject = opened()
    now_s = 27.38783268041767  # such that adding five and taking it off again gives more
    for _ in range(TRIALS):
        subject.admit(now_s)

    assert subject.pause_s(now_s) == OPEN_S


def test_a_bad_trial_opens_it_for_as_long_again() -> None:
    subject = opened()
    assert subject.admit(OPEN_S)

    subject.failed(OPEN_S + 1, OPEN_S)

    assert subject.state is BreakerState.OPEN
    assert not subject.admit(2 * OPEN_S)
    assert subject.admit(2 * OPEN_S + 1)


def test_trials_that_end_without_a_verdict_are_given_out_again() -> None:
    subject = opened()
    assert [subject.admit(OPEN_S) for _ in range(TRIALS)] == [True] * TRIALS

    early, late = subject.admit(2 * OPEN_S - 0.1), subject.admit(2 * OPEN_S)

    assert (early, late) == (False, True)


def test_failures_of_exchanges_that_began_before_it_closed_again_are_old_news() -> None:
    subject = opened()
    for _ in range(TRIALS):
        assert subject.admit(OPEN_S)
        subject.recovered(OPEN_S + 1, OPEN_S)
    assert subject.state is BreakerState.CLOSED

    for _ in range(1_000):
        subject.failed(OPEN_S + 2, 0.0)

    assert subject.state is BreakerState.CLOSED
    assert subject.counts == (0, 0)


@pytest.mark.parametrize("is_good", [True, False])
def test_what_began_before_the_trials_decides_nothing_about_them(*, is_good: bool) -> None:
    subject = opened()
    assert subject.admit(OPEN_S)

    for _ in range(100):
        if is_good:
            subject.recovered(OPEN_S, OPEN_S - 1)
        else:
            subject.failed(OPEN_S, OPEN_S - 1)

    assert subject.state is BreakerState.HALF_OPEN


class Weather(RuleBasedStateMachine):
    """Any order of exchanges, pauses and turns, against what must always hold."""

    def __init__(self) -> None:
        super().__init__()
        self.subject = breaker()
        self.now_s = 0.0
        self.last_failure_s = -1_000.0
        self.trials: list[float] = []

    @rule(pause_s=st.floats(0, 30))
    def wait(self, pause_s: float) -> None:
        self.now_s += pause_s
        self.subject.advance(self.now_s)

    @rule(times=st.integers(1, 30), ago_s=st.floats(0, 20))
    def some_fail(self, times: int, ago_s: float) -> None:
        for _ in range(times):
            self.subject.failed(self.now_s, self.now_s - ago_s)
        self.last_failure_s = self.now_s

    @rule(times=st.integers(1, 30))
    def some_go_well(self, times: int) -> None:
        for _ in range(times):
            self.subject.good += 1
            if self.subject.state is not BreakerState.CLOSED:
                self.subject.recovered(self.now_s, self.now_s)

    @precondition(lambda self: self.subject.state is not BreakerState.CLOSED)
    @rule(times=st.integers(1, 10))
    def some_ask(self, times: int) -> None:
        for _ in range(times):
            if self.subject.admit(self.now_s):
                self.trials.append(self.now_s)

    @invariant()
    def it_is_never_closed_on_a_bad_window(self) -> None:
        self.subject.advance(self.now_s)
        assert not (self.subject.state is BreakerState.CLOSED and self.subject.is_bad)

    @invariant()
    def it_forgets_all_when_nothing_failed_for_a_window(self) -> None:
        self.subject.advance(self.now_s)
        if self.now_s - self.last_failure_s > WINDOW_S * (1 + 1 / SLOTS):
            assert self.subject.counts[1] == 0 or self.subject.state is not BreakerState.CLOSED

    @invariant()
    def at_most_so_many_trials_in_any_pause(self) -> None:
        for at_s in self.trials:
            assert sum(at_s <= other < at_s + OPEN_S for other in self.trials) <= 2 * TRIALS

    @invariant()
    def its_counts_are_bounded(self) -> None:
        assert len(self.subject._good_slots) == len(self.subject._bad_slots) == SLOTS
        assert all(count >= 0 for count in self.subject._bad_slots)
        assert 0 <= self.subject.pause_s(self.now_s) <= OPEN_S

    @override
    def teardown(self) -> None:
        """Whatever happened, a store that is well again gets everyone back."""
        for _ in range(TRIALS):
            self.now_s += OPEN_S
            if self.subject.admit(self.now_s):
                self.subject.recovered(self.now_s, self.now_s)
        assert self.subject.state is BreakerState.CLOSED


TestAnyWeather = Weather.TestCase


def health(unhealthy_after: int = 3, healthy_after: int = 2) -> Health:
    return Health(unhealthy_after=unhealthy_after, healthy_after=healthy_after)


def after_checks(subject: Health, *results: bool) -> HealthState:
    for is_good in results:
        subject.checked(is_good=is_good)
    return subject.state


def test_checks_that_fail_in_a_row_take_a_store_out_and_good_ones_bring_it_back() -> None:
    subject = health()

    assert after_checks(subject, False, False, True, False, False) is HealthState.HEALTHY
    assert after_checks(subject, False) is HealthState.UNHEALTHY
    assert after_checks(subject, True, False, True) is HealthState.UNHEALTHY
    assert after_checks(subject, True) is HealthState.HEALTHY


def test_connects_that_fail_one_after_the_other_take_a_store_out() -> None:
    subject = health()

    for at_s in (1.0, 2.0, 3.0):
        subject.connect_failed(at_s + 0.5, at_s)

    assert subject.state is HealthState.UNHEALTHY


def test_connects_that_fail_side_by_side_count_once() -> None:
    subject = health()

    for _ in range(1_000):
        subject.connect_failed(1.5, 1.0)

    assert subject.state is HealthState.HEALTHY


def test_a_connection_that_is_made_ends_the_row() -> None:
    subject = health()

    for at_s in (1.0, 2.0, 3.0, 4.0):
        subject.connect_failed(at_s + 0.5, at_s)
        subject.connected()

    assert subject.state is HealthState.HEALTHY


def test_requests_do_not_bring_an_unhealthy_store_back() -> None:
    subject = health()
    after_checks(subject, False, False, False)

    subject.connected()

    assert subject.state is HealthState.UNHEALTHY


@given(
    unhealthy_after=st.integers(1, 5),
    healthy_after=st.integers(1, 5),
    results=st.lists(st.booleans(), max_size=60),
)
def test_health_changes_exactly_after_a_row(
    unhealthy_after: int, healthy_after: int, results: list[bool]
) -> None:
    subject = health(unhealthy_after, healthy_after)
    is_healthy, row = True, 0

    for is_good in results:
        row = 0 if is_good is is_healthy else row + 1
        if row == (unhealthy_after if is_healthy else healthy_after):
            is_healthy, row = not is_healthy, 0
        subject.checked(is_good=is_good)

        assert (subject.state is HealthState.HEALTHY) is is_healthy
