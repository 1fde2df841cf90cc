"""Whether the core does worse than legacy: what is shown, what only seems so, what is chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.live import Both, Finding, Tally, judge_live
from cutover.core.spans import Spans
from cutover.core.strata import Verdict
from proxy.routing import RollbackRule, Side

RULE = RollbackRule(2_000, 30_000, 200, 120)
BOUNDS = (10_000, 25_000, 50_000, 100_000)
#: Answers per bound, of 100,000: 99 % within 25 ms.
USUAL = {10_000: 90_000, 25_000: 9_200, 50_000: 700, 100_000: 100}
LEGACY = Tally(100_000, 20, USUAL)


def a_tally(
    answers: int, errors: int = 0, shares: tuple[float, ...] = (0.9, 0.092, 0.007)
) -> Tally:
    counts = [round(answers * share) for share in shares]
    within = dict(zip(BOUNDS, (*counts, answers - sum(counts)), strict=False))
    return Tally(answers, errors, within)


def counted(answers: int) -> Both:
    return {Side.CORE: Tally(answers, 0, {10_000: answers})}


def judged(core: Tally, legacy: Tally = LEGACY, known: Tally | None = None) -> Finding:
    both: Both = {Side.CORE: core, Side.LEGACY: legacy}
    return judge_live(RULE, [("since the last step", both)], known or Tally())


@pytest.mark.parametrize(
    ("core", "verdict"),
    [
        (a_tally(6, 6), Verdict.FAIL),  # the core is down
        (a_tally(150, 52), Verdict.FAIL),  # so few, and so many of them
        (a_tally(20_000, 100), Verdict.FAIL),  # errors 0.5 %, a fifth of a percent allowed
        (a_tally(1_000, 5), Verdict.INCONCLUSIVE),  # it seems so, and is not shown yet
        (a_tally(20, 1), Verdict.INCONCLUSIVE),  # one unlucky 500 on a quiet night
        (a_tally(400, 1), Verdict.INCONCLUSIVE),
        (a_tally(5_000, 2), Verdict.PASS),
        (a_tally(5_000), Verdict.PASS),
        (a_tally(150), Verdict.INCONCLUSIVE),  # fewer than asked for
        (a_tally(4_000, 0, (0.5, 0.4, 0.09)), Verdict.FAIL),  # p99 doubled
        (a_tally(4_000, 0, (0.8, 0.185, 0.013)), Verdict.PASS),  # a little slower throughout
    ],
)
def test_what_harms_shoppers_is_found_and_what_does_not_is_left_alone(
    core: Tally, verdict: Verdict
) -> None:
    assert judged(core).verdict is verdict


def test_an_outage_of_both_stores_does_not_blame_the_core() -> None:
    assert judged(a_tally(2_000, 600), a_tally(2_000, 620)).verdict is not Verdict.FAIL


def test_slowness_of_both_stores_does_not_blame_the_core() -> None:
    slow = (0.1, 0.2, 0.3)

    assert judged(a_tally(2_000, 0, slow), a_tally(2_000, 0, slow)).verdict is Verdict.PASS


def test_where_legacy_answers_nobody_any_more_what_it_was_like_counts() -> None:
    gone = Tally()

    assert judged(a_tally(5_000, 40), gone, LEGACY).verdict is Verdict.FAIL
    assert judged(a_tally(5_000, 2), gone, LEGACY).verdict is Verdict.PASS
    assert judged(a_tally(4_000, 0, (0.5, 0.4, 0.09)), gone, LEGACY).verdict is Verdict.FAIL


def test_of_a_legacy_that_nobody_ever_saw_errors_are_judged_and_slowness_is_not() -> None:
    nobody = Tally()

    assert judged(a_tally(5_000, 60), nobody).verdict is Verdict.FAIL
    assert judged(a_tally(4_000, 0, (0.0, 0.0, 0.0)), nobody).verdict is Verdict.PASS


def test_a_legacy_that_was_hardly_seen_excuses_nothing_that_it_did_not_do_itself() -> None:
    assert judged(a_tally(300, 290), a_tally(5)).verdict is Verdict.FAIL
    assert judged(a_tally(300, 290), a_tally(5, 5)).verdict is not Verdict.FAIL


def test_the_sentence_names_numbers_that_the_inputs_hold() -> None:
    found = judged(a_tally(20_000, 100))

    (said,) = found.sentences
    assert said == (
        "100 of the core's 20,000 answers since the last step were errors,"
        " legacy's share is 0.02 %, 0.2 % more are allowed"
    )
    assert (found.inputs["core_errors"], found.inputs["legacy_answers"]) == (100, 100_000)


def test_a_thin_span_says_nothing_beside_one_that_is_not() -> None:
    lately: Both = {Side.CORE: a_tally(3), Side.LEGACY: a_tally(5)}
    all_of_it: Both = {Side.CORE: a_tally(5_000), Side.LEGACY: LEGACY}

    found = judge_live(RULE, [("lately", lately), ("since the last step", all_of_it)], Tally())

    assert found.verdict is Verdict.PASS


def test_what_has_just_begun_is_found_behind_weeks_that_were_good() -> None:
    lately: Both = {Side.CORE: a_tally(500, 60), Side.LEGACY: a_tally(500)}
    weeks: Both = {Side.CORE: a_tally(9_000_000, 960), Side.LEGACY: a_tally(9_000_000, 900)}

    found = judge_live(RULE, [("lately", lately), ("since the last step", weeks)], Tally())

    assert found.verdict is Verdict.FAIL
    assert "lately" in found.sentences[0]


counts = st.integers(1, 5_000)


@given(counts, counts, st.integers(0, 100), st.integers(0, 100))
def test_a_core_that_is_no_worse_than_allowed_never_goes_back(
    core: int, legacy: int, one: int, other: int
) -> None:
    less, more = sorted((one, other))
    ours, theirs = a_tally(core, core * less // 100), a_tally(legacy, -(-legacy * more // 100))

    assert judged(ours, theirs).verdict is not Verdict.FAIL


def test_watching_a_good_core_for_a_year_takes_it_back_by_chance_less_than_it_is_said() -> None:
    dice, wrong, runs = random.Random(7), 0, 60
    for _ in range(runs):
        core = legacy = Tally()
        for _ in range(200):
            core = core.plus(a_tally(50, sum(dice.random() < 0.003 for _ in range(50))))
            legacy = legacy.plus(a_tally(50, sum(dice.random() < 0.003 for _ in range(50))))
            if judged(core, legacy).verdict is Verdict.FAIL:
                wrong += 1
                break

    assert wrong == 0


def test_counters_that_begin_anew_lose_nothing_and_count_nothing_twice() -> None:
    spans = Spans(Tally(), 120)
    for at_s, answers in ((0, 1_000), (2, 1_010), (4, 7), (6, 9)):
        spans.take(at_s, counted(answers))

    assert spans.since_step[Side.CORE].answers == 10 + 7 + 2


def test_what_is_older_than_the_window_counts_since_the_step_alone() -> None:
    spans = Spans(Tally(), 60)
    for at_s in range(0, 200, 2):
        spans.take(at_s, counted(at_s * 5))

    assert spans.since_step[Side.CORE].answers == 198 * 5
    assert 58 * 5 <= spans.lately()[Side.CORE].answers <= 62 * 5


def test_nothing_counts_that_was_answered_before_anybody_looked() -> None:
    spans = Spans(Tally(), 60)

    spans.take(0, counted(500))

    assert spans.since_step == {}
    assert spans.lately() == {}


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=200))
def test_a_window_never_holds_more_than_the_whole(steps: list[int]) -> None:
    spans, answers, at_s = Spans(Tally(), 60), 0, 0.0
    for n, came in enumerate(steps):
        answers, at_s = answers + came, at_s + (n % 7)
        spans.take(at_s, counted(answers))

    whole = spans.since_step.get(Side.CORE, Tally()).answers
    assert whole == sum(steps[1:])
    assert spans.lately().get(Side.CORE, Tally()).answers <= whole
