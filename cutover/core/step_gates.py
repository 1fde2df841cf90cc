"""What holds a step forward back besides parity: every other gate, and who only watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from cutover.core.approval import Approval, approvers, missing
from cutover.core.calendar import closed_because
from cutover.core.errors_gate import judge_errors
from cutover.core.governing import judge_checkpoints, judge_risks
from cutover.core.load_gate import Loads, judge_load
from cutover.core.outside_gates import Outside, judge_data, judge_latency, judge_webhooks
from cutover.core.plan import DomainChange, GateAnswer, Plan
from cutover.core.stages import Direction, needs_evidence, position
from cutover.core.strata import Verdict
from proxy.routing import Compliance, Domain, GateName, RoutingTable, Stage
from shadow_compare.core.evidence import Answered, Latency

T = TypeVar("T")

_WORDS = {Verdict.FAIL: "fails", Verdict.INCONCLUSIVE: "is inconclusive"}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to take the steps of a plan, when, and what was found out for it.

    Attributes:
        actor: as the ledger would name them.
        given: domain to what people said of its steps since its last one, oldest first.
        coverage: domain to what of it was compared at all, where parity is asked too.
        outside: domain to what others say of its step.
        latencies: domain to how long both sides took lately.
        answered: domain to how often they answered and failed lately.
        loads: domain to its load tests.
    """

    at: datetime
    actor: str
    given: Mapping[str, Sequence[Approval]] = field(default_factory=dict)
    coverage: Mapping[str, GateAnswer] = field(default_factory=dict)
    outside: Mapping[str, Outside] = field(default_factory=dict)
    latencies: Mapping[str, Sequence[Latency]] = field(default_factory=dict)
    answered: Mapping[str, Sequence[Answered]] = field(default_factory=dict)
    loads: Mapping[str, Loads] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """A domain as it is, and as it is to be.

    The gate in force is asked, and the one that is to be, as for parity: whoever loosens one
    in the same file as the step that it guards has loosened nothing.
    """

    before: Domain
    after: Domain

    def both(self, of: Callable[[Domain], T | None]) -> tuple[T, ...]:
        """What both say, each once."""
        asked = (of(self.before), of(self.after))
        return tuple(dict.fromkeys(one for one in asked if one is not None))

    @property
    def is_guarded(self) -> bool:
        """Whether shoppers come to the core by this step: not by that into shadow."""
        return needs_evidence(position(self.before), position(self.after))


def forward_pairs(
    plan: Plan, in_force: RoutingTable | None, desired: RoutingTable
) -> Mapping[str, Pair]:
    """Domain to both its versions, for every step forward of a plan."""
    if in_force is None:
        return {}
    before = {domain.name: domain for domain in in_force.domains}
    after = {domain.name: domain for domain in desired.domains}
    return {
        change.domain: Pair(before[change.domain], after[change.domain])
        for change in plan.changes
        if change.direction is Direction.FORWARD
        and change.domain in before
        and change.domain in after
    }


def with_gates(
    plan: Plan, in_force: RoutingTable | None, desired: RoutingTable, asker: Asker
) -> Plan:
    """The plan, with steps forward held back that a gate does not let through."""
    pairs = forward_pairs(plan, in_force, desired)
    changes = [
        _judged(change, pairs[change.domain], asker) if change.domain in pairs else change
        for change in plan.changes
    ]
    return replace(plan, changes=tuple(changes))


def _judged(change: DomainChange, pair: Pair, asker: Asker) -> DomainChange:
    covered = asker.coverage.get(change.domain)
    answers = (
        *(() if covered is None else (covered,)),
        *_calendar(pair, asker),
        *_approvals(pair, asker),
        *_outside(pair, asker),
        *_load_tested(pair, asker),
        *_governed(pair, asker),
    )
    refusals = [
        *change.refusals,
        *(
            f"{answer.gate} gate {_WORDS[answer.verdict]}: {sentence}"
            for answer in answers
            if answer.verdict is not Verdict.PASS
            for sentence in answer.sentences
        ),
    ]
    watched = pair.before.observed & pair.after.observed
    # Coverage is asked with parity: whoever only watches the one, watches the other.
    if GateName.PARITY in watched:
        watched |= {GateName.COVERAGE}
    watching = tuple(f"{name} gate " for name in watched)
    return replace(
        change,
        answers=answers,
        refusals=tuple(one for one in refusals if not one.startswith(watching)),
        observed=tuple(one for one in refusals if one.startswith(watching)),
    )


def _calendar(pair: Pair, asker: Asker) -> Iterable[GateAnswer]:
    asked = pair.both(lambda domain: domain.calendar)
    if not asked:
        return ()
    closed = tuple(why for one in asked if (why := closed_because(one, asker.at)))
    if closed:
        return (GateAnswer("calendar", Verdict.FAIL, closed),)
    return (GateAnswer("calendar", Verdict.PASS, ("the calendar is open",)),)


def _approvals(pair: Pair, asker: Asker) -> Iterable[GateAnswer]:
    before, after = pair.before, pair.after
    # A larger share is the same stage, and shadow risks nothing.
    if before.stage is after.stage or after.stage is Stage.SHADOW:
        return
    given = asker.given.get(before.name, ())
    for rule in pair.both(lambda domain: domain.approvals):
        by = approvers(given, before, after.stage, rule, asker.at)
        lacking = missing(by, rule, before.name, after.stage, asker.actor)
        inputs = {"asked": rule.count, "given": len(by)}
        if lacking:
            yield GateAnswer("approvals", Verdict.FAIL, (lacking,), inputs)
        else:
            said = tuple(f"{name} approved on {since:%Y-%m-%d}" for name, since in by.items())
            yield GateAnswer("approvals", Verdict.PASS, said, inputs)


def _outside(pair: Pair, asker: Asker) -> Iterable[GateAnswer]:
    if not pair.is_guarded:
        return
    name = pair.after.name
    said = asker.outside.get(name, Outside(data_problem="nobody asked them"))
    for gate in pair.both(lambda domain: domain.data_gate):
        yield judge_data(gate, name, said)
    for bounds in pair.both(lambda domain: domain.latency_gate):
        yield judge_latency(bounds, asker.latencies.get(name, ()))
    for most in pair.both(lambda domain: domain.errors_gate):
        yield judge_errors(most, asker.answered.get(name, ()))
    if pair.both(lambda domain: domain.webhook_gate):
        yield from judge_webhooks(said)


def _load_tested(pair: Pair, asker: Asker) -> Iterable[GateAnswer]:
    # In stage retired the core answers no more than before.
    if not pair.is_guarded or pair.after.stage is Stage.RETIRED:
        return
    name = pair.after.name
    for gate in pair.both(lambda domain: domain.load_gate):
        yield judge_load(gate, name, asker.loads.get(name, Loads()), asker.at)


def _governed(pair: Pair, asker: Asker) -> Iterable[GateAnswer]:
    """Both count from shadow on: the core sees the data there already.

    They are judged as they stand in the file: it is where somebody says that a checkpoint is
    done, and the ledger keeps who said so with the step. What the table in force asked for
    and the file leaves out was not done.
    """
    listed = {risk.id for risk in pair.after.risks}
    forgotten = (risk for risk in pair.before.risks if risk.id not in listed)
    for answer in (
        judge_risks((*pair.after.risks, *forgotten)),
        judge_checkpoints(_rules(pair), asker.at.date()),
    ):
        if answer is not None:
            yield answer


def _rules(pair: Pair) -> Compliance | None:
    before, after = pair.before.compliance, pair.after.compliance
    if before is None or after is None:
        return after or before
    listed = {one.what for one in after.checkpoints}
    forgotten = (one for one in before.checkpoints if one.what not in listed)
    return replace(after, checkpoints=(*after.checkpoints, *forgotten))
