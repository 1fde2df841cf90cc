"""The gate of errors: only a core that is not seen to fail more often than legacy passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.cli.show import plan_lines
from cutover.core.errors_gate import judge_errors
from cutover.core.live import Tally, judge_live
from cutover.core.strata import Verdict
from cutover.service.applying import Prepared, commit, prepare
from cutover.service.values import plan_value
from proxy.routing import ErrorsGate, RollbackRule, Side
from shadow_compare.core.evidence import Answered
from tests.fakes.cutover import Opening, books_in
from tests.fakes.evidence import FakeEvidence

GATE = ErrorsGate(5_000, 500)
FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: STAGE
    routes: [{path: /c}]
    gates: {GATES}
"""


def both(core: tuple[int, int], legacy: tuple[int, int]) -> list[Answered]:
    """Answers and errors of each side, as they are in stage shadow."""
    return [Answered("core", "shadow", *core), Answered("legacy", "live", *legacy)]


def verdict(*answered: Answered) -> Verdict:
    return judge_errors(GATE, answered).verdict


def test_a_core_that_fails_no_more_often_passes_with_the_numbers_that_show_it() -> None:
    answer = judge_errors(GATE, both((10_000, 10), (10_000, 20)))

    assert (answer.gate, answer.verdict) == ("errors", Verdict.PASS)
    (sentence,) = answer.sentences
    assert sentence == (
        "10 of the core's 10,000 answers in the last hour were errors, legacy's share is 0.2 %,"
        " 0.5 % more are allowed"
    )
    assert answer.inputs == {
        "max_excess_ppm": 5_000,
        "min_requests": 500,
        "core_answers": 10_000,
        "core_errors": 10,
        "legacy_answers": 10_000,
        "legacy_errors": 20,
        "shoppers_core_answers": 0,
        "shoppers_core_errors": 0,
        "shoppers_legacy_answers": 10_000,
        "shoppers_legacy_errors": 20,
    }


def test_what_fails_both_sides_alike_holds_nothing_back() -> None:
    assert verdict(*both((10_000, 4_000), (10_000, 4_000))) is Verdict.PASS


def test_a_core_that_fails_more_often_fails_with_the_way_out() -> None:
    answer = judge_errors(GATE, both((10_000, 400), (10_000, 20)))

    assert answer.verdict is Verdict.FAIL
    assert answer.sentences[0].endswith(
        "0.5 % more are allowed; mend the core, see: banyan mismatches"
    )


def test_a_few_errors_too_many_are_not_shown_and_do_not_pass() -> None:
    answer = judge_errors(GATE, both((500, 4), (500, 0)))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences[0].endswith("; it is not shown yet, more answers decide it")


@pytest.mark.parametrize(("core", "legacy"), [(499, 10_000), (10_000, 499), (0, 0)])
def test_too_few_answers_of_a_side_are_inconclusive_however_they_are(
    core: int, legacy: int
) -> None:
    for errors in (0, core):
        answer = judge_errors(GATE, both((core, errors), (legacy, 0)))

        assert answer.verdict is Verdict.INCONCLUSIVE
        assert answer.sentences == (
            f"needs 500 answers of each side, has {legacy:,} of legacy and {core:,} of the core",
        )


def test_a_core_that_fails_its_few_shoppers_does_not_hide_behind_its_shadow() -> None:
    shadow = [Answered("core", "shadow", 90_000, 0), Answered("legacy", "live", 90_000, 0)]
    live = Answered("legacy", "shadow", 10_000, 0)

    assert verdict(*shadow, live, Answered("core", "live", 10_000, 0)) is Verdict.PASS
    answer = judge_errors(GATE, [*shadow, live, Answered("core", "live", 10_000, 300)])
    assert answer.verdict is Verdict.FAIL
    assert "answers to shoppers in the last hour" in answer.sentences[0]


def test_where_legacy_has_no_shoppers_left_it_is_what_it_is_to_the_comparer() -> None:
    all_core = [Answered("core", "live", 10_000, 210), Answered("legacy", "shadow", 10_000, 200)]

    assert verdict(*all_core) is Verdict.PASS


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)), min_size=4, max_size=4))
def test_it_passes_nothing_that_the_rollback_would_take_back(counts: list[tuple[int, int]]) -> None:
    sides = [("core", "live"), ("core", "shadow"), ("legacy", "live"), ("legacy", "shadow")]
    answered = [
        Answered(*place, answers, min(answers, errors))
        for place, (answers, errors) in zip(sides, counts, strict=True)
    ]
    totals = {side: _sum([one for one in answered if one.side == side]) for side in Side}
    rule = RollbackRule(GATE.max_excess_ppm, None, GATE.requests, 60)
    by_rule = judge_live(rule, [("now", totals)], Tally()).verdict

    found = judge_errors(GATE, answered)

    assert found.sentences
    if found.verdict is Verdict.PASS:
        assert by_rule is Verdict.PASS
        assert min(one.answers for one in totals.values()) >= GATE.requests


def _sum(answered: Sequence[Answered]) -> Tally:
    return Tally(sum(one.answers for one in answered), sum(one.errors for one in answered))


def a_file(stage: str, gates: str) -> bytes:
    share = "\n    core_share: 10%" if stage == "canary" else ""
    return FILE.replace("GATES", gates).replace("STAGE", stage + share).encode()


async def to_canary(folder: Path, gates: str, core_errors: int) -> Prepared:
    """The plan of a step from shadow to canary, and the ledger's entry where it may go."""
    books, evidence = books_in(folder), FakeEvidence()
    evidence.answers["catalog"] = both((10_000, core_errors), (10_000, 20))

    async def planned(stage: str, asked: str) -> Prepared:
        text = a_file(stage, asked)
        return await prepare(books, text, "routing.yaml", Opening(evidence).how(), actor="ops")

    for stage, asked in (("legacy", ""), ("shadow", ""), ("shadow", gates)):
        commit(books, await planned(stage, asked), actor="ops", reason="because")
    return await planned("canary", gates)


async def test_a_core_with_more_errors_does_not_get_shoppers(tmp_path: Path) -> None:
    gates = "errors: {max_excess: 0.5%}"

    (good,) = (await to_canary(tmp_path / "good", gates, 25)).plan.changes
    (bad,) = (await to_canary(tmp_path / "bad", gates, 400)).plan.changes

    assert good.refusals == ()
    assert [(one.gate, one.verdict) for one in good.answers] == [("errors", Verdict.PASS)]
    (refusal,) = bad.refusals
    assert refusal.startswith("errors gate fails: 400 of the core's 10,000 answers")


async def test_a_plan_shows_what_the_errors_gate_says(tmp_path: Path) -> None:
    gates = "errors: {max_excess: 0.5%}"

    good = (await to_canary(tmp_path / "good", gates, 25)).plan
    bad = (await to_canary(tmp_path / "bad", gates, 400)).plan

    assert any("errors gate passes: 25 of the core's" in line for line in plan_lines(good, "f"))
    assert any("refused: errors gate fails: 400" in line for line in plan_lines(bad, "f"))
    (told,) = plan_value(bad)["changes"][0]["gates"]
    assert (told["gate"], told["verdict"], told["inputs"]["core_errors"]) == ("errors", "fail", 400)


async def test_a_changed_errors_gate_is_a_change_of_the_plan(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    await to_canary(tmp_path, "errors: {max_excess: 0.5%}", 25)

    text = a_file("shadow", "errors: {max_excess: 1%, min_requests: 50}")
    plan = (await prepare(books, text, "f", Opening(FakeEvidence()).how())).plan

    (change,) = plan.changes
    assert change.details == (
        "errors gate: 0.5 % more errors, from 500 answers -> 1 % more errors, from 50 answers",
    )


async def test_errors_that_are_only_observed_hold_nothing_back_and_are_told(tmp_path: Path) -> None:
    gates = "errors: {max_excess: 0.5%}, observe: [errors]"

    (change,) = (await to_canary(tmp_path, gates, 400)).plan.changes

    assert change.refusals == ()
    assert change.observed[0].startswith("errors gate fails: ")


async def test_the_ledger_keeps_what_the_errors_gate_said_and_by_which_numbers(
    tmp_path: Path,
) -> None:
    prepared = await to_canary(tmp_path, "errors: {max_excess: 0.5%}", 25)

    revision = commit(books_in(tmp_path), prepared, actor="ops", reason="because")

    (told,) = revision.entry.evidence
    assert (told.gate, told.verdict) == ("errors", "pass")
    assert (told.inputs["core_errors"], told.inputs["max_excess_ppm"]) == (25, 5_000)
