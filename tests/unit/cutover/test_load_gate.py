"""The gate of load tests: what passes, what fails, what says nothing, and the way out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.gate import Verdict
from cutover.core.load_gate import Loads, judge_load
from cutover.core.load_run import State
from cutover.core.revision import from_json
from cutover.errors import CannotRead
from cutover.service.applying import Prepared, commit, prepare
from cutover.service.books import Books
from proxy.routing import LoadGate, LoadProfile, Side, Store
from tests.fakes.cutover import NOON, Opening, books_in
from tests.fakes.evidence import FakeEvidence
from tests.fakes.loads import CORE_URL, ENDED_S, LEGACY_URL, ROUTE, a_run, a_side, figures

GATE = LoadGate(LoadProfile.THREE, 1_200, 1_000, 7 * 86_400.0, 1_000)
STORES = {
    Side.LEGACY: Store(Side.LEGACY, LEGACY_URL),
    Side.CORE: Store(Side.CORE, CORE_URL),
}
AT = datetime.fromtimestamp(ENDED_S, UTC) + timedelta(hours=1)
AGAIN = "run: banyan loadtest catalog --profile 3x"


def judged(*runs: Any, gate: LoadGate = GATE, at: datetime = AT, **stores: Any) -> Any:
    table = {
        side: replace(store, **stores) if side is Side.CORE else store
        for side, store in STORES.items()
    }
    return judge_load(gate, "catalog", Loads(runs, (), table), at)


def test_a_core_as_quick_as_legacy_passes_and_the_figures_are_kept() -> None:
    answer = judged(a_run(a_side("core", figures(110.0))))

    assert answer.verdict is Verdict.PASS
    assert "p99 110.0 ms, legacy's 100.0 ms" in answer.sentences[0]
    assert answer.inputs["core_p99_us"] == 110_000
    assert answer.inputs["age_s"] == 3_600


def test_a_core_that_is_too_slow_fails_with_the_way_out() -> None:
    answer = judged(a_run(a_side("core", figures(121.0))))

    assert answer.verdict is Verdict.FAIL
    assert "p99 of the core is 121.0 ms, legacy's is 100.0 ms, and 1.2 times" in answer.sentences[0]
    assert answer.sentences[-1].endswith(AGAIN)


def test_quick_errors_and_quick_refusals_fail() -> None:
    for bad in (figures(1.0, failed=5), figures(1.0, refused=5)):
        answer = judged(a_run(a_side("core", bad)))

        assert answer.verdict is Verdict.FAIL
        assert "0.25 % of the core's answers are errors or refusals" in answer.sentences[0]


def test_a_slow_route_fails_though_all_together_are_quick() -> None:
    routes = {ROUTE: figures(50.0, 9_000), "GET /d": figures(900.0, 1_000)}
    core = a_side("core", figures(100.0, 10_000), routes=routes)
    legacy = a_side(
        "legacy", figures(100.0, 10_000), routes={**routes, "GET /d": figures(90, 1_000)}
    )

    answer = judged(a_run(core, legacy))

    assert answer.verdict is Verdict.FAIL
    assert "on GET /d" in answer.sentences[0]


def test_a_core_that_does_not_take_the_rate_fails_and_such_a_legacy_says_nothing() -> None:
    full = figures(100.0, 1_800)

    slow_core = judged(a_run(a_side("core", full, asked=2_000)))
    slow_legacy = judged(a_run(None, a_side("legacy", full, asked=2_000)))

    assert slow_core.verdict is Verdict.FAIL
    assert "the core took 18.0 of 20.0 requests a second" in slow_core.sentences[0]
    assert slow_legacy.verdict is Verdict.INCONCLUSIVE
    assert "nothing to compare with" in slow_legacy.sentences[0]


@pytest.mark.parametrize(
    ("run", "gate", "stores", "why"),
    [
        (None, GATE, {}, "no finished load test of both sides of catalog at 3x is kept"),
        (a_run(profile="1x"), GATE, {}, "no finished load test"),
        (a_run(domain="cart"), GATE, {}, "no finished load test"),
        (a_run(state=State.ABORTED, why="x"), GATE, {}, "no finished load test"),
        (a_run(sides=[a_side("core")]), GATE, {}, "no finished load test"),
        (a_run(), replace(GATE, max_age_s=1_800.0), {}, "is older than 30m"),
        (a_run(ended_s=ENDED_S + 9_000), GATE, {}, "in the future"),
        (a_run(), GATE, {"release": "8"}, "was of core release without a name, and in force is 8"),
        (a_run(), GATE, {"url": "http://c"}, "was of another core store"),
        (a_run(a_side("core", figures(1, 900))), GATE, {}, "core was asked 900 times"),
        (a_run(a_side("core", doubts=["it was late"])), GATE, {}, "on core it was late"),
        (a_run(), replace(GATE, rate_per_s=30), {}, "and the gate asks for 30"),
    ],
)  # fmt: skip
def test_what_says_nothing_holds_back_and_names_the_way_out(
    run: Any, gate: LoadGate, stores: dict[str, Any], why: str
) -> None:
    answer = judged(*([run] if run else []), gate=gate, **stores)

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert any(why in sentence for sentence in answer.sentences), answer.sentences
    assert all(sentence.endswith(AGAIN) for sentence in answer.sentences)


def test_the_newest_finished_test_decides() -> None:
    good, bad = a_run(), a_run(a_side("core", figures(500.0)))
    aborted = a_run(state=State.ABORTED, why="somebody ended it")

    assert judged(bad, good).verdict is Verdict.FAIL
    assert judged(good, bad).verdict is Verdict.PASS
    assert judged(aborted, good).verdict is Verdict.PASS


sides = st.builds(
    lambda p99, requests, failed, refused, asked, doubts: (
        p99, requests, min(failed, requests), min(refused, requests), asked, doubts,
    ),
    st.floats(0.1, 10_000), st.integers(0, 5_000), st.integers(0, 50), st.integers(0, 50),
    st.integers(0, 5_500), st.sampled_from([[], ["it was late"]]),
)  # fmt: skip


def side_of(name: str, drawn: Any) -> Any:
    p99, requests, failed, refused, asked, doubts = drawn
    total = figures(p99, requests, failed, refused)
    return a_side(name, total, asked=max(asked, requests), doubts=doubts)


@given(sides, sides, st.floats(-7_200, 30 * 86_400), st.sampled_from(["", "8"]))
def test_only_a_core_that_bore_it_passes(
    core: Any, legacy: Any, age_s: float, release: str
) -> None:
    here, there = side_of("core", core), side_of("legacy", legacy)
    run = a_run(here, there, releases={"legacy": "", "core": release})

    answer = judged(run, at=datetime.fromtimestamp(ENDED_S + age_s, UTC))

    assert answer.sentences
    assert all(isinstance(value, int) for value in answer.inputs.values())
    if answer.verdict is Verdict.PASS:
        assert not release
        assert -60 <= age_s <= GATE.max_age_s
        assert not here.doubts
        assert not there.doubts
        assert here.reached
        assert there.reached
        assert min(here.total.requests, there.total.requests) >= GATE.requests
        assert here.total.times_ms["p99"] <= 1.2 * there.total.times_ms["p99"] * (1 + 1e-9)
        assert here.total.failed_ppm() <= there.total.failed_ppm() + GATE.errors_ppm


@given(sides, sides, st.floats(1, 10))
def test_a_slower_core_never_turns_a_no_into_a_yes(core: Any, legacy: Any, times: float) -> None:
    slower = (core[0] * times, *core[1:])

    before = judged(a_run(side_of("core", core), side_of("legacy", legacy)))
    after = judged(a_run(side_of("core", slower), side_of("legacy", legacy)))

    assert before.verdict is Verdict.PASS or after.verdict is not Verdict.PASS


# --- In a plan -----------------------------------------------------------------------------

FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: STAGE
    routes: [{path: /c}]
    gates: GATES
"""
ASKS = "{loadtest: {profile: 3x, p99: 1.2x}}"


def a_file(stage: str, gates: str = ASKS) -> str:
    share = f"canary\n    core_share: {stage}" if stage.endswith("%") else stage
    return FILE.replace("STAGE", share).replace("GATES", gates)


async def planned(books: Books, text: str) -> Prepared:
    opening = Opening(FakeEvidence())
    return await prepare(books, text.encode(), "routing.yaml", opening.how(), init=True)


async def with_runs(folder: Path, stage: str, *runs: Any, gates: str = ASKS) -> Books:
    books = replace(books_in(folder), loads=lambda _: Loads(runs))
    commit(books, await planned(books, a_file(stage, gates)), actor="ops", reason="")
    return books


RECENT = msgspec.structs.replace(a_run(), ended_s=NOON.timestamp() - 60)
SLOW = msgspec.structs.replace(RECENT, sides=[a_side("legacy"), a_side("core", figures(500.0))])


def refusals(prepared: Prepared) -> list[str]:
    return [line for change in prepared.plan.refused for line in change.refusals]


@pytest.mark.parametrize(("before", "after"), [("shadow", "5%"), ("5%", "20%"), ("20%", "core")])
async def test_canary_core_and_a_larger_share_ask_for_a_load_test(
    tmp_path: Path, before: str, after: str
) -> None:
    books = await with_runs(tmp_path, before, SLOW)

    held = await planned(books, a_file(after))
    let_through = await planned(replace(books, loads=lambda _: Loads([RECENT])), a_file(after))

    assert "loadtest gate fails: p99 of the core is 500.0 ms" in refusals(held)[0]
    assert not let_through.plan.refused


@pytest.mark.parametrize(
    ("before", "after"),
    [("legacy", "shadow"), ("20%", "5%"), ("core", "shadow"), ("core", "retired")],
)
async def test_other_steps_ask_for_none(tmp_path: Path, before: str, after: str) -> None:
    books = await with_runs(tmp_path, before)

    assert refusals(await planned(books, a_file(after))) == []


async def test_a_gate_loosened_in_the_same_file_is_asked_all_the_same(tmp_path: Path) -> None:
    books = await with_runs(tmp_path, "shadow", SLOW)

    assert refusals(await planned(books, a_file("5%", "{}")))
    loose = "{loadtest: {profile: 3x, p99: 50x}}"
    assert refusals(await planned(books, a_file("5%", loose)))


async def test_results_that_cannot_be_read_hold_a_step_back(tmp_path: Path) -> None:
    books = await with_runs(tmp_path, "shadow")

    def broken(_: str) -> Loads:
        raise CannotRead("var/loadtests cannot be read: permission denied")

    found = refusals(await planned(replace(books, loads=broken), a_file("5%")))

    assert found[0] == (
        "loadtest gate is inconclusive: var/loadtests cannot be read: permission denied"
    )


async def test_an_observed_gate_is_written_down_and_holds_nothing_back(tmp_path: Path) -> None:
    gates = "{loadtest: {profile: 3x, p99: 1.2x}, observe: [loadtest]}"
    books = await with_runs(tmp_path, "shadow", SLOW, gates=gates)

    prepared = await planned(books, a_file("5%", gates))

    assert not prepared.plan.refused
    assert "loadtest gate fails" in prepared.plan.changes[0].observed[0]


async def test_the_ledger_keeps_what_the_step_was_judged_by(tmp_path: Path) -> None:
    books = await with_runs(tmp_path, "shadow", RECENT)
    commit(books, await planned(books, a_file("5%")), actor="ops", reason="")

    kept = from_json(books.ledger.latest()[0][1]).entry.evidence

    told = next(one for one in kept if one.gate == "loadtest")
    assert told.verdict == "pass"
    assert RECENT.id in told.sentences[0]
    assert told.inputs["core_requests"] == 2_000
