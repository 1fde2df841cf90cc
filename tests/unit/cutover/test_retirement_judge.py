"""Whether a legacy slice may be given up, judged from samples alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cutover.core.retirement import (
    LONGEST_GAP_S,
    Case,
    Finding,
    Sample,
    State,
    grown,
    judge,
    stands_against,
)

NOW_S = 1_772_366_400.0
DAYS = 2


def a_sample(at_s: float, **more: Any) -> Sample:
    known = Sample(
        at_s=at_s, owner="core", term=5, legacy_requests=7, unmatched=0, position=40, problem="",
        beat_s=at_s - 2, reads={"order_order": 9}, unread="", writes=3,
    )  # fmt: skip
    return replace(known, **more)


def samples() -> list[Sample]:
    """Every ten minutes, for two days and a bit."""
    return [a_sample(NOW_S - 600 * back) for back in range(DAYS * 144 + 1, -1, -1)]


def a_case(seen: list[Sample] | None = None, **more: Any) -> Case:
    known = Case(
        domain="orders", days=DAYS, now_s=NOW_S, owner="core", is_quiet=True,
        owned_since_s=NOW_S - 9 * 86_400, samples=seen or samples(), rogues=0,
    )  # fmt: skip
    return replace(known, **more)


def finding(case: Case, name: str) -> Finding:
    return next(one for one in judge(case) if one.name == name)


def test_two_days_without_any_use_are_proof() -> None:
    found = judge(a_case())

    assert {one.state for one in found} == {State.SHOWN}
    assert stands_against(found, "") == ()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"owner": "legacy"}, "ownership"),
        ({"is_quiet": False}, "ownership"),
        ({"owned_since_s": None}, "ownership"),
        ({"owned_since_s": NOW_S - 86_400}, "ownership"),
        ({"rogues": 1}, "the legacy's log"),
    ],
)
def test_the_contrary_refuses_whatever_is_accepted(change: dict[str, Any], name: str) -> None:
    case = a_case(**change)

    assert finding(case, name).state is State.REFUSED
    assert stands_against(judge(case), "I know better")


@pytest.mark.parametrize(
    ("change", "name", "state"),
    [
        ({"legacy_requests": 8}, "requests", State.REFUSED),
        ({"legacy_requests": 0}, "requests", State.NOT_SHOWN),
        ({"unmatched": 4}, "other requests", State.NOT_SHOWN),
        ({"position": 12}, "the legacy's log", State.REFUSED),
        ({"owner": "legacy"}, "ownership", State.REFUSED),
        ({"reads": {"order_order": 10}}, "reads", State.REFUSED),
        ({"reads": {"order_order": 10}, "writes": 4}, "reads", State.NOT_SHOWN),
        ({"reads": None, "unread": "userstat is off"}, "reads", State.NOT_SHOWN),
    ],
)
def test_what_a_last_sample_saw_counts(change: dict[str, Any], name: str, state: State) -> None:
    seen = samples()
    seen[-1] = replace(seen[-1], **change)

    assert finding(a_case(seen), name).state is state


@pytest.mark.parametrize(
    "change",
    [
        {"legacy_requests": None},
        {"problem": "the slot was dropped"},
        {"position": None},
        {"beat_s": None},
        {"beat_s": NOW_S - 9 * 86_400},
    ],
)
def test_samples_that_miss_a_source_are_a_gap(change: dict[str, Any]) -> None:
    seen = samples()
    seen[100:104] = [replace(one, **change) for one in seen[100:104]]

    assert finding(a_case(seen), "samples").state is State.REFUSED


def test_a_reason_accepts_what_nothing_can_tell_and_only_that() -> None:
    blind = [replace(one, reads=None, unread="SQLite counts no reads") for one in samples()]
    found = judge(a_case(blind))

    assert stands_against(found, "") == ("reads: SQLite counts no reads",)
    assert stands_against(found, " ") != ()
    assert stands_against(found, "it is a demo") == ()


@given(first=st.integers(0, 280), many=st.integers(1, 9))
@example(first=0, many=2)
@example(first=0, many=3)
@example(first=1, many=1)
def test_samples_that_are_missing_anywhere_refuse(first: int, many: int) -> None:
    seen = samples()
    del seen[first : first + many]

    # One missing sample leaves 20 minutes. The first one lies before the window, where there
    # is nothing to prove; without the second too, ten minutes of it are blind.
    is_inside = first > 0 or many > 2
    assert (finding(a_case(seen), "samples").state is State.REFUSED) == is_inside


def test_no_sample_at_all_refuses_every_part_that_needs_one() -> None:
    found = judge(replace(a_case(), samples=[]))

    assert next(one for one in found if one.name == "samples").state is State.REFUSED
    assert stands_against(found, "accepted")


def test_proof_of_the_past_is_no_proof_of_today() -> None:
    late = replace(a_case(), now_s=NOW_S + LONGEST_GAP_S + 1)

    assert finding(late, "samples").state is State.REFUSED


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_a_counter_never_shrinks_by_beginning_anew(values: list[int]) -> None:
    more, resets = grown(values)

    assert more >= 0
    assert more >= max(values, default=0) - (values[0] if values else 0)
    assert resets == sum(after < before for before, after in pairwise(values))
