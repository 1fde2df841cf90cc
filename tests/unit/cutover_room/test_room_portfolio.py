"""What the first page decides to say."""

from __future__ import annotations

from dataclasses import replace

from cutover.api.judgement import Light
from cutover.api.portfolio import Overview, overview
from cutover.api.readings import DAMAGED, ProxyState, Reading, RevisionLine, StoreState
from cutover.api.words import plain
from proxy.routing import Stage
from shadow_compare.core.evidence import Accounting
from tests.unit.cutover_room.samples import NOW_S, a_domain, a_reading, measured, some_facts


def headline(view: Overview) -> str:
    return plain(view.headline, view.now_s)


def attention(view: Overview) -> list[str]:
    return [plain(words, view.now_s) for words in view.attention]


def health(view: Overview) -> dict[str, tuple[Light, str]]:
    return {part.name: (part.light, plain(part.words, view.now_s)) for part in view.health}


def test_the_headline_is_made_of_the_facts() -> None:
    domains = (
        a_domain("catalog", stage=Stage.CORE),
        a_domain("price"),
        a_domain("stock", stage=Stage.SHADOW),
    )
    passing = Reading(a_reading(measured(9_000)), NOW_S)

    view = overview(some_facts(*domains, readings={d.name: passing for d in domains}))

    assert headline(view) == (
        "1 of 3 domains on the new core, 1 in canary; nothing is blocking; last rollback 15 min ago"
    )
    assert attention(view) == []


def test_a_single_domain_is_named() -> None:
    reading = Reading(a_reading(measured(40)), NOW_S)

    view = overview(some_facts(readings={"catalog": reading}, revisions=Reading((), NOW_S)))

    assert headline(view) == (
        "catalog is in stage canary 10 %; nothing is blocking, it still gathers evidence; "
        "no rollback so far"
    )


def test_a_failing_gate_blocks_and_needs_a_person() -> None:
    reading = Reading(a_reading(measured(9_000, mismatched=400)), NOW_S)

    view = overview(some_facts(readings={"catalog": reading}))

    assert "catalog is blocked by a gate" in headline(view)
    assert attention(view)[0].startswith("catalog: upper bound 97.")


def test_domains_that_need_a_person_come_first() -> None:
    names = ("alpha", "beta", "gamma", "delta")
    domains = tuple(a_domain(name) for name in names)
    torn = a_reading(measured(9_000))
    torn = replace(torn, evidence=replace(torn.evidence, accounting=Accounting(9_100, 9_000, 0)))
    readings = {
        "alpha": Reading(a_reading(measured(40)), NOW_S),
        "beta": Reading(a_reading(measured(9_000)), NOW_S),
        "gamma": Reading(torn, NOW_S),
        "delta": Reading(a_reading(measured(9_000, mismatched=400)), NOW_S),
    }

    view = overview(some_facts(*domains, readings=readings))

    assert [card.name for card in view.cards] == ["delta", "gamma", "beta", "alpha"]
    assert any("does not add up" in words for words in attention(view))


def test_a_silent_evidence_store_leaves_parity_unknown_and_says_since_when() -> None:
    reading = Reading(a_reading(measured(9_000)), NOW_S - 75, "does not answer (locked)")

    view = overview(some_facts(readings={"catalog": reading}))

    assert health(view)["Evidence"] == (
        Light.FAIL,
        "does not answer (locked); last answer 1 min ago",
    )
    assert "unknown while the evidence store is away" in headline(view)
    assert health(view)["Comparer"][0] is Light.INCONCLUSIVE


def test_each_part_of_the_platform_has_its_own_light() -> None:
    late = a_reading(measured(9_000))
    late = replace(late, evidence=replace(late.evidence, heartbeat_s=NOW_S - 180))

    view = overview(
        some_facts(
            readings={"catalog": Reading(late, NOW_S)},
            proxy=Reading(ProxyState(ready=True, revision="000000000000"), NOW_S),
            core=Reading(StoreState(503, 2.0), NOW_S),
            legacy=Reading(problem="does not answer (connection refused)"),
        )
    )

    assert health(view) == {
        "Proxy": (
            Light.INCONCLUSIVE,
            "follows table 000000000000, the file holds a1b2c3d4e5f6",
        ),
        "Comparer": (Light.FAIL, "silent; last wrote 3 min ago"),
        "New core": (Light.FAIL, "answers 503"),
        "Legacy store": (Light.FAIL, "does not answer (connection refused)"),
        "Evidence": (Light.PASS, "answers"),
    }


def test_an_unreadable_table_is_said_and_hides_nothing_else() -> None:
    view = overview(some_facts(table=Reading(problem="does not load"), readings={}))

    assert headline(view).startswith("The routing table in force could not be read")
    assert attention(view)[0] == "Routing table: does not load"
    assert view.revisions


def test_a_last_good_table_stays_in_sight_with_its_problem() -> None:
    facts = some_facts()
    table = replace(facts.table, problem="does not load: applied.yaml:3: no such key.")

    view = overview(replace(facts, table=table))

    assert [card.name for card in view.cards] == ["catalog"]
    assert "applied.yaml:3" in attention(view)[0]


def test_a_damaged_revision_needs_a_person() -> None:
    line = RevisionLine(4, NOW_S, "nobody known", DAMAGED, "its content is not its own", ())

    view = overview(some_facts(revisions=Reading((line,), NOW_S)))

    assert "Ledger: revision 4 is damaged: its content is not its own." in attention(view)


def test_a_table_without_domains_says_so() -> None:
    facts = some_facts()
    assert facts.table.value is not None
    empty = replace(facts.table, value=replace(facts.table.value, domains=()))

    view = overview(replace(facts, table=empty, domains={}))

    assert headline(view) == "No domain is set up yet; routing.yaml names none."
