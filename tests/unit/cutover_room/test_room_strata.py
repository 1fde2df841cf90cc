"""Strata on a domain's page."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cutover.api.card import card_of
from cutover.api.judgement import Light, ParityLine
from cutover.api.readings import Reading
from cutover.api.stratarows import SHOWN, strata_view
from cutover.core.gate import Findings, judge
from cutover.core.strata import Verdict, worst_asked
from shadow_compare.core.evidence import DomainEvidence, StratumParity
from shadow_compare.core.parity import StratumCounts, stratum_parity
from shadow_compare.core.sampling import Served, Stratum
from tests.fakes.evidence import some_evidence
from tests.unit.cutover_room.samples import (
    DETAIL,
    GATE,
    NOW_S,
    a_domain,
    a_reading,
    measured,
    some_facts,
)

LIST = "GET /api/products/"


def stratum(
    samples: int, unequal: int = 0, *, route: str = LIST, served: Served = Served.LEGACY
) -> StratumParity:
    counts = StratumCounts(2 * samples, 2 * unequal, samples, unequal)
    return stratum_parity(Stratum(route, served, "2xx"), counts, 9_500)


def evidence(*strata: StratumParity, carried: int = 0) -> DomainEvidence:
    found = some_evidence("catalog", measured(sum(one.samples for one in strata)))
    return replace(found, strata=strata, carried=carried)


def test_the_worst_stratum_stands_first_and_each_has_its_verdict_in_words() -> None:
    found = evidence(
        stratum(90_000),
        stratum(2_000, served=Served.CORE),
        stratum(3_000, 60, route=DETAIL),
        stratum(50, route=DETAIL, served=Served.PILOT),
    )

    view = strata_view(a_domain(), found)

    assert [(row.light, row.word) for row in view.rows] == [
        (Light.FAIL, "Shown to be unequal"),
        (Light.INCONCLUSIVE, "Inconclusive"),
        (Light.PASS, "Shown to be equal"),
        (Light.OFF, "Too light to be asked"),
    ]
    assert view.rows[0].whom == "served by legacy, 2xx"
    assert "(3,000 samples, 60 unequal)" in view.rows[0].sentence
    assert view.rest is not None
    assert view.rest.whom == "1 stratum"


def test_a_long_list_is_cut_and_says_so() -> None:
    domain = a_domain()
    many = [replace(domain.routes[0], path=f"/r{n}") for n in range(SHOWN + 7)]
    strata = [stratum(5_000, route=route.name) for route in many]

    view = strata_view(replace(domain, routes=tuple(many)), evidence(*strata))

    assert (len(view.rows), view.more) == (SHOWN, 7)


def test_carried_evidence_and_what_noise_could_hide_stand_beside_parity() -> None:
    found = evidence(stratum(1_000), carried=400)
    overall = replace(found.overall, hidden_at_most=12)

    asides = strata_view(a_domain(), replace(found, overall=overall)).asides

    assert "400 of them carried from before, 600 fresh." in asides
    assert "Noise could hide at most 12 mismatches." in asides


def test_without_evidence_or_a_gate_nothing_is_weighed() -> None:
    assert strata_view(a_domain(), None).rows == ()
    assert strata_view(a_domain(parity_gate=None), evidence(stratum(10))).rows == ()


def parity_of(*strata: StratumParity, unequal: int = 0) -> ParityLine:
    known = evidence(*strata)
    whole = measured(known.overall.samples - unequal, unequal)
    reading = replace(a_reading(whole), evidence=replace(known, overall=whole))
    facts = some_facts(readings={"catalog": Reading(reading, NOW_S)})
    line = card_of(a_domain(), facts).parity
    assert line is not None
    return line


def test_the_figure_that_decides_is_that_of_the_worst_stratum_with_its_word() -> None:
    line = parity_of(stratum(90_000), stratum(3_000, 60, route=DETAIL), unequal=60)

    assert (line.light, line.word) == (Light.FAIL, "fail")
    assert line.sentence.endswith("(95 % sure, 3,000 samples)")
    assert line.place == f"{DETAIL}, served by legacy, 2xx, the worst of 3 that are asked"
    assert line.so_far.startswith("the whole domain at least 99.9")


def test_a_stratum_that_is_not_decided_yet_is_what_the_gate_waits_for() -> None:
    line = parity_of(stratum(90_000), stratum(2_000, served=Served.CORE))

    assert (line.known, line.word) == (True, "inconclusive")
    assert "served by the core" in line.place
    assert "2,000 samples" in line.sentence


def test_where_all_pass_the_lowest_bound_is_shown() -> None:
    line = parity_of(stratum(90_000), stratum(9_000, route=DETAIL))

    assert (line.word, DETAIL in line.place) == ("pass", True)


def test_a_stratum_that_fails_is_shown_before_the_whole_has_its_samples() -> None:
    line = parity_of(stratum(500, 100), unequal=100)

    assert (line.known, line.word) == (True, "fail")


def test_too_few_samples_stay_not_enough_data() -> None:
    line = parity_of(stratum(100))

    assert (line.known, line.word) == (False, "inconclusive")
    assert line.figure == "not enough data yet"


@given(
    counts=st.lists(st.tuples(st.integers(1, 20_000), st.integers(0, 60)), min_size=1, max_size=5)
)
def test_the_shown_verdict_is_never_kinder_than_the_gates(counts: list[tuple[int, int]]) -> None:
    places = [(route, served) for route in (LIST, DETAIL) for served in Served]
    strata = [
        stratum(samples, min(unequal, samples), route=route, served=served)
        for (samples, unequal), (route, served) in zip(counts, places, strict=False)
    ]
    unequal = sum(one.unequal for one in strata)
    known = evidence(*strata)
    whole = measured(known.overall.samples - unequal, unequal)
    known = replace(known, overall=whole)
    domain = a_domain()
    routes = {route.name for route in domain.routes}

    worst = worst_asked(GATE, routes, known.overall, known.strata)
    judged = judge([GATE], domain, Findings(known))

    if judged.verdict is Verdict.PASS:
        assert worst.verdict is Verdict.PASS
    if worst.verdict is Verdict.FAIL:
        assert judged.verdict is Verdict.FAIL
    assert worst.bounds.lower_ppm >= judged.lower_ppm
    if worst.verdict is Verdict.PASS:
        assert worst.bounds.lower_ppm == judged.lower_ppm
