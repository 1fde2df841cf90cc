"""The life of a group: every cell of its table, and when it is closed."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.groups import by_hour, upper_ppm
from shadow_compare.core.life import (
    BY_PEOPLE,
    MAX_DAYS,
    TEXT_LIMIT,
    TRANSITIONS,
    Act,
    Life,
    State,
    Wish,
    as_of,
    end_of,
    entry_of,
    granted,
    moved,
    problem_with,
    quiet_after,
)

TODAY = date(2026, 11, 18)
NOON_S = end_of(TODAY) - 12 * 3_600

N, T, A, F, R = State.NEW, State.TRIAGED, State.ACCEPTED, State.FIXED, State.REGRESSED
#: triage, accept, fix, hit, quiet, expire; None where it is not allowed or changes nothing.
CELLS = {
    N: (T, A, F, N, F, None),
    T: (T, A, F, T, F, None),
    A: (T, A, F, A, None, T),
    F: (T, None, None, R, None, None),
    R: (T, A, F, R, F, None),
}


def wish(act: Act, **changed: object) -> Wish:
    whole = {"by": "eva", "owner": "pricing", "reason": "rounding"}
    if act is Act.ACCEPT:
        whole |= {"expires": TODAY}  # type: ignore[dict-item]
    return Wish(act, **(whole | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(("place", "act"), list(enumerate(Act)))
def test_every_cell_of_the_table(state: State, place: int, act: Act) -> None:
    assert TRANSITIONS[state].get(act) is CELLS[state][place]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("act", BY_PEOPLE)
def test_what_the_table_does_not_allow_is_refused_in_words(state: State, act: Act) -> None:
    told = problem_with(Life(state, owner="pricing"), wish(act), TODAY)

    allowed = act in TRANSITIONS[state]
    assert (told is None) is allowed
    assert allowed or state.value in str(told)


@pytest.mark.parametrize("act", [act for act in Act if act not in BY_PEOPLE])
def test_nobody_can_do_what_is_the_comparers_to_say(act: Act) -> None:
    assert "comparer's" in str(problem_with(Life(), wish(act), TODAY))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (wish(Act.ACCEPT, reason=" \t"), "give a reason"),
        (wish(Act.ACCEPT, owner=""), "names an owner"),
        (wish(Act.ACCEPT, expires=None), "give its last day"),
        (wish(Act.ACCEPT, expires=TODAY - timedelta(1)), "is over"),
        (wish(Act.ACCEPT, expires=TODAY + timedelta(MAX_DAYS + 1)), "days away"),
        (wish(Act.TRIAGE, owner=""), "names an owner"),
        (wish(Act.FIX, expires=TODAY), "only an acceptance expires"),
        (wish(Act.FIX, by=" "), "who does it"),
        (wish(Act.FIX, reason="x" * (TEXT_LIMIT + 1)), "longer than"),
    ],
)
def test_a_wish_that_lacks_something_says_what(wanted: Wish, told: str) -> None:
    assert told in str(problem_with(Life(), wanted, TODAY))


def test_an_acceptance_may_end_today_and_in_two_years() -> None:
    for day in (TODAY, TODAY + timedelta(MAX_DAYS)):
        assert problem_with(Life(), wish(Act.ACCEPT, expires=day), TODAY) is None


def test_an_owner_is_named_once() -> None:
    owned = granted(Life(), wish(Act.TRIAGE), NOON_S)

    after = granted(owned, wish(Act.FIX, owner="", ticket=""), NOON_S + 1)

    assert problem_with(owned, wish(Act.ACCEPT, owner=""), TODAY) is None
    assert (after.owner, after.since_s, after.state) == ("pricing", NOON_S + 1, F)


def test_an_acceptance_holds_to_the_last_second_of_its_last_day() -> None:
    life = granted(Life(), wish(Act.ACCEPT), NOON_S)

    assert as_of(life, end_of(TODAY) - 1) is life
    over = as_of(life, end_of(TODAY))
    assert (over.state, over.owner, over.expires, over.by) == (T, "pricing", None, "")
    assert (over.since_s, "rounding" in over.note) == (end_of(TODAY), True)


def test_what_the_comparer_sees_keeps_owner_and_ticket() -> None:
    fixed = granted(Life(), wish(Act.FIX, ticket="SHOP-7"), NOON_S)

    back = moved(fixed, Act.HIT, "seen again", NOON_S + 60)

    assert (back.state, back.owner, back.ticket, back.by) == (R, "pricing", "SHOP-7", "")
    entry = entry_of(fixed, back, Act.HIT)
    assert (entry.before, entry.after, entry.note, entry.at_s) == (F, R, "seen again", NOON_S + 60)


@given(st.sampled_from(State), st.sampled_from(Act))
def test_a_move_that_the_table_lacks_leaves_the_group_as_it_was(state: State, act: Act) -> None:
    life = Life(state, owner="pricing", note="before", expires=TODAY)

    after = moved(life, act, "after", NOON_S)

    if TRANSITIONS[state].get(act, state) is state:
        assert after is life
    else:
        assert after.state is TRANSITIONS[state][act]


HITS = st.integers(1, 10_000)


@given(HITS, st.integers(1, 10**7), st.integers(2, 100))
def test_a_group_is_closed_when_its_silence_would_be_rare_at_a_tenth_of_its_rate(
    hits: int, more: int, fall: int
) -> None:
    compared = hits + more
    needed = quiet_after(hits, compared, fall=fall)

    def chance_of_silence(later: int) -> float:
        return (compared / (compared + later / fall)) ** hits

    assert chance_of_silence(needed) <= 0.05 * (1 + 1e-9)
    assert chance_of_silence(needed - 1) > 0.05 * (1 - 1e-9)


@given(HITS, st.integers(1, 10**6))
def test_more_hits_in_the_same_comparisons_close_sooner(hits: int, more: int) -> None:
    compared = hits + 1 + more

    assert quiet_after(hits + 1, compared) <= quiet_after(hits, compared)


@given(HITS, st.integers(0, 10**6))
def test_the_databases_own_sieve_lets_every_closing_through(hits: int, more: int) -> None:
    compared = hits + more

    assert quiet_after(hits, compared) * hits >= 29.9 * compared


def test_known_figures_of_closing() -> None:
    assert quiet_after(1, 1_000) == 190_000
    assert quiet_after(100, 10_000) == pytest.approx(30 / 0.01, rel=0.02)
    assert quiet_after(5_000, 1_000_000) == math.ceil(10_000_000 * (20 ** (1 / 5_000) - 1))
    for hits, compared in ((0, 10), (11, 10)):
        with pytest.raises(ValueError, match="cannot be"):
            quiet_after(hits, compared)


@given(st.integers(0, 500), st.integers(0, 10_000))
def test_a_share_lies_under_its_bound(hits: int, more: int) -> None:
    compared = hits + more

    bound = upper_ppm(hits, compared)

    assert 0 < bound <= 1_000_000
    assert compared == 0 or bound >= hits * 1_000_000 // compared


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 9))),
    st.floats(0, 200 * 600),
)
def test_hours_hold_every_hit_of_a_day_and_none_of_another(
    slots: list[tuple[int, int]], now_s: float
) -> None:
    starts = [(at * 600, count) for at, count in slots]

    hours = by_hour(starts, now_s)

    end = (now_s // 600 + 1) * 600
    assert len(hours) == 24
    assert sum(hours) == sum(n for at, n in starts if end - 24 * 3_600 <= at < end)
    assert hours[-1] == sum(n for at, n in starts if end - 3_600 <= at < end)
