"""What applying a file would do: a plan is a value, and apply executes that very value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cutover.core.differences import (
    domain_details,
    is_same,
    routes_added,
    routes_removed,
    table_details,
)
from cutover.core.gate import Judgement, Verdict
from cutover.core.stages import SERVING, Direction, Position, direction, needs_evidence, position
from proxy.routing import Domain, ParityGate, RoutingTable, Side, Stage

_START = Position(Stage.LEGACY)
_SHOWN = 3
#: Begins a line of the ledger about a gate that only watched.
OBSERVED = "only observed"


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What a gate other than parity says of a step.

    Attributes:
        gate: its name, as `observe` names it.
        sentences: never empty.
        inputs: the numbers that it judged by.
    """

    gate: str
    verdict: Verdict
    sentences: tuple[str, ...]
    inputs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DomainChange:
    """What changes for one domain.

    Attributes:
        before: None for a new domain.
        after: None for one that is removed: its requests go to legacy.
        details: what else changes, a sentence each.
        refusals: why apply refuses, each with the way out; empty when it does not.
        judgement: the parity gate's answer, where a step needs one.
        answers: what the other gates say of a step forward.
        observed: refusals of gates that only watch; they hold nothing back.
    """

    domain: str
    before: Position | None
    after: Position | None
    direction: Direction
    details: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    judgement: Judgement | None = None
    answers: tuple[GateAnswer, ...] = ()
    observed: tuple[str, ...] = ()

    @property
    def step(self) -> str:
        """What happens to the domain, e.g. "shadow -> canary 10 %"."""
        if self.before is None:
            return f"new, in stage {self.after}"
        if self.after is None:
            return f"removed from stage {self.before}; its requests go to legacy, unmatched"
        if self.before == self.after:
            return f"stays in stage {self.after}"
        return f"{self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that applying would change.

    Attributes:
        in_force: revision of the table in force, None when there is none yet.
        desired: revision of the file.
        changes: domains that change, by name.
        details: what changes outside the domains.
    """

    in_force: str | None
    desired: str
    changes: tuple[DomainChange, ...]
    details: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True when a table is in force and the file asks for nothing else."""
        return self.in_force is not None and not self.changes and not self.details

    @property
    def refused(self) -> tuple[DomainChange, ...]:
        """The changes that keep the whole plan from being applied."""
        return tuple(change for change in self.changes if change.refusals)

    def sentences(self) -> tuple[str, ...]:
        """The plan in lines, as the ledger keeps it."""
        lines = list(self.details)
        for change in self.changes:
            lines.append(f"{change.domain}: {change.step}")
            lines += [f"{change.domain}: {detail}" for detail in change.details]
            lines += [f"{change.domain}: {OBSERVED}: {told}" for told in change.observed]
        return tuple(lines)


def gates_asked(before: Domain | None, after: Domain) -> tuple[ParityGate, ...]:
    """The gates that a step must pass: the one in force, and the one that is to be.

    Both, because a gate that is loosened in the same file as the step that it guards
    would guard nothing; a loosened gate counts from the next apply on.
    """
    gates = [after.parity_gate] if before is None else [before.parity_gate, after.parity_gate]
    return tuple(dict.fromkeys(gate for gate in gates if gate is not None))


def steps_to_judge(desired: RoutingTable, in_force: RoutingTable | None) -> tuple[Domain, ...]:
    """The desired domains whose step needs the evidence of a gate."""
    if in_force is None:
        return ()
    old = _by_name(in_force)
    return tuple(
        domain
        for domain in desired.domains
        if domain.name in old
        and needs_evidence(position(old[domain.name]), position(domain))
        and gates_asked(old[domain.name], domain)
    )


def measured_steps(desired: RoutingTable, in_force: RoutingTable | None) -> tuple[Domain, ...]:
    """The desired domains whose step needs to know how long both sides take, or how often
    they fail.
    """
    old = {} if in_force is None else _by_name(in_force)
    return tuple(
        domain
        for domain in desired.domains
        if domain.name in old
        and needs_evidence(position(old[domain.name]), position(domain))
        and any(one.latency_gate or one.errors_gate for one in (old[domain.name], domain))
    )


def make_plan(
    desired: RoutingTable,
    in_force: RoutingTable | None,
    judgements: Mapping[str, Judgement],
    *,
    init: bool = False,
) -> Plan:
    """Work out what applying `desired` does.

    Args:
        desired: what the file asks for.
        in_force: the table in force, None before the first apply.
        judgements: domain to its gate's answer, for all of `steps_to_judge`.
        init: take the stages of a first file as they are.
    """
    if in_force is None:
        changes = [_first(domain, init=init) for domain in desired.domains]
        return Plan(None, desired.revision, _sorted(changes), ())
    old, new = _by_name(in_force), _by_name(desired)
    stores_change = any(in_force.stores[side] != desired.stores[side] for side in Side)
    changes = [
        _change(before, after, judgements.get(name), stores_change=stores_change)
        for name in old.keys() | new.keys()
        if not _is_kept(before := old.get(name), after := new.get(name))
    ]
    details = table_details(in_force, desired)
    return Plan(in_force.revision, desired.revision, _sorted(changes), details)


def _sorted(changes: list[DomainChange]) -> tuple[DomainChange, ...]:
    return tuple(sorted(changes, key=lambda change: change.domain))


def _by_name(table: RoutingTable) -> dict[str, Domain]:
    return {domain.name: domain for domain in table.domains}


def _is_kept(before: Domain | None, after: Domain | None) -> bool:
    return before is not None and after is not None and is_same(before, after)


def _first(domain: Domain, *, init: bool) -> DomainChange:
    """A first apply starts every domain in legacy: nothing is proven yet."""
    at = position(domain)
    refusals: tuple[str, ...] = ()
    if domain.stage is not Stage.LEGACY and not init:
        refusals = (
            (
                f"nothing is in force yet, so a domain starts in stage legacy, not {at.stage};"
                " write stage: legacy, or say --init to take the file's stages as they are"
            ),
        )
    return DomainChange(domain.name, None, at, direction(_START, at), _owns(domain), refusals)


def _change(
    before: Domain | None,
    after: Domain | None,
    judgement: Judgement | None,
    *,
    stores_change: bool,
) -> DomainChange:
    if after is None:
        assert before is not None  # noqa: S101 - one of the two tables names the domain
        at = position(before)
        return DomainChange(before.name, at, None, direction(at, _START))
    if before is None:
        return _newcomer(after)
    here, there = position(before), position(after)
    way = direction(here, there)
    refusals = _refusals(before, after, judgement)
    if way is Direction.FORWARD and here.stage is not Stage.LEGACY and stores_change:
        refusals = (
            *refusals,
            (
                "a store changes in the same plan, and the evidence is about the stores as they"
                " were; apply the stores first"
            ),
        )
    details = domain_details(before, after)
    return DomainChange(after.name, here, there, way, details, refusals, judgement)


def _newcomer(domain: Domain) -> DomainChange:
    at = position(domain)
    way = direction(_START, at)
    refusals: tuple[str, ...] = ()
    if way is Direction.SKIP:
        refusals = (f"a new domain starts in legacy or shadow, not in {at}",)
    return DomainChange(domain.name, None, at, way, _owns(domain), refusals)


def _owns(domain: Domain) -> tuple[str, ...]:
    shown = ", ".join(route.name for route in domain.routes[:_SHOWN])
    more = len(domain.routes) - _SHOWN
    return (f"takes {shown}" + (f" and {more} more routes" if more > 0 else ""),)


def _refusals(before: Domain, after: Domain, judgement: Judgement | None) -> tuple[str, ...]:
    here, there = position(before), position(after)
    way = direction(here, there)
    if here.writes_stay and there.stage is Stage.RETIRED:
        return ("its writes are still legacy's; take writes_to out in core first",)
    if way is Direction.SKIP:
        between = " -> ".join(_between(here.stage, there.stage))
        return (f"one stage at a time: {between}; write the next one first",)
    found: list[str] = []
    added, removed = routes_added(before, after), routes_removed(before, after)
    if way is Direction.FORWARD and (added or removed):
        found.append("its routes change in the same plan as its stage; apply the routes first")
    if added and there.stage in SERVING and not after.ungated and way is not Direction.FORWARD:
        found.append(
            f"{added[0]} would be answered by the core without ever having been compared;"
            " give it a domain of its own, or go back to shadow to add it"
        )
    if needs_evidence(here, there):
        found += _gate_refusals(before, after, judgement)
    return tuple(found)


def _gate_refusals(before: Domain, after: Domain, judgement: Judgement | None) -> tuple[str, ...]:
    if not gates_asked(before, after):
        if after.ungated:
            return ()
        return (
            (
                "no parity gate is set; add gates: {parity: {min: 99.9%, samples: 3000}},"
                " or write gates: {} to step without proof"
            ),
        )
    if judgement is None:
        return ("its parity gate was not judged",)
    if judgement.verdict is Verdict.PASS:
        return ()
    word = "fails" if judgement.verdict is Verdict.FAIL else "is inconclusive"
    return tuple(f"parity gate {word}: {sentence}" for sentence in judgement.sentences)


def _between(here: Stage, there: Stage) -> tuple[str, ...]:
    stages = tuple(Stage)
    return stages[stages.index(here) : stages.index(there) + 1]
