"""The gate of coverage: was all that the core will answer compared at all?"""

from __future__ import annotations

from collections.abc import Sequence

from cutover.core.gate import Findings, percent, readable_routes, unseen_routes, unseen_words
from cutover.core.plan import GateAnswer
from cutover.core.strata import Rest, Verdict, rest_of, weigh
from proxy.routing import Domain, GateName, ParityGate


def judge_coverage(
    gates: Sequence[ParityGate], domain: Domain, findings: Findings
) -> GateAnswer | None:
    """Every route that is read must have been compared; None without evidence to ask.

    It is asked wherever parity is, and never of itself: what is equal says nothing of what
    was not seen. Strata that are too light to show parity each are told, and hold nothing
    back; `gates` say from which weight on a stratum is asked.
    """
    evidence = findings.evidence
    if evidence is None:
        return None
    routes, unseen = readable_routes(domain), unseen_routes(domain, evidence)
    heaviest = max(gates, key=lambda gate: gate.min_weight_ppm)
    rest = rest_of(heaviest, weigh(heaviest, set(routes), evidence.strata))
    inputs = {
        "routes": len(routes),
        "unseen": len(unseen),
        "light_strata": 0 if rest is None else rest.strata,
        "light_ppm": 0 if rest is None else rest.weight_ppm,
    }
    if unseen:
        told = (unseen_words(unseen),)
        return GateAnswer(GateName.COVERAGE.value, Verdict.INCONCLUSIVE, told, inputs)
    told = (f"{_all(len(routes))}{_light(heaviest, rest)}",)
    return GateAnswer(GateName.COVERAGE.value, Verdict.PASS, told, inputs)


def _all(routes: int) -> str:
    if not routes:
        return "no route has GET or HEAD"
    return "the route was compared" if routes == 1 else f"all {routes:,} routes were compared"


def _light(gate: ParityGate, rest: Rest | None) -> str:
    if rest is None:
        return ""
    strata = "1 stratum" if rest.strata == 1 else f"{rest.strata:,} strata"
    how = "judged as one" if rest.verdict else "too light to be judged"
    return (
        f"; {strata} under {percent(gate.min_weight_ppm)} each, together"
        f" {percent(rest.weight_ppm)} of the samples, {how}"
    )
