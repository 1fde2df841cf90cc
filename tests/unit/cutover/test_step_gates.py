"""A step waits for the calendar and for people's yes; going back waits for neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cutover.core.outside_gates import DataFacts, Outside, Said
from cutover.core.plan import DomainChange
from cutover.core.revision import RevisionKind, chain_problems, from_json
from cutover.core.strata import Verdict
from cutover.errors import IllegalStep, NothingInForce, UnknownDomain
from cutover.ports.outside import StepAsked
from cutover.service.applying import Prepared, commit, prepare
from cutover.service.approving import Wish, approve
from cutover.service.books import Books
from cutover.service.in_force import look
from cutover.service.rolling_back import roll_back
from cutover.storage.ledger import RevisionFiles
from cutover.storage.restage import restage
from proxy.routing import Stage
from shadow_compare.core.evidence import Latency
from tests.fakes.cutover import NOON, Opening, books_in
from tests.fakes.evidence import FakeEvidence, some_evidence, some_parity

BASE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: legacy
    routes: [{path: /c}]
    gates: {GATES}
  cart:
    owner: shop
    stage: legacy
    routes: [{path: /cart}]
    gates: {}
"""
TWO = "approvals: {count: 2, within: 2d}"
FROZEN = "calendar: {freeze: [{from: 2027-02-27, until: 2027-03-01, why: stocktaking}]}"


def a_file(stage: str, gates: str) -> str:
    share = "\n    core_share: 10%" if stage == "canary" else ""
    return BASE.replace("GATES", gates).replace("stage: legacy", f"stage: {stage}{share}", 1)


async def planned(books: Books, text: str, actor: str = "ops") -> Prepared:
    opening = Opening(FakeEvidence())
    return await prepare(books, text.encode(), "routing.yaml", opening.how(), actor=actor)


async def applied(books: Books, text: str, actor: str = "ops") -> None:
    commit(books, await planned(books, text, actor), actor=actor, reason="because")


async def in_shadow(folder: Path, gates: str) -> Books:
    books = books_in(folder)
    await applied(books, a_file("legacy", "{}".strip("{}")))
    # The calendar holds back every step, so the domain comes to shadow before it has one.
    await applied(books, a_file("shadow", ""))
    await applied(books, a_file("shadow", gates))
    return books


def refusals(prepared: Prepared) -> list[str]:
    return [line for change in prepared.plan.refused for line in change.refusals]


def says(books: Books, by: str, *, to: Stage = Stage.CANARY, withdrawn: bool = False) -> None:
    approve(books, Wish("catalog", to, by, "seen", withdrawn))


async def test_a_step_waits_until_enough_people_have_said_yes(tmp_path: Path) -> None:
    books = await in_shadow(tmp_path, TWO)
    canary = a_file("canary", TWO)

    assert refusals(await planned(books, canary)) == [
        "approvals gate fails: 2 more people must approve: banyan approve catalog --to canary"
    ]
    says(books, "ana")
    assert refusals(await planned(books, canary)) == [
        (
            "approvals gate fails: 1 more person must approve (ana did):"
            " banyan approve catalog --to canary"
        )
    ]
    says(books, "bo")
    assert refusals(await planned(books, canary)) == []


async def test_saying_yes_twice_is_one_yes_and_so_is_the_appliers_own(tmp_path: Path) -> None:
    books = await in_shadow(tmp_path, TWO)
    says(books, "ana")
    says(books, "ana")
    says(books, "ops")

    (held,) = refusals(await planned(books, a_file("canary", TWO), actor="ops"))

    assert "1 more person must approve (ana did); ops takes the step and does not count" in held
    assert refusals(await planned(books, a_file("canary", TWO), actor="cy")) == []


async def test_a_yes_is_taken_back_grows_old_and_is_about_one_stage(tmp_path: Path) -> None:
    books = await in_shadow(tmp_path, TWO)
    says(books, "ana")
    says(books, "bo")
    later = replace(books, now=lambda: NOON + timedelta(days=2, seconds=1))

    assert len(refusals(await planned(later, a_file("canary", TWO)))) == 1
    says(books, "bo", withdrawn=True)
    assert "(ana did)" in refusals(await planned(books, a_file("canary", TWO)))[0]


async def test_a_yes_is_void_when_the_domain_changes_and_stays_when_another_does(
    tmp_path: Path,
) -> None:
    books = await in_shadow(tmp_path, TWO)
    says(books, "ana")
    says(books, "bo")
    other = a_file("shadow", TWO).replace("path: /cart", "path: /basket")
    await applied(books, other)
    assert (
        refusals(await planned(books, other.replace("shadow", "canary\n    core_share: 10%"))) == []
    )

    await applied(books, other.replace("owner: shop", "owner: search", 1))
    again = other.replace("owner: shop", "owner: search", 1)

    assert refusals(await planned(books, again.replace("shadow", "canary\n    core_share: 10%")))


async def test_a_yes_is_used_up_by_its_step(tmp_path: Path) -> None:
    books = await in_shadow(tmp_path, TWO)
    says(books, "ana")
    says(books, "bo")
    await applied(books, a_file("canary", TWO))
    roll_back(books, "catalog", restage, to=None, actor="ops", reason="slow")

    (held,) = refusals(await planned(books, a_file("canary", TWO)))

    assert "2 more people must approve" in held


async def test_who_loosens_a_gate_with_the_step_that_it_guards_has_loosened_nothing(
    tmp_path: Path,
) -> None:
    books = await in_shadow(tmp_path, TWO)

    assert refusals(await planned(books, a_file("canary", "approvals: {count: 1}")))
    assert refusals(await planned(books, a_file("canary", "")))


async def test_nothing_moves_forward_in_a_freeze_and_everything_moves_back(
    tmp_path: Path,
) -> None:
    books = await in_shadow(tmp_path, FROZEN)

    assert refusals(await planned(books, a_file("canary", FROZEN))) == [
        (
            "calendar gate fails: 2027-02-27 to 2027-03-01 nothing moves forward (stocktaking);"
            " it opens 2027-03-02 00:00 UTC"
        )
    ]
    assert refusals(await planned(books, a_file("legacy", FROZEN))) == []
    later = replace(books, now=lambda: NOON + timedelta(days=1))
    assert refusals(await planned(later, a_file("canary", FROZEN))) == []


async def test_a_step_is_written_down_with_what_every_gate_said(tmp_path: Path) -> None:
    books = await in_shadow(tmp_path, TWO)
    says(books, "ana")
    says(books, "bo")

    await applied(books, a_file("canary", TWO))

    last = look(books.applied, books.ledger).last
    assert last is not None
    (told,) = last.entry.evidence
    assert (told.gate, told.verdict, dict(told.inputs)) == (
        "approvals",
        "pass",
        {"asked": 2, "given": 2},
    )
    assert told.sentences == ("ana approved on 2027-03-01", "bo approved on 2027-03-01")


async def test_the_ledger_stays_whole_and_the_table_stays_as_it_is(tmp_path: Path) -> None:
    books = await in_shadow(tmp_path, TWO)
    before = books.applied.read()

    says(books, "ana")

    links = RevisionFiles(tmp_path / "revisions").links()
    assert chain_problems(links) == ()
    assert from_json(links[-1][1]).entry.kind is RevisionKind.APPROVAL
    assert books.applied.read() == before
    assert look(books.applied, books.ledger).notes == ()


async def test_a_yes_to_what_cannot_come_next_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingInForce):
        says(books_in(tmp_path / "none"), "ana")
    books = await in_shadow(tmp_path, TWO)

    for to in (Stage.CORE, Stage.SHADOW, Stage.LEGACY):
        with pytest.raises(IllegalStep, match="is not its next stage"):
            says(books, "ana", to=to)
    with pytest.raises(UnknownDomain, match="did you mean catalog"):
        approve(books, Wish("catalogue", Stage.CANARY, "ana", ""))


SEVERE = "{id: R1, what: no way back, likelihood: high, impact: high, owner: shop}"


def with_risk(stage: str, risks: str, more: str = "") -> str:
    listed = f"    risks: [{risks}]\n    owner: shop\n"
    return a_file(stage, more).replace("    owner: shop\n", listed, 1)


async def test_a_severe_risk_holds_every_step_forward_also_when_the_file_leaves_it_out(
    tmp_path: Path,
) -> None:
    books = books_in(tmp_path)
    await applied(books, with_risk("legacy", SEVERE))

    for asked in (with_risk("shadow", SEVERE), a_file("shadow", "")):
        (held,) = refusals(await planned(books, asked))
        assert held.startswith("risks gate fails: R1 is open")
    done = SEVERE.replace("}", ", state: accepted, mitigation: the owner lives with it}")
    assert refusals(await planned(books, with_risk("shadow", done))) == []


async def test_a_checkpoint_that_is_not_done_holds_and_cannot_be_left_out(tmp_path: Path) -> None:
    def asked(stage: str, checkpoints: str) -> str:
        rules = f"    compliance: {{data_class: payment, checkpoints: [{checkpoints}]}}\n"
        return a_file(stage, "").replace("    owner: shop\n", rules + "    owner: shop\n", 1)

    books = books_in(tmp_path)
    await applied(books, asked("legacy", "{what: audit}"))

    for checkpoints in ("{what: audit}", "", "{what: another, done: 2027-01-01, by: office}"):
        held = refusals(await planned(books, asked("shadow", checkpoints)))
        assert held == [
            "checkpoints gate fails: payment data waits for: audit; do it, and write done and by"
        ]
    done = "{what: audit, done: 2027-01-01, by: office}"
    assert refusals(await planned(books, asked("shadow", done))) == []


async def test_a_gate_that_only_watches_is_written_down_and_holds_nothing(tmp_path: Path) -> None:
    watching = "data: {}, observe: [data]"
    books = await in_shadow(tmp_path, "data: {}")
    (held,) = refusals(await planned(books, a_file("canary", watching)))
    assert held.startswith("data gate is inconclusive: the databases do not say how they stand")

    await applied(books, a_file("shadow", watching))
    prepared = await planned(books, a_file("canary", watching))
    revision = commit(books, prepared, actor="ops", reason="because")

    (change,) = prepared.plan.changes
    assert change.refusals == ()
    assert any("only observed: data gate" in line for line in revision.entry.changes)
    assert [(one.gate, one.verdict) for one in revision.entry.evidence] == [
        ("data", "inconclusive")
    ]


async def test_parity_may_only_watch_too(tmp_path: Path) -> None:
    watching = "parity: {min: 99%, samples: 300}, observe: [parity]"
    books = await in_shadow(tmp_path, watching)

    (change,) = (await planned(books, a_file("canary", watching))).plan.changes

    assert change.refusals == ()
    parity, coverage = change.observed
    assert parity.startswith("parity gate is inconclusive: ")
    assert coverage == (
        "coverage gate is inconclusive: route GET /c never compared; one mirrored request would do"
    )


async def test_coverage_that_only_watches_leaves_parity_as_it_is(tmp_path: Path) -> None:
    watching = "parity: {min: 99%, samples: 300}, observe: [coverage]"
    books = await in_shadow(tmp_path, watching)

    (change,) = (await planned(books, a_file("canary", watching))).plan.changes

    assert [one.split(":")[0] for one in change.refusals] == ["parity gate is inconclusive"]
    assert [one.split(":")[0] for one in change.observed] == ["coverage gate is inconclusive"]


async def test_a_route_that_nobody_asked_for_holds_a_step_by_the_name_of_coverage(
    tmp_path: Path,
) -> None:
    gates = "parity: {min: 99%, samples: 300}"
    books = await in_shadow(tmp_path, gates)

    async def planned_with(*unseen: str) -> DomainChange:
        known = some_evidence(
            "catalog", some_parity(5_000, lower_ppm=0), heartbeat_s=1.0, unseen=unseen
        )
        opening = Opening(FakeEvidence({"catalog": known}))
        text = a_file("canary", gates).encode()
        (change,) = (await prepare(books, text, "routing.yaml", opening.how())).plan.changes
        return change

    held, free = await planned_with("GET /c"), await planned_with()

    assert held.refusals == (
        "coverage gate is inconclusive: route GET /c never compared; one mirrored request would do",
    )
    assert held.judgement is not None
    assert held.judgement.verdict is Verdict.PASS
    assert free.refusals == ()
    assert [(one.gate, one.sentences) for one in free.answers] == [
        ("coverage", ("the route was compared",))
    ]


async def test_evidence_that_is_away_is_said_once_and_by_parity(tmp_path: Path) -> None:
    gates = "parity: {min: 99%, samples: 300}"
    books = await in_shadow(tmp_path, gates)
    opening = Opening(FakeEvidence(away="no answer"))

    text = a_file("canary", gates).encode()
    (change,) = (await prepare(books, text, "routing.yaml", opening.how())).plan.changes

    assert change.refusals == (
        "parity gate is inconclusive: the evidence cannot be read: no answer",
    )
    assert change.answers == ()


async def test_others_are_asked_about_steps_that_bring_shoppers_and_about_no_rollback(
    tmp_path: Path,
) -> None:
    asked: list[StepAsked] = []

    async def outside(steps: Sequence[StepAsked]) -> Mapping[str, Outside]:
        asked.extend(steps)
        said = Said(Verdict.FAIL, ("CHG-1 is not approved",))
        facts = DataFacts("catalog", 0, 1.0, 0.1)
        return {step.domain: Outside((facts,), "", (said,)) for step in steps}

    gates = "data: {lag: 1s}, webhook: {url: 'http://x/'}"
    plain = await in_shadow(tmp_path, gates)
    books = replace(plain, ask_outside=outside)

    assert refusals(await planned(books, a_file("canary", gates))) == [
        "webhook gate fails: CHG-1 is not approved"
    ]
    assert [(one.domain, str(one.after), one.actor) for one in asked] == [
        ("catalog", "canary 10 %", "ops")
    ]
    asked.clear()
    await planned(books, a_file("legacy", gates))
    roll_back(books, "catalog", restage, to=None, actor="ops", reason="slow")
    assert asked == []


MANY = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
"""


def many(**stages: str) -> str:
    """A file with a domain for each name, each with a webhook of its own."""
    told = [MANY]
    for name, stage in stages.items():
        share = ", core_share: 10%" if stage == "canary" else ""
        told.append(
            f"  {name}: {{owner: shop, stage: {stage}{share}, routes: [{{path: /{name}}}],"
            f" gates: {{webhook: {{url: 'http://{name}/'}}}}}}\n"
        )
    return "".join(told)


async def test_one_plan_asks_each_system_once_and_only_about_steps_that_bring_shoppers(
    tmp_path: Path,
) -> None:
    asked: list[StepAsked] = []

    async def outside(steps: Sequence[StepAsked]) -> Mapping[str, Outside]:
        asked.extend(steps)
        said = Said(Verdict.PASS, ("yes",))
        return {step.domain: Outside(webhooks=(said,)) for step in steps}

    books = replace(books_in(tmp_path), ask_outside=outside)
    await applied(books, many(ahead="legacy", back="legacy", rests="legacy", starts="legacy"))
    await applied(books, many(ahead="shadow", back="shadow", rests="shadow", starts="legacy"))
    # Into shadow no shopper is brought to the core, so nobody was asked yet.
    assert asked == []

    prepared = await planned(
        books, many(ahead="canary", back="legacy", rests="shadow", starts="shadow", new="legacy")
    )

    assert refusals(prepared) == []
    assert [(one.domain, [hook.url for hook in one.webhooks]) for one in asked] == [
        ("ahead", ["http://ahead/"])
    ]


async def test_a_step_that_is_refused_outright_asks_no_other_system(tmp_path: Path) -> None:
    asked: list[StepAsked] = []

    async def outside(steps: Sequence[StepAsked]) -> Mapping[str, Outside]:
        asked.extend(steps)
        return {}

    books = replace(books_in(tmp_path), ask_outside=outside)
    await applied(books, many(ahead="legacy"))

    assert "one stage at a time" in refusals(await planned(books, many(ahead="canary")))[0]
    assert asked == []


async def test_a_core_that_takes_twice_as_long_does_not_get_shoppers(tmp_path: Path) -> None:
    gates = "latency: {p99: 1.2x, requests: 100}"
    books = await in_shadow(tmp_path, gates)

    async def planned_with(core_ms: float) -> list[str]:
        times = [
            Latency(side, "live", 500, 1.0, 2.0, p99)
            for side, p99 in (("legacy", 100.0), ("core", core_ms))
        ]
        evidence = FakeEvidence(
            {"catalog": some_evidence("catalog", some_parity(500, lower_ppm=0))}
        )
        evidence.latencies["catalog"] = times
        text = a_file("canary", gates)
        return refusals(
            await prepare(books, text.encode(), "routing.yaml", Opening(evidence).how(), actor="o")
        )

    assert await planned_with(110.0) == []
    assert await planned_with(200.0) == [
        "latency gate fails: p99 is 200 ms on the core and 100 ms on legacy, 1.2x is allowed"
    ]
