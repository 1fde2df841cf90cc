"""The gate of errors: does the core fail more often than legacy does?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cutover.core.live import Tally, judge_live
from cutover.core.plan import GateAnswer
from cutover.core.strata import Verdict
from proxy.routing import ErrorsGate, GateName, RollbackRule, Side
from shadow_compare.core.evidence import Answered

_HOUR_S = 3_600.0
_SHOPPERS = "live"
_WAY_OUT = {
    Verdict.FAIL: "; mend the core, see: banyan mismatches",
    Verdict.INCONCLUSIVE: "; it is not shown yet, more answers decide it",
    Verdict.PASS: "",
}


def judge_errors(gate: ErrorsGate, answered: Sequence[Answered]) -> GateAnswer:
    """Judge how often each side failed in the last hour, as a rollback judges it.

    Answers to shoppers and to the comparer count together, and those to shoppers once more
    alone: a core that fails the few who have it must not hide behind its shadow.
    """
    everyone = _tallies(answered)
    shoppers = _tallies([one for one in answered if one.role == _SHOPPERS])
    inputs = {
        "max_excess_ppm": gate.max_excess_ppm,
        "min_requests": gate.requests,
        **_inputs("", everyone),
        **_inputs("shoppers_", shoppers),
    }
    legacy, core = (everyone[side] for side in (Side.LEGACY, Side.CORE))
    if min(legacy.answers, core.answers) < gate.requests:
        few = (
            f"needs {gate.requests:,} answers of each side, has {legacy.answers:,} of legacy and"
            f" {core.answers:,} of the core"
        )
        return GateAnswer(GateName.ERRORS.value, Verdict.INCONCLUSIVE, (few,), inputs)
    rule = RollbackRule(gate.max_excess_ppm, None, gate.requests, _HOUR_S)
    spans = (("in the last hour", everyone), ("to shoppers in the last hour", shoppers))
    # Where legacy has hardly a shopper left, it is what it is to the comparer.
    found = judge_live(rule, spans, legacy)
    told = tuple(f"{sentence}{_WAY_OUT[found.verdict]}" for sentence in found.sentences)
    return GateAnswer(GateName.ERRORS.value, found.verdict, told, inputs)


def _tallies(answered: Sequence[Answered]) -> Mapping[Side, Tally]:
    found = dict.fromkeys(Side, Tally())
    for one in answered:
        side = Side(one.side)
        found[side] = found[side].plus(Tally(one.answers, one.errors))
    return found


def _inputs(prefix: str, both: Mapping[Side, Tally]) -> Mapping[str, int]:
    told = {}
    for side in (Side.CORE, Side.LEGACY):
        told[f"{prefix}{side}_answers"] = both[side].answers
        told[f"{prefix}{side}_errors"] = both[side].errors
    return told
