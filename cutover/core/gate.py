"""The parity gate: what the evidence is worth, and what would turn the gate green."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cutover.core.strata import Rest, Verdict, Weighed, rest_of, verdict_of, weigh
from proxy.routing import PPM, Domain, ParityGate
from shadow_compare.core.anytime import Bounds, anytime_bounds_ppm, more_needed
from shadow_compare.core.evidence import Answered, DomainEvidence, Latency, MismatchGroup, Parity
from shadow_compare.core.words import OTHER_RELEASE, stratum_words

__all__ = ["Findings", "Judgement", "Verdict", "judge", "percent"]

#: A backlog larger than this hides what it holds: those frames may be anything.
MAX_PENDING_PPM = 100_000
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Findings:
    """What was read of one domain before its gate is judged.

    Attributes:
        evidence: None when it could not be read.
        groups: current mismatch groups, greatest first.
        problem: why it could not be read.
        latencies: how long both sides took lately; read where a gate asks.
        answered: how often they answered and failed lately; likewise.
    """

    evidence: DomainEvidence | None
    groups: Sequence[MismatchGroup] = ()
    problem: str = ""
    latencies: Sequence[Latency] = ()
    answered: Sequence[Answered] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A gate's answer.

    Attributes:
        sentences: what holds the gate back and what would make it pass; for a pass, what
            was shown. Never empty.
        compared: comparisons of this epoch.
        lower_ppm: the worst lower bound that was judged: the whole domain's, or that of a
            stratum that had to show parity by itself.
        min_ppm: the bound that was asked for.
    """

    verdict: Verdict
    sentences: tuple[str, ...]
    compared: int = 0
    lower_ppm: int = 0
    min_ppm: int = 0
    confidence_bp: int = 0


def judge(gates: Sequence[ParityGate], domain: Domain, findings: Findings) -> Judgement:
    """Judge a domain by all of its evidence at once: by parity and by coverage.

    `domain` is the domain as it is to be: its routes are those that must have been seen.
    """
    parity = judge_parity(gates, domain, findings)
    unseen = unseen_words(unseen_routes(domain, findings.evidence))
    if not unseen:
        return parity
    if parity.verdict is Verdict.PASS:
        return replace(parity, verdict=Verdict.INCONCLUSIVE, sentences=(unseen,))
    return replace(parity, sentences=(*parity.sentences, unseen))


def judge_parity(gates: Sequence[ParityGate], domain: Domain, findings: Findings) -> Judgement:
    """Judge how equal the answers were, by every gate asked; the hardest answer counts."""
    evidence = findings.evidence
    if evidence is None:
        return Judgement(
            Verdict.INCONCLUSIVE,
            (f"the evidence cannot be read: {findings.problem or 'no answer'}",),
        )
    answers = [_judge_one(gate, domain, evidence, findings.groups) for gate in gates]
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS):
        for answer in answers:
            if answer.verdict is verdict:
                return answer
    raise ValueError("no gate to judge by")


def _judge_one(
    gate: ParityGate,
    domain: Domain,
    evidence: DomainEvidence,
    groups: Sequence[MismatchGroup],
) -> Judgement:
    parity = evidence.overall
    equal = parity.samples - parity.unequal
    bounds = anytime_bounds_ppm(equal, parity.samples, gate.confidence_bp)
    weighed = weigh(gate, {route.name for route in domain.routes}, evidence.strata)
    rest = rest_of(gate, weighed)
    fails = [
        *_loss(gate, evidence),
        *_unreadable(gate, parity),
        *_unequal(gate, parity, bounds, groups),
        *_strata(gate, weighed, rest, Verdict.FAIL),
    ]
    waits = [
        *_too_few(gate, parity, bounds, evidence),
        *_strata(gate, weighed, rest, Verdict.INCONCLUSIVE),
        *(() if fails else _repeated(gate, parity, weighed)),
        *_backlog(evidence),
    ]
    verdict = Verdict.FAIL if fails else Verdict.INCONCLUSIVE if waits else Verdict.PASS
    asked = [one.bounds.lower_ppm for one in (*weighed, rest) if one and one.verdict]
    lower_ppm = min([bounds.lower_ppm, *asked])
    shown = (
        (
            f"at least {percent(lower_ppm)} equal, {percent(gate.min_ppm)} asked"
            f" ({percent(gate.confidence_bp * 100)} sure, {parity.samples:,} samples"
            f"{_worst_of(len(asked))})"
        ),
    )
    return Judgement(
        verdict,
        (*fails, *waits) or shown,
        parity.compared,
        lower_ppm,
        gate.min_ppm,
        gate.confidence_bp,
    )


def _worst_of(strata: int) -> str:
    return f", the worst of {strata} strata" if strata > 1 else ""


def _loss(gate: ParityGate, evidence: DomainEvidence) -> list[str]:
    books = evidence.accounting
    # What was waiting when a release came says nothing of it, and could not: it is no gap in
    # what is known of the release that is judged.
    losses = {reason: n for reason, n in books.losses.items() if reason != OTHER_RELEASE}
    lost = sum(losses.values())
    settled = books.mirrored - books.pending - books.losses.get(OTHER_RELEASE, 0)
    if settled <= 0 or lost * PPM <= gate.max_loss_ppm * settled:
        return []
    worst = max(losses, key=lambda reason: losses[reason])
    way_out = "raise gates.parity.loss"
    if gate.max_loss_ppm:
        clean = -(-lost * PPM // gate.max_loss_ppm) - settled
        way_out = f"{clean:,} more without a loss would do, or a larger gates.parity.loss"
    return [
        (
            f"{percent(lost * PPM // settled)} of mirrored exchanges were not compared,"
            f" allowed {percent(gate.max_loss_ppm)}"
            f" (most of them {worst}: {losses[worst]:,}); {way_out}"
        )
    ]


def _unreadable(gate: ParityGate, parity: Parity) -> list[str]:
    unread = parity.incomparable + parity.broken
    judged = parity.compared + unread
    if not unread or unread * PPM <= gate.max_loss_ppm * judged:
        return []
    return [
        (
            f"{unread:,} of {judged:,} answers could not be compared"
            f" ({parity.incomparable:,} unreadable, {parity.broken:,} broken rules),"
            f" allowed {percent(gate.max_loss_ppm)}; see: banyan mismatches"
        )
    ]


def _unequal(
    gate: ParityGate, parity: Parity, bounds: Bounds, groups: Sequence[MismatchGroup]
) -> list[str]:
    if verdict_of(bounds, gate) is not Verdict.FAIL:
        return []
    found = f"{parity.unequal:,} of {parity.samples:,} samples are unequal"
    if groups:
        plural = "group" if len(groups) == 1 else "groups"
        title = groups[0].title.rstrip(".")
        found = f"{len(groups)} mismatch {plural}, largest: {title} ({groups[0].count:,} times)"
    return [
        (
            f"upper bound {percent(bounds.upper_ppm)} is below {percent(gate.min_ppm)}; {found};"
            " mend them, or accept them by rules and apply those first"
        )
    ]


def _strata(
    gate: ParityGate, weighed: Sequence[Weighed], rest: Rest | None, verdict: Verdict
) -> list[str]:
    """A small crowd that is often wrong must not hide behind a large one that is right."""
    bad = [one for one in weighed if one.verdict is verdict]
    told = [
        f"{stratum_words(one.parity.stratum)}: "
        + _standing(gate, one.bounds, one.parity.samples, one.parity.unequal)
        for one in bad[:_SHOWN]
    ]
    if rest is not None and rest.verdict is verdict:
        told.append(
            f"{rest.strata:,} strata under {percent(gate.min_weight_ppm)} each, together "
            f"{percent(rest.weight_ppm)}: "
            + _standing(gate, rest.bounds, rest.samples, rest.unequal)
        )
    more = len(bad) - _SHOWN
    return [*told, f"{more:,} more strata; see: banyan parity --strata"] if more > 0 else told


def _standing(gate: ParityGate, bounds: Bounds, samples: int, unequal: int) -> str:
    asked = percent(gate.min_ppm)
    if bounds.upper_ppm < gate.min_ppm:
        seen = f"{unequal:,} of {samples:,} samples unequal"
        return f"at most {percent(bounds.upper_ppm)} equal, {asked} asked ({seen})"
    return (
        f"at least {percent(bounds.lower_ppm)} equal, {asked} asked;"
        f" needs {_needed(gate, samples, unequal)}"
    )


def _needed(gate: ParityGate, samples: int, unequal: int) -> str:
    more = more_needed(samples - unequal, samples, gate.min_ppm, gate.confidence_bp)
    return "more samples than can be had" if more is None else f"{more:,} more samples, all equal"


def _repeated(gate: ParityGate, parity: Parity, weighed: Sequence[Weighed]) -> list[str]:
    """Repeats buy no confidence, but what is wrong again and again is wrong."""
    told = []
    places = [("", parity.compared, parity.mismatched)]
    places += [
        (f"{stratum_words(one.parity.stratum)}: ", one.parity.compared, one.parity.mismatched)
        for one in weighed
        if one.parity.compared * PPM >= gate.min_weight_ppm * parity.compared
    ]
    for place, compared, mismatched in places:
        if mismatched * PPM > (PPM - gate.min_ppm) * compared:
            told.append(
                f"{place}{mismatched:,} of {compared:,} comparisons were unequal, allowed"
                f" {percent(PPM - gate.min_ppm)}; few samples, asked again and again"
            )
    return told[:1]


def _too_few(
    gate: ParityGate, parity: Parity, bounds: Bounds, evidence: DomainEvidence
) -> list[str]:
    if parity.samples < gate.samples:
        missing = gate.samples - parity.samples
        silent = evidence.heartbeat_s is None
        hint = "; the comparer has not reported yet, is banyan compare running?" if silent else ""
        return [f"needs {missing:,} more samples ({parity.samples:,} of {gate.samples:,}){hint}"]
    if verdict_of(bounds, gate) is not Verdict.INCONCLUSIVE:
        return []
    return [
        (
            f"lower bound {percent(bounds.lower_ppm)} is below {percent(gate.min_ppm)};"
            f" needs {_needed(gate, parity.samples, parity.unequal)}"
        )
    ]


def readable_routes(domain: Domain) -> tuple[str, ...]:
    """Routes of safe methods; that others are mirrored is not to be expected."""
    safe = {"GET", "HEAD"}
    return tuple(route.name for route in domain.routes if safe & set(route.methods))


def unseen_routes(domain: Domain, evidence: DomainEvidence | None) -> tuple[str, ...]:
    """Those of them that nothing was compared on; none where there is no evidence to ask."""
    unseen = () if evidence is None else evidence.unseen
    return tuple(name for name in readable_routes(domain) if name in unseen)


def unseen_words(unseen: Sequence[str]) -> str:
    """A sentence about routes that nothing was compared on; "" for none."""
    if not unseen:
        return ""
    more = f" and {len(unseen) - _SHOWN:,} more" if len(unseen) > _SHOWN else ""
    routes, each = ("route", "") if len(unseen) == 1 else ("routes", " to each")
    return (
        f"{routes} {', '.join(unseen[:_SHOWN])}{more} never compared; one mirrored request{each}"
        " would do"
    )


def _backlog(evidence: DomainEvidence) -> list[str]:
    books = evidence.accounting
    if books.pending * PPM <= MAX_PENDING_PPM * books.mirrored:
        return []
    return [f"{books.pending:,} of {books.mirrored:,} mirrored exchanges still wait to be compared"]


def percent(ppm: int) -> str:
    """Parts per million as a percentage without needless digits: 999_000 is "99.9 %"."""
    return f"{ppm / 10_000:.4f}".rstrip("0").rstrip(".") + " %"
