"""The gate of coverage: what was never compared is said by its name, whatever parity shows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cutover.core.coverage_gate import judge_coverage
from cutover.core.gate import Findings, judge, judge_parity
from cutover.core.plan import GateAnswer
from cutover.core.strata import Verdict
from proxy.routing import ParityGate
from shadow_compare.core.evidence import DomainEvidence, StratumParity
from shadow_compare.core.parity import StratumCounts, stratum_parity
from shadow_compare.core.sampling import Served, Stratum
from tests.fakes.evidence import some_evidence, some_parity
from tests.support.routing_tables import domain

GATE = ParityGate(min_ppm=990_000, confidence_bp=9_500, samples=300, max_loss_ppm=10_000)
CATALOG = domain(paths=("/catalog/", "/catalog/{id}", "/catalog/{id}/stock"))
LIST, DETAIL, STOCK = (route.name for route in CATALOG.routes)


def known(*unseen: str, strata: tuple[StratumParity, ...] = ()) -> DomainEvidence:
    seen = some_evidence("catalog", some_parity(5_000, lower_ppm=0), heartbeat_s=1.0, unseen=unseen)
    return replace(seen, strata=strata)


def stratum(route: str, samples: int) -> StratumParity:
    counts = StratumCounts(compared=samples, samples=samples)
    return stratum_parity(Stratum(route, Served.LEGACY, "2xx"), counts, 9_500)


def judged(found: DomainEvidence, *gates: ParityGate) -> GateAnswer:
    answer = judge_coverage(gates or (GATE,), CATALOG, Findings(found))
    assert answer is not None
    return answer


def test_a_domain_of_which_all_was_compared_passes_and_says_how_much() -> None:
    answer = judged(known())

    assert (answer.gate, answer.verdict) == ("coverage", Verdict.PASS)
    assert answer.sentences == ("all 3 routes were compared",)
    assert answer.inputs == {"routes": 3, "unseen": 0, "light_strata": 0, "light_ppm": 0}


def test_routes_that_were_never_compared_are_named_with_the_way_out() -> None:
    answer = judged(known(LIST, STOCK))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences == (
        f"routes {LIST}, {STOCK} never compared; one mirrored request to each would do",
    )
    assert answer.inputs["unseen"] == 2


def test_light_strata_are_told_and_hold_nothing_back() -> None:
    answer = judged(known(strata=(stratum(LIST, 9_960), stratum(DETAIL, 30), stratum(STOCK, 10))))

    assert answer.verdict is Verdict.PASS
    (sentence,) = answer.sentences
    assert sentence == (
        "all 3 routes were compared; 2 strata under 1 % each, together 0.4 % of the samples,"
        " too light to be judged"
    )
    assert (answer.inputs["light_strata"], answer.inputs["light_ppm"]) == (2, 4_000)


def test_of_two_gates_the_one_that_asks_fewer_strata_tells_what_it_leaves_out() -> None:
    strict, loose = replace(GATE, min_weight_ppm=0), replace(GATE, min_weight_ppm=500_000)

    answer = judged(known(strata=(stratum(LIST, 900), stratum(DETAIL, 100))), strict, loose)

    assert answer.inputs["light_strata"] == 1


def test_what_cannot_be_read_is_left_to_parity_to_say() -> None:
    assert judge_coverage((GATE,), CATALOG, Findings(None, problem="no answer")) is None


@given(
    st.sets(st.sampled_from([LIST, DETAIL, STOCK, "GET /gone"])),
    st.integers(0, 5_000),
    st.integers(0, 100),
)
def test_parity_and_coverage_together_pass_what_the_whole_evidence_passes(
    unseen: set[str], matched: int, mismatched: int
) -> None:
    parity = some_parity(matched, mismatched=mismatched, lower_ppm=0)
    found = Findings(
        some_evidence("catalog", parity, heartbeat_s=1.0, unseen=tuple(sorted(unseen)))
    )

    alone = judge_parity((GATE,), CATALOG, found).verdict
    covered = judge_coverage((GATE,), CATALOG, found)
    assert covered is not None
    both_pass = alone is covered.verdict is Verdict.PASS

    assert (judge((GATE,), CATALOG, found).verdict is Verdict.PASS) == both_pass
