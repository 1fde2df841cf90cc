"""The risk register and what sensitive data asks for, as gates and as a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from cutover.core.plan import GateAnswer
from cutover.core.strata import Verdict
from proxy.routing import Compliance, Domain, GateName, Level, Risk, RiskState

_WEIGHT = {Level.LOW: 1, Level.MEDIUM: 2, Level.HIGH: 3}
#: High in one and at least medium in the other.
SEVERE = 6


@dataclass(frozen=True, slots=True)
class Registered:
    """A risk in the register.

    Attributes:
        score: likelihood times impact, each from 1 to 3.
        is_overdue: nobody has looked at it by the day on which somebody should.
        holds: steps forward of its domain wait for it.
    """

    domain: str
    risk: Risk
    score: int
    is_overdue: bool
    holds: bool


def score(risk: Risk) -> int:
    """Likelihood times impact, 1 to 9."""
    return _WEIGHT[risk.likelihood] * _WEIGHT[risk.impact]


def register(domains: Iterable[Domain], today: date) -> tuple[Registered, ...]:
    """All risks: those that hold something back first, then by score."""
    found = [
        Registered(
            domain.name,
            risk,
            score(risk),
            is_overdue=risk.review is not None and risk.review < today,
            holds=is_holding(risk),
        )
        for domain in domains
        for risk in domain.risks
    ]
    return tuple(sorted(found, key=lambda one: (not one.holds, -one.score, one.domain)))


def is_holding(risk: Risk) -> bool:
    """Whether steps forward wait until somebody does something about it, or accepts it."""
    return risk.state is RiskState.OPEN and score(risk) >= SEVERE


def judge_risks(risks: Sequence[Risk]) -> GateAnswer | None:
    """No severe risk may be open; None where there are no risks."""
    if not risks:
        return None
    holding = [risk for risk in risks if is_holding(risk)]
    inputs = {"risks": len(risks), "severe_and_open": len(holding)}
    if not holding:
        return GateAnswer(GateName.RISKS.value, Verdict.PASS, ("no severe risk is open",), inputs)
    told = tuple(
        f"{risk.id} is open, likelihood {risk.likelihood}, impact {risk.impact}: {risk.what};"
        f" {risk.owner} mitigates or accepts it, and says so in the file"
        for risk in holding
    )
    return GateAnswer(GateName.RISKS.value, Verdict.FAIL, told, inputs)


def judge_checkpoints(rules: Compliance | None, today: date) -> GateAnswer | None:
    """All that the data's class asks for must be done; None where nothing is asked."""
    if rules is None or not rules.checkpoints:
        return None
    undone = [one for one in rules.checkpoints if one.done is None or one.done > today]
    inputs = {"checkpoints": len(rules.checkpoints), "undone": len(undone)}
    if not undone:
        told = tuple(f"{one.what}: {one.done}, by {one.by}" for one in rules.checkpoints)
        return GateAnswer(GateName.CHECKPOINTS.value, Verdict.PASS, told, inputs)
    told = tuple(
        f"{rules.data_class} data waits for: {one.what}; do it, and write done and by"
        for one in undone
    )
    return GateAnswer(GateName.CHECKPOINTS.value, Verdict.FAIL, told, inputs)
