"""Strata on a domain's page."""

from __future__ import annotations

from dataclasses import replace

from cutover.api.judgement import Light
from cutover.api.stratarows import SHOWN, strata_view
from shadow_compare.core.evidence import DomainEvidence, StratumParity
from shadow_compare.core.parity import StratumCounts, stratum_parity
from shadow_compare.core.sampling import Served, Stratum
from tests.fakes.evidence import some_evidence
from tests.unit.cutover_room.samples import DETAIL, a_domain, measured

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
