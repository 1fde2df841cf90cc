"""The parity gate: what the evidence is worth, and what would turn the gate green."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from proxy.routing import PPM, Domain, ParityGate
from shadow_compare.core.confidence import lower_bound_ppm
from shadow_compare.core.evidence import DomainEvidence, MismatchGroup, Parity

#: A backlog larger than this hides what it holds: those frames may be anything.
MAX_PENDING_PPM = 100_000
_MORE_AT_MOST = 10_000_000
_SHOWN = 3


class Verdict(StrEnum):
    """Inconclusive is not pass: it holds a step back as fail does."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Findings:
    """What was read of one domain before its gate is judged.

    Attributes:
        evidence: None when it could not be read.
        groups: current mismatch groups, greatest first.
        problem: why it could not be read.
    """

    evidence: DomainEvidence | None
    groups: Sequence[MismatchGroup] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A gate's answer.

    Attributes:
        sentences: what holds the gate back and what would make it pass; for a pass, what
            was shown. Never empty.
        compared: comparisons of this epoch.
        lower_ppm: the bound that was judged.
        min_ppm: the bound that was asked for.
    """

    verdict: Verdict
    sentences: tuple[str, ...]
    compared: int = 0
    lower_ppm: int = 0
    min_ppm: int = 0
    confidence_bp: int = 0


def judge(gates: Sequence[ParityGate], domain: Domain, findings: Findings) -> Judgement:
    """Judge a domain by every gate asked; the hardest answer counts.

    `domain` is the domain as it is to be: its routes are those that must have been seen.
    """
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
    equal = parity.matched + parity.accepted
    lower_ppm = lower_bound_ppm(equal, parity.compared, gate.confidence_bp)
    fails = [
        *_loss(gate, evidence),
        *_unreadable(gate, parity),
        *_unequal(gate, parity, lower_ppm, groups),
        *_worst_routes(gate, domain, evidence),
    ]
    waits = [
        *_too_few(gate, parity, lower_ppm, evidence),
        *_unseen(domain, evidence),
        *_backlog(evidence),
    ]
    verdict = Verdict.FAIL if fails else Verdict.INCONCLUSIVE if waits else Verdict.PASS
    shown = (
        (
            f"at least {percent(lower_ppm)} equal, {percent(gate.min_ppm)} asked"
            f" ({percent(gate.confidence_bp * 100)} sure, {parity.compared:,} comparisons)"
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


def _loss(gate: ParityGate, evidence: DomainEvidence) -> list[str]:
    books = evidence.accounting
    settled = books.mirrored - books.pending
    if settled <= 0 or books.lost * PPM <= gate.max_loss_ppm * settled:
        return []
    worst = max(books.losses, key=lambda reason: books.losses[reason])
    way_out = "raise gates.parity.loss"
    if gate.max_loss_ppm:
        clean = -(-books.lost * PPM // gate.max_loss_ppm) - settled
        way_out = f"{clean:,} more without a loss would do, or a larger gates.parity.loss"
    return [
        (
            f"{percent(books.lost * PPM // settled)} of mirrored exchanges were not compared,"
            f" allowed {percent(gate.max_loss_ppm)}"
            f" (most of them {worst}: {books.losses[worst]:,}); {way_out}"
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
    gate: ParityGate, parity: Parity, lower_ppm: int, groups: Sequence[MismatchGroup]
) -> list[str]:
    """Fails when equal answers alone cannot help: even if all up to the count asked were."""
    total = max(parity.compared, gate.samples)
    if parity.mismatched * PPM <= (PPM - gate.min_ppm) * total:
        return []
    found = f"{parity.mismatched:,} mismatches"
    if groups:
        plural = "group" if len(groups) == 1 else "groups"
        title = groups[0].title.rstrip(".")
        found = f"{len(groups)} mismatch {plural}, largest: {title} ({groups[0].count:,} times)"
    return [
        (
            f"lower bound {percent(lower_ppm)} is below {percent(gate.min_ppm)}; {found};"
            " mend them, or accept them by rules and apply those first"
        )
    ]


def _worst_routes(gate: ParityGate, domain: Domain, evidence: DomainEvidence) -> list[str]:
    """A rare route that is often wrong must not hide behind a busy one that is right."""
    names = {route.name for route in domain.routes}
    bad = [
        found
        for found in evidence.routes
        if found.route in names
        and found.ratio_ppm is not None
        and found.ratio_ppm < gate.min_ppm
        and found.compared < evidence.overall.compared
    ]
    return [
        f"route {found.route} is {percent(found.ratio_ppm or 0)} equal in"
        f" {found.compared:,} comparisons, below {percent(gate.min_ppm)}"
        for found in bad[:_SHOWN]
    ]


def _too_few(
    gate: ParityGate, parity: Parity, lower_ppm: int, evidence: DomainEvidence
) -> list[str]:
    if parity.compared < gate.samples:
        missing = gate.samples - parity.compared
        silent = evidence.heartbeat_s is None
        hint = "; the comparer has not reported yet, is banyan compare running?" if silent else ""
        return [
            f"needs {missing:,} more comparisons ({parity.compared:,} of {gate.samples:,}){hint}"
        ]
    if lower_ppm >= gate.min_ppm:
        return []
    return [
        (
            f"lower bound {percent(lower_ppm)} is below {percent(gate.min_ppm)};"
            f" needs {_more_needed(gate, parity):,} more comparisons, all equal"
        )
    ]


def _more_needed(gate: ParityGate, parity: Parity) -> int:
    """Equal comparisons that would lift the bound to the mark, found by halving."""
    equal, compared = parity.matched + parity.accepted, parity.compared

    def is_enough(more: int) -> bool:
        return lower_bound_ppm(equal + more, compared + more, gate.confidence_bp) >= gate.min_ppm

    low, high = 0, _MORE_AT_MOST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low


def _unseen(domain: Domain, evidence: DomainEvidence) -> list[str]:
    """Routes of safe methods that nothing was compared on; others are never mirrored."""
    unseen = [
        route.name
        for route in domain.routes
        if route.name in evidence.unseen and {"GET", "HEAD"} & set(route.methods)
    ]
    more = f" and {len(unseen) - _SHOWN:,} more" if len(unseen) > _SHOWN else ""
    return [f"route {', '.join(unseen[:_SHOWN])}{more} never compared"] if unseen else []


def _backlog(evidence: DomainEvidence) -> list[str]:
    books = evidence.accounting
    if books.pending * PPM <= MAX_PENDING_PPM * books.mirrored:
        return []
    return [f"{books.pending:,} of {books.mirrored:,} mirrored exchanges still wait to be compared"]


def percent(ppm: int) -> str:
    """Parts per million as a percentage without needless digits: 999_000 is "99.9 %"."""
    return f"{ppm / 10_000:.4f}".rstrip("0").rstrip(".") + " %"
