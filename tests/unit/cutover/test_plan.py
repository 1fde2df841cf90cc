"""A plan: what changes, and what keeps it from being applied."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.gate import Judgement, Verdict
from cutover.core.plan import Plan, gates_asked, make_plan, steps_to_judge
from cutover.core.stages import Direction
from proxy.routing import (
    Accept,
    ComparePolicy,
    CompareRule,
    Domain,
    ParityGate,
    Privacy,
    RoutingTable,
    ShopperKey,
    Side,
    Stage,
    Store,
)
from tests.support.routing_tables import SHOPPER, STORES, domain, table

GATE = ParityGate(999_000, 9_500, 3_000)
PASS = Judgement(Verdict.PASS, ("at least 99.95 % equal",))
FAIL = Judgement(Verdict.FAIL, ("lower bound 99.4 % is below 99.9 %",))
WAIT = Judgement(Verdict.INCONCLUSIVE, ("needs 412 more comparisons",))


def gated(stage: Stage, share: int = 0, *, paths: tuple[str, ...] = ()) -> Domain:
    return replace(domain("catalog", stage, share, paths=paths), parity_gate=GATE)


def plan_of(
    before: RoutingTable | None, after: RoutingTable, judgement: Judgement | None = None
) -> Plan:
    judgements = {} if judgement is None else {"catalog": judgement}
    return make_plan(after, before, judgements)


def refusals(before: Domain, after: Domain, judgement: Judgement | None = None) -> tuple[str, ...]:
    (change,) = plan_of(table(before), table(after), judgement).changes
    return change.refusals


def test_a_file_that_asks_for_what_is_in_force_changes_nothing() -> None:
    found = plan_of(table(gated(Stage.SHADOW)), table(gated(Stage.SHADOW), revision="other"))

    assert found.is_empty


def test_order_is_no_change() -> None:
    one = domain("a", Stage.SHADOW, paths=("/a", "/b"))
    two = replace(one, routes=tuple(reversed(one.routes)))

    assert plan_of(table(one, domain("c")), table(domain("c"), two)).is_empty


def test_the_step_into_shadow_needs_no_evidence() -> None:
    assert refusals(gated(Stage.LEGACY), gated(Stage.SHADOW)) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (gated(Stage.SHADOW), gated(Stage.CANARY, 100)),
        (gated(Stage.CANARY, 100), gated(Stage.CANARY, 200)),
        (gated(Stage.CANARY, 100), gated(Stage.CORE)),
        (gated(Stage.CORE), gated(Stage.RETIRED)),
    ],
)
@pytest.mark.parametrize(
    ("judgement", "says"),
    [
        (PASS, ()),
        (FAIL, ("parity gate fails: lower bound 99.4 % is below 99.9 %",)),
        (WAIT, ("parity gate is inconclusive: needs 412 more comparisons",)),
        (None, ("its parity gate was not judged",)),
    ],
)
def test_a_forward_step_from_shadow_on_stands_and_falls_with_its_gate(
    before: Domain, after: Domain, judgement: Judgement | None, says: tuple[str, ...]
) -> None:
    assert steps_to_judge(table(after), table(before)) == (after,)
    assert refusals(before, after, judgement) == says


@pytest.mark.parametrize("after", [Stage.LEGACY, Stage.SHADOW, Stage.CANARY, Stage.CORE])
def test_a_step_back_is_never_held_up(after: Stage) -> None:
    before = domain("catalog", Stage.RETIRED)

    found = plan_of(table(before), table(domain("catalog", after, 5_000)))

    assert found.refused == ()
    assert found.changes[0].direction is Direction.BACKWARD
    assert steps_to_judge(table(domain("catalog", after)), table(before)) == ()


def test_a_smaller_share_with_other_routes_is_a_step_back_only_where_none_is_added() -> None:
    before = replace(
        gated(Stage.CANARY, 5_000), routes=domain("catalog", paths=("/a", "/b")).routes
    )
    fewer = replace(gated(Stage.CANARY, 100), routes=before.routes[:1])

    assert refusals(before, fewer) == ()
    assert "never having been compared" not in " ".join(refusals(before, fewer))
    assert "without ever having been compared" in refusals(fewer, replace(
        before, core_share_bp=100
    ))[0]  # fmt: skip


def test_stages_are_not_skipped() -> None:
    (refusal,) = refusals(gated(Stage.LEGACY), gated(Stage.CORE))

    assert refusal.startswith("one stage at a time: legacy -> shadow -> canary -> core")


def test_a_step_without_a_gate_is_refused_until_the_file_says_that_none_is_wanted() -> None:
    before, after = domain("catalog", Stage.SHADOW), domain("catalog", Stage.CANARY, 100)

    assert "gates: {}" in refusals(before, after)[0]
    assert refusals(before, replace(after, ungated=True)) == ()


def test_a_gate_loosened_with_the_step_it_guards_does_not_count_yet() -> None:
    strict, loose = (
        gated(Stage.SHADOW),
        replace(gated(Stage.CANARY, 100), parity_gate=ParityGate(1, 5_000, 1)),
    )
    ungated = replace(gated(Stage.CANARY, 100), parity_gate=None, ungated=True)

    assert gates_asked(strict, loose) == (GATE, ParityGate(1, 5_000, 1))
    assert gates_asked(strict, ungated) == (GATE,)
    assert refusals(strict, ungated, FAIL) == ("parity gate fails: " + FAIL.sentences[0],)


def test_routes_do_not_change_together_with_a_step_forward() -> None:
    more = ("/catalog/{id}", "/new")

    found = refusals(gated(Stage.SHADOW), gated(Stage.CANARY, 100, paths=more), PASS)

    assert found == ("its routes change in the same plan as its stage; apply the routes first",)
    assert refusals(gated(Stage.CORE), gated(Stage.SHADOW, paths=more)) == ()


def test_a_store_does_not_change_together_with_a_step_forward() -> None:
    other = {**STORES, Side.CORE: Store(Side.CORE, "http://127.0.0.1:2/facade", release="2")}
    after = RoutingTable((gated(Stage.CANARY, 100),), other, SHOPPER, "r")

    found = plan_of(table(gated(Stage.SHADOW)), after, PASS)

    assert "apply the stores first" in found.changes[0].refusals[0]
    assert found.details == (
        "store core: http://127.0.0.1:2/facade -> http://127.0.0.1:2/facade release=2",
    )


def test_a_first_apply_starts_every_domain_in_legacy_unless_told_otherwise() -> None:
    desired = table(domain("a", Stage.LEGACY), domain("b", Stage.CORE))

    plain, init = make_plan(desired, None, {}), make_plan(desired, None, {}, init=True)

    assert [change.domain for change in plain.refused] == ["b"]
    assert "--init" in plain.refused[0].refusals[0]
    assert init.refused == ()
    assert not init.is_empty


@pytest.mark.parametrize(
    ("stage", "is_refused"),
    [(Stage.LEGACY, False), (Stage.SHADOW, False), (Stage.CANARY, True), (Stage.CORE, True)],
)
def test_a_new_domain_starts_in_legacy_or_shadow(stage: Stage, *, is_refused: bool) -> None:
    found = plan_of(table(), table(domain("new", stage)))

    assert bool(found.refused) is is_refused


def test_a_removed_domain_goes_back_to_legacy_and_is_told_so() -> None:
    (change,) = plan_of(table(domain("a", Stage.CORE)), table()).changes

    assert change.direction is Direction.BACKWARD
    assert change.refusals == ()
    assert "its requests go to legacy" in change.step


def test_everything_else_that_changes_is_shown() -> None:
    rule = CompareRule("$.a", Accept.ANY, "shop", "stamps", date(2027, 1, 1), ("/catalog/{id}",))
    before = replace(gated(Stage.SHADOW), owner="old")
    after = replace(
        gated(Stage.SHADOW),
        owner="new",
        pilots=(),
        compare=ComparePolicy(("etag",), (rule,)),
        parity_gate=ParityGate(900_000, 9_000, 10),
        routes=domain("catalog", paths=("/x",)).routes,
    )
    keys = RoutingTable((after,), STORES, (ShopperKey(SHOPPER[0].kind, "x-user"),), "r")

    found = plan_of(table(before), keys)

    text = "\n".join(found.sentences())
    for part in (
        "shopper keys: header:x-customer-id, cookie:sessionid -> header:x-user",
        "catalog: stays in stage shadow",
        "catalog: takes GET /x",
        "catalog: gives up GET /catalog/{id}",
        "catalog: owner: old -> new",
        "catalog: pilots: x-banyan-pilot=internal -> none",
        "catalog: compared headers: none -> etag",
        "catalog: parity gate: 99.9 % at 95 % confidence, 3,000 samples, strata from 1 %,",
        "catalog: rule added: $.a accepts any on /catalog/{id} until 2027-01-01 (shop: stamps)",
    ):
        assert part in text


STATES = st.builds(
    lambda stage, share: gated(stage, share if stage is Stage.CANARY else 0),
    st.sampled_from(Stage),
    st.integers(0, 10_000),
)


@given(STATES, STATES)
def test_no_step_forward_from_shadow_on_gets_by_without_a_pass(
    before: Domain, after: Domain
) -> None:
    found = plan_of(table(before), table(after), FAIL)

    share_before = before.core_share_bp if before.stage is Stage.CANARY else 0
    order = tuple(Stage)
    moved = (order.index(after.stage), after.core_share_bp) > (
        order.index(before.stage),
        share_before,
    )
    is_free = before.stage is Stage.LEGACY and after.stage is Stage.SHADOW
    assert bool(found.refused) == (moved and not is_free)


def test_a_pause_of_a_route_is_a_change_of_its_domain() -> None:
    plain = domain("catalog", Stage.SHADOW, paths=("/a", "/b"))
    one, two = plain.routes
    slow = replace(plain, routes=(replace(one, pause_s=2.0), replace(two, pause_s=0.0)))

    (change,) = plan_of(table(plain), table(slow)).changes

    assert change.details == ("pauses of routes: none -> GET /a 2s after the live, GET /b at once",)
    assert change.refusals == ()


def test_a_change_of_what_is_hidden_is_told() -> None:
    before = table(domain("catalog", Stage.SHADOW))
    after = replace(before, privacy=Privacy(show=("name",), hide=("club", "badge")))

    assert plan_of(before, after).details == ("privacy: as usual -> show name; hide badge, club",)
    assert plan_of(after, before).details == ("privacy: show name; hide badge, club -> as usual",)
    assert plan_of(after, replace(after, revision="other")).is_empty


def reads_alone(stage: Stage, share: int = 0) -> Domain:
    return replace(gated(stage, share), writes_stay=True)


def test_writes_that_go_to_the_core_ask_the_gate_though_the_stage_stays() -> None:
    before, after = reads_alone(Stage.CORE), gated(Stage.CORE)

    assert [one.name for one in steps_to_judge(table(after), table(before))] == ["catalog"]
    assert refusals(before, after, PASS) == ()
    assert "parity gate fails" in refusals(before, after, FAIL)[0]
    (change,) = plan_of(table(before), table(after), PASS).changes
    assert change.step == "core, writes at legacy -> core"


def test_writes_go_back_to_legacy_without_asking() -> None:
    assert refusals(gated(Stage.CORE), reads_alone(Stage.CORE), FAIL) == ()


def test_what_still_writes_to_legacy_is_not_retired() -> None:
    (told,) = refusals(reads_alone(Stage.CORE), gated(Stage.RETIRED), PASS)

    assert "take writes_to out" in told
