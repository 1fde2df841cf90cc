"""The rules of payments: where attempts may go, when another is tried, what is booked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.gateway import Book, BookState, Charged, MoveKind, MoveState, Reach
from new_core.domain.gateway_health import Breaker, Health, Patience
from new_core.domain.payment import (
    Attempt,
    AttemptState,
    CaptureMode,
    EventKind,
    IntentState,
    PaymentIntent,
    PaymentMethod,
)
from new_core.domain.payment_booking import Pace, learn, learn_book, learn_missing
from new_core.domain.payment_failover import (
    Budget,
    Candidate,
    GiveUp,
    StandStill,
    TryAt,
    next_step,
)
from new_core.domain.payment_move import MOVES, Payment, PaymentMove
from new_core.domain.payment_states import HOLDING, LOST, TRANSITIONS, UNDER_WAY, Told, after

S = AttemptState
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PACE = Pace()
TOTAL = 1000
ids = iter(UUID(int=n) for n in range(1, 10**9))

CELLS = {
    (S.CREATED, Told.SEND): S.SENDING,
    (S.SENDING, Told.AUTHORISED): S.AUTHORISED,
    (S.SENDING, Told.CAPTURED): S.CAPTURED,
    (S.SENDING, Told.DECLINED): S.DECLINED,
    (S.SENDING, Told.NOT_SENT): S.FAILED_BEFORE_SEND,
    (S.SENDING, Told.NO_ANSWER): S.UNKNOWN,
    (S.UNKNOWN, Told.AUTHORISED): S.AUTHORISED,
    (S.UNKNOWN, Told.CAPTURED): S.CAPTURED,
    (S.UNKNOWN, Told.DECLINED): S.DECLINED,
    (S.UNKNOWN, Told.NOT_FOUND): S.NOT_FOUND,
    (S.AUTHORISED, Told.CAPTURED): S.CAPTURED,
    (S.AUTHORISED, Told.VOIDED): S.VOIDED,
    (S.AUTHORISED, Told.EXPIRED): S.EXPIRED,
    (S.CAPTURED, Told.CAPTURED): S.CAPTURED,
    (S.CAPTURED, Told.REFUND_BEGUN): S.REFUNDING,
    (S.CAPTURED, Told.DISPUTED): S.DISPUTED,
    (S.REFUNDING, Told.REFUND_ENDED): S.CAPTURED,
    (S.REFUNDING, Told.ALL_REFUNDED): S.REFUNDED,
    (S.REFUNDING, Told.DISPUTED): S.DISPUTED,
    (S.DECLINED, Told.VOIDED): S.VOIDED,
    (S.DECLINED, Told.ALL_REFUNDED): S.REFUNDED,
    (S.FAILED_BEFORE_SEND, Told.VOIDED): S.VOIDED,
    (S.FAILED_BEFORE_SEND, Told.ALL_REFUNDED): S.REFUNDED,
    (S.NOT_FOUND, Told.VOIDED): S.VOIDED,
    (S.NOT_FOUND, Told.ALL_REFUNDED): S.REFUNDED,
    (S.EXPIRED, Told.VOIDED): S.VOIDED,
    (S.EXPIRED, Told.ALL_REFUNDED): S.REFUNDED,
}


def attempt(
    state: AttemptState, number: int = 1, gateway: str = "first", **more: object
) -> Attempt:
    made = Attempt(next(ids), UUID(int=0), number, state, NOW, gateway, sent_at=NOW)
    return replace(made, **more)  # type: ignore[arg-type]  # by name


def payment(
    *attempts: Attempt, state: IntentState = IntentState.OPEN, moves: tuple[PaymentMove, ...] = ()
) -> Payment:
    won_by = attempts[-1].id if state is IntentState.WON else None
    intent = PaymentIntent(
        UUID(int=0), UUID(int=1), TOTAL, "CAD", CaptureMode.LATER, PaymentMethod("card"), NOW,
        state, won_by=won_by,
    )  # fmt: skip
    return Payment(intent, attempts, moves, 1, NOW)


@pytest.mark.parametrize("told", list(Told))
@pytest.mark.parametrize("state", list(S))
def test_every_cell_of_the_table_is_as_written(state: AttemptState, told: Told) -> None:
    assert after(state, told) is CELLS.get((state, told))


def test_every_state_stands_in_the_table() -> None:
    assert TRANSITIONS.keys() == set(S)
    assert MOVES.keys() == set(MoveState)


@pytest.mark.parametrize("state", sorted(UNDER_WAY | HOLDING))
def test_nothing_is_sent_while_an_attempt_may_have_the_money(state: AttemptState) -> None:
    step = next_step([attempt(state)], [Candidate("second")], 0, Budget())

    assert isinstance(step, StandStill)


@pytest.mark.parametrize("state", [S.FAILED_BEFORE_SEND, S.NOT_FOUND])
def test_what_was_never_charged_is_tried_elsewhere(state: AttemptState) -> None:
    both = [Candidate("first"), Candidate("second")]

    assert next_step([attempt(state)], both, 0, Budget()) == TryAt("second")
    assert next_step([attempt(state)], both[:1], 0, Budget()) == TryAt("first")


@pytest.mark.parametrize("is_retryable", [True, False])
def test_a_decline_is_tried_elsewhere_only_where_another_may_take_it(is_retryable: bool) -> None:
    declined = attempt(S.DECLINED, reason="no", is_retryable=is_retryable)

    step = next_step([declined], [Candidate("first"), Candidate("second")], 0, Budget())

    assert step == (TryAt("second") if is_retryable else GiveUp("no"))
    assert next_step([declined], [Candidate("first")], 0, Budget()) == GiveUp("no")


def test_a_budget_bounds_tries_and_time() -> None:
    failed = [attempt(S.NOT_FOUND, n, f"g{n}") for n in (1, 2, 3)]
    fresh = [Candidate("fresh")]

    assert isinstance(next_step(failed, fresh, 0, Budget(attempts=3)), GiveUp)
    assert isinstance(next_step(failed[:1], fresh, 20, Budget(spent_s=20)), GiveUp)
    assert next_step(failed[:1], fresh, 19.9, Budget(spent_s=20)) == TryAt("fresh")
    assert next_step([], fresh, 100, Budget(spent_s=20)) == TryAt("fresh")


def test_a_gateway_that_is_left_alone_is_passed_over() -> None:
    candidates = [Candidate("first", Breaker.OPEN), Candidate("second", Breaker.TRYING)]

    assert next_step([], candidates, 0, Budget()) == TryAt("second")
    assert isinstance(next_step([], candidates[:1], 0, Budget()), GiveUp)


states = st.lists(st.sampled_from(list(S)), max_size=4)


@given(states=states, retryable=st.booleans(), spent_s=st.floats(0, 40))
def test_an_attempt_begins_only_when_all_before_are_known_not_to_have_charged(
    states: list[AttemptState], retryable: bool, spent_s: float
) -> None:
    made = [
        attempt(state, n, f"g{n % 2}", is_retryable=retryable) for n, state in enumerate(states, 1)
    ]

    step = next_step(made, [Candidate("g0"), Candidate("g1")], spent_s, Budget())

    if isinstance(step, TryAt):
        safe = {S.CREATED, S.DECLINED, S.FAILED_BEFORE_SEND, S.NOT_FOUND}
        sent = [one for one in made if one.state is not S.CREATED]
        assert len(sent) < Budget().attempts
        assert not sent or sent[-1].state in safe
        assert not {one.state for one in sent} & (UNDER_WAY | HOLDING)


totals = st.integers(0, TOTAL)
books = st.builds(
    lambda state, captured, refunded: Book(
        "ref",
        state,
        TOTAL,
        captured if state is BookState.CAPTURED else 0,
        min(captured, refunded) if state is BookState.CAPTURED else 0,
    ),
    st.sampled_from([BookState.AUTHORISED, BookState.CAPTURED]),
    st.integers(1, TOTAL),
    totals,
)


@given(news=st.lists(books, min_size=1, max_size=6))
def test_events_add_up_to_the_highest_totals_whatever_comes_twice_or_late(
    news: list[Book],
) -> None:
    stands, booked = attempt(S.SENDING), dict.fromkeys(EventKind, 0)
    state = IntentState.OPEN

    for book in [*news, *news]:
        learned = learn_book(payment(stands, state=state), stands, book, NOW, PACE)
        for one in learned.news:
            booked[one.kind] += one.minor
        claimed = stands.claimed_minor + learned.claim_minor
        stands, state = replace(learned.attempt, claimed_minor=claimed), learned.state

    assert state is IntentState.WON
    assert booked[EventKind.AUTHORISED] == stands.authorised_minor == TOTAL
    assert booked[EventKind.CAPTURED] == max(one.captured_minor for one in news)
    assert booked[EventKind.REFUNDED] == max(one.refunded_minor for one in news)
    assert 0 <= stands.refunded_minor <= stands.claimed_minor <= max(stands.captured_minor, 0)


@given(news=st.lists(books, min_size=2, max_size=5))
def test_a_payment_ends_once(news: list[Book]) -> None:
    stands, state, ends = attempt(S.UNKNOWN), IntentState.OPEN, 0

    for book in news:
        learned = learn_book(payment(stands, state=state), stands, book, NOW, PACE)
        stands, state, ends = learned.attempt, learned.state, ends + learned.is_final

    assert ends == 1


@pytest.mark.parametrize("state", sorted(LOST))
@pytest.mark.parametrize(
    ("book", "owed"),
    [
        (Book("r", BookState.AUTHORISED, TOTAL), MoveKind.VOID),
        (Book("r", BookState.CAPTURED, TOTAL, TOTAL), MoveKind.REFUND),
        (Book("r", BookState.CAPTURED, TOTAL, TOTAL, TOTAL), None),
    ],
)
def test_what_an_attempt_that_was_given_up_charged_goes_back(
    state: AttemptState, book: Book, owed: MoveKind | None
) -> None:
    lost = attempt(state)

    learned = learn_book(payment(lost), lost, book, NOW, PACE)

    assert (learned.owed, learned.is_final) == (owed, False)
    assert learned.state is IntentState.OPEN
    assert learned.attempt.state is (S.REFUNDED if owed is None else state)


@pytest.mark.parametrize("state", [IntentState.CANCELLED, IntentState.FAILED])
def test_success_after_the_end_goes_back(state: IntentState) -> None:
    late = attempt(S.UNKNOWN)
    book = Book("r", BookState.AUTHORISED, TOTAL)

    learned = learn_book(payment(late, state=state), late, book, NOW, PACE)

    assert (learned.owed, learned.state, learned.is_final) == (MoveKind.VOID, state, False)
    assert learned.attempt.state is S.AUTHORISED


def test_what_is_captured_although_it_was_to_be_let_go_goes_back() -> None:
    held = attempt(S.AUTHORISED, authorised_minor=TOTAL)
    refused = PaymentMove(
        next(ids), held.id, MoveKind.VOID, TOTAL, MoveState.REFUSED, NOW, is_owed=True
    )
    book = Book("r", BookState.CAPTURED, TOTAL, TOTAL)

    learned = learn_book(
        payment(held, state=IntentState.WON, moves=(refused,)), held, book, NOW, PACE
    )

    assert (learned.owed, learned.attempt.state) == (MoveKind.REFUND, S.CAPTURED)


def test_not_found_means_nothing_before_the_quiet_time() -> None:
    waits = attempt(S.UNKNOWN)
    early, late = NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)

    before = learn_missing(payment(waits), waits, early, PACE)
    then = learn_missing(payment(waits), waits, late, PACE)

    assert (before.attempt.state, before.attempt.look_at) == (S.UNKNOWN, late)
    assert then.attempt.state is S.NOT_FOUND
    assert then.attempt.look_at == late + timedelta(seconds=PACE.late_s)


@pytest.mark.parametrize("state", sorted(set(S) - {S.SENDING}))
@pytest.mark.parametrize("reach", [Reach.NOT_SENT, Reach.NO_ANSWER])
def test_no_answer_changes_nothing_that_is_known(state: AttemptState, reach: Reach) -> None:
    known = attempt(state)

    learned = learn(payment(known), known, Charged(reach), NOW, PACE)

    assert (learned.attempt, learned.news) == (known, ())


def test_a_gateway_is_left_alone_after_failures_in_a_row_and_one_success_forgives_all() -> None:
    patience, health = Patience(failures=3, open_s=30), Health("first")

    for _ in range(2):
        health = health.after(Reach.NO_ANSWER, NOW, patience)
    almost = health.breaker(NOW)
    health = health.after(Reach.NOT_SENT, NOW, patience)
    later = NOW + timedelta(seconds=30)
    again = health.after(Reach.NO_ANSWER, later, patience)

    assert almost is Breaker.CLOSED
    assert (health.breaker(NOW), health.breaker(later)) == (Breaker.OPEN, Breaker.TRYING)
    assert again.breaker(later) is Breaker.OPEN
    assert again.after(Reach.ANSWERED, later, patience) == Health("first")


def test_a_token_is_shown_to_the_gateway_that_gave_it_and_to_no_other() -> None:
    method = PaymentMethod("card", "first", "one", (("second", "two"),))

    assert [method.token_at(code) for code in ("first", "second", "third")] == ["one", "two", ""]
