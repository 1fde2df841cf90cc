"""Rules that drift asks for, and whether drift bears out the rules there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from proxy.routing.jsonpath import StepKind, parse_json_path
from proxy.routing.model import Accept, CompareRule
from shadow_compare.core.drift import BETWEEN, SURVEYED, Drift, Nature, merged
from shadow_compare.core.rules import RuleState, compile_rules

# A bound has room for what the sample did not show, and is a number that people read.
_STEPS = tuple(map(Decimal, (1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600)))
_ROOM = 2

#: Kinds after which two different values count as equal. The others compare the value, only
#: written differently, and need no drift to be right.
SILENCING = frozenset((Accept.ANY, Accept.TIMESTAMP, Accept.UUID, Accept.UNORDERED, Accept.NUMBER))


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule that calibration proposes, and why.

    Attributes:
        within: bound for a timestamp (seconds) or a number; None where there is none.
        routes: names of the routes on which the field moved.
        evidence: in words: how often it moved, on which side, by how much.
        is_last_resort: nothing states what moves; the rule blinds the field.
    """

    path: str
    accept: Accept
    within: Decimal | None
    routes: tuple[str, ...]
    evidence: str
    is_last_resort: bool
    samples: tuple[tuple[str | None, str | None], ...]

    @property
    def bound(self) -> str | None:
        """The bound as a routing file writes it: a duration for times, else a number."""
        if self.within is None:
            return None
        unit = "s" if self.accept is Accept.TIMESTAMP else ""
        return f"{self.within.normalize():f}{unit}"


class Standing(StrEnum):
    """What drift says of a rule.

    justified: the field moves by itself, as the rule says. systematic: it does not, but
    the sides differ there in the way that the rule states. unproven: nothing was seen of
    it. refused: it silences what does not move, or more than what moves.
    """

    JUSTIFIED = "justified"
    SYSTEMATIC = "systematic"
    UNPROVEN = "unproven"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Justification:
    """A rule's standing, and why in one sentence."""

    rule: CompareRule
    standing: Standing
    why: str


def proposals(drifts: Iterable[Drift]) -> tuple[Proposal, ...]:
    """One rule for each field that moved by itself, the most specific path each.

    A field below one that was lost or came as a whole is covered by that one's rule. What
    is no field (status, headers, a text) can have no rule and is left out.
    """
    by_pattern: dict[str, list[Drift]] = {}
    for (_, pattern), sides in merged(drifts).items():
        if pattern.startswith("$"):
            by_pattern.setdefault(pattern, []).extend(sides)
    return tuple(_proposal(pattern, found) for pattern, found in sorted(by_pattern.items()))


def unrulable(drifts: Iterable[Drift]) -> tuple[Drift, ...]:
    """What moved and is no field of a document: no rule can accept it."""
    return tuple(
        one
        for (_, pattern), sides in merged(drifts).items()
        if not pattern.startswith("$")
        for one in sides
    )


def _proposal(pattern: str, found: Sequence[Drift]) -> Proposal:
    natures = {one.nature for one in found}
    nature = natures.pop() if len(natures) == 1 else Nature.OTHER
    reach = max((one.bound for one in found if one.bound is not None), default=None)
    within = None
    if nature in (Nature.TIMESTAMP, Nature.NUMBER) and reach is not None:
        within = room_for(reach, nature)
    return Proposal(
        path=pattern,
        accept=nature.accept,
        within=within,
        routes=tuple(sorted({one.route for one in found})),
        evidence=_evidence(found, nature, reach),
        is_last_resort=nature is Nature.OTHER,
        samples=tuple(sample for one in found for sample in one.samples),
    )


def room_for(reach: Decimal, nature: Nature) -> Decimal:
    """A bound somewhat above the greatest difference that was seen."""
    wide = reach * _ROOM
    if nature is Nature.NUMBER:
        return wide
    fitting = (step for step in _STEPS if step >= wide)
    return next(fitting, (wide / 3_600).to_integral_value(ROUND_CEILING) * 3_600)


def _evidence(found: Sequence[Drift], nature: Nature, reach: Decimal | None) -> str:
    told = []
    for side in sorted({one.side for one in found}):
        own = [one for one in found if one.side == side]
        drifted, pairs = sum(one.drifted for one in own), sum(one.pairs for one in own)
        told.append(f"{side} moved in {drifted} of {pairs} pairs")
    text = ", ".join(told)
    if nature is Nature.TIMESTAMP and reach is not None:
        text += f", by {reach.normalize():f} s at most"
    if nature is Nature.NUMBER and reach is not None:
        text += f", by {reach.normalize():f} at most"
    return text


def justify(
    rule: CompareRule, route_names: Iterable[str], drifts: Sequence[Drift]
) -> Justification:
    """Whether what was seen bears out a rule.

    Args:
        rule: one that is in force, or is to be.
        route_names: names of the routes on which it holds.
        drifts: of both sides, and what stood between them in recorded pairs.
    """
    names = set(route_names)
    own = [one for one in drifts if one.route in names]
    if rule.accept not in SILENCING:
        return Justification(rule, Standing.JUSTIFIED, "it compares the value, written otherwise")
    surveyed = sum(one.pairs for one in own if one.pattern == SURVEYED and one.side != BETWEEN)
    hit = [one for one in own if one.pattern != SURVEYED and covers(rule, one)]
    moved = [one for one in hit if one.side != BETWEEN]
    if moved:
        return _moved(rule, moved)
    apart = [one for one in hit if one.side == BETWEEN]
    if apart and rule.accept is not Accept.ANY:
        drifted, pairs = sum(one.drifted for one in apart), sum(one.pairs for one in apart)
        why = f"it does not move by itself; the sides differ so in {drifted} of {pairs} pairs"
        return Justification(rule, Standing.SYSTEMATIC, why)
    if not surveyed:
        why = "nobody has calibrated its routes: banyan calibrate"
        return Justification(rule, Standing.UNPROVEN, why)
    why = f"the field did not move in {surveyed} pairs"
    if apart:
        why += "; what the sides differ in there is to be mended, or stated by a narrower kind"
    return Justification(rule, Standing.REFUSED, why)


def _moved(rule: CompareRule, moved: Sequence[Drift]) -> Justification:
    natures = {one.nature for one in moved}
    exact = {one.pattern for one in moved} == {rule.path}
    evidence = _evidence(moved, Nature.OTHER, None)
    if rule.accept is Accept.ANY and Nature.OTHER not in natures and exact:
        narrow = ", ".join(sorted(natures))
        why = f"it blinds the field, and {narrow} explains all that moved ({evidence})"
        return Justification(rule, Standing.REFUSED, why)
    reach = max((one.bound for one in moved if one.bound is not None), default=None)
    within = rule.terms.within
    if within is not None and reach is not None and within < reach:
        evidence += f", by up to {reach.normalize():f}, more than the rule forgives"
    elif within is None and rule.accept is Accept.TIMESTAMP and reach is not None:
        evidence += f", by {reach.normalize():f} s at most: state it with within"
    return Justification(rule, Standing.JUSTIFIED, evidence)


def covers(rule: CompareRule, drift: Drift) -> bool:
    """Whether the rule would accept this drift: at its place, and of its nature."""
    if not drift.pattern.startswith("$"):
        return False
    state = compile_rules([rule])
    if rule.accept is Accept.ANY and state.accepts(Accept.ANY):
        return True
    for step in parse_json_path(drift.pattern):
        state = _below(state, step.kind, step.name)
        if rule.accept is Accept.ANY and state.accepts(Accept.ANY):
            return True
    return state.accepts(rule.accept) is not None and drift.nature.accept is rule.accept


def _below(state: RuleState, kind: StepKind, name: str) -> RuleState:
    return state.element() if kind is StepKind.EVERY else state.member(name)
