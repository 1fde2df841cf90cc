"""One domain as a card: stage, parity, gate, next step, accounting, latency, groups."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cutover.api.accounting import AccountingLine, accounting_line
from cutover.api.approvalview import ApprovalsView, waits_for
from cutover.api.charts import floor_of
from cutover.api.courses import by_itself, held_back
from cutover.api.dots import Pair
from cutover.api.figures import count, milliseconds, plain_percent, share_of_bp, small_share
from cutover.api.grouplist import Badge, badge_of
from cutover.api.judgement import (
    GateLine,
    Light,
    ParityLine,
    gate_line,
    next_step,
    parity_line,
)
from cutover.api.readings import Facts, Reading
from cutover.core.stages import position
from cutover.core.strata import worst_asked
from proxy.routing import BASIS_POINTS, Domain, Stage
from shadow_compare.core.evidence import (
    DomainEvidence,
    DomainReading,
    Latency,
    MismatchGroup,
    TrendPoint,
)

_LADDER = tuple(Stage)
_MIRRORED = (Stage.SHADOW, Stage.CANARY, Stage.CORE)
_URGENCY = {Light.FAIL: 0, Light.PASS: 2, Light.INCONCLUSIVE: 3, Light.OFF: 4}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the track; `place` is past, here or ahead."""

    stage: str
    place: str
    words: str


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One side's answer times as text, in the order of the table's columns."""

    side: str
    role: str
    cells: tuple[str, str, str]
    answers: str


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A mismatch group in a list."""

    fingerprint: str
    title: str
    route: str
    times: str
    share: str
    first_seen_s: float
    last_seen_s: float
    badge: Badge


@dataclass(frozen=True, slots=True)
class Card:
    """What one domain's card shows.

    Attributes:
        anchor: id of the card's element, safe in HTML and CSS for any name.
        urgency: 0 needs a person most.
        attention: what a person is needed for; "" when for nothing.
        evidence_problem: why the figures are not fresh; None when they are.
        evidence: the raw figures behind the words, for the JSON twin; two cards are equal
            when they read the same.
        evidence_as_of_s: when figures that are not fresh were read; None for fresh ones.
    """

    name: str
    anchor: str
    owner: str
    stage: Stage
    stage_words: str
    steps: tuple[Step, ...]
    split: str
    parity: ParityLine | None
    gate: GateLine
    next_step: str
    gate_aside: tuple[str, ...]
    by_itself: tuple[str, ...]
    accounting: AccountingLine | None
    latency: tuple[LatencyRow, ...]
    latency_words: str
    latency_pairs: tuple[Pair, ...]
    groups: tuple[GroupLine, ...]
    trend: tuple[TrendPoint, ...]
    trend_floor: str
    epoch: str
    epoch_since_s: float | None
    unseen: tuple[str, ...]
    urgency: int
    attention: str
    evidence_problem: str | None
    evidence_as_of_s: float | None
    core_share_bp: int
    evidence: DomainEvidence | None = field(compare=False)
    latency_raw: tuple[Latency, ...] = field(compare=False)
    groups_raw: tuple[MismatchGroup, ...] = field(compare=False)


def anchor_of(name: str) -> str:
    """An element id for a domain, whatever its name holds."""
    return "d-" + hashlib.blake2b(name.encode(), digest_size=6).hexdigest()


def card_of(domain: Domain, facts: Facts, approvals: ApprovalsView | None = None) -> Card:
    """Decide what a domain's card says. Without `approvals` the ledger was not asked."""
    reading: Reading[DomainReading] = facts.domains.get(domain.name, Reading())
    known = reading.value
    evidence = known.evidence if known else None
    groups = known.groups if known else ()
    gate = gate_line(
        domain, None if reading.problem else evidence, groups, reading.problem or "no answer yet"
    )
    account = _account(domain, known)
    attention = _attention(gate, account)
    latency = in_order(known.latency) if known else ()
    trend = known.trend if known else ()
    step = next_step(domain, gate, waits_for(domain, approvals))
    return Card(
        name=domain.name,
        anchor=anchor_of(domain.name),
        owner=domain.owner,
        stage=domain.stage,
        stage_words=_stage_words(domain),
        steps=track(domain),
        split=_split(domain, facts),
        parity=_parity(domain, evidence) if evidence else None,
        gate=gate,
        next_step=step,
        gate_aside=(
            *(sentence for sentence in gate.sentences if sentence not in step),
            *held_back(domain, facts.now_s),
        ),
        by_itself=by_itself(domain, facts.courses.get(domain.name), facts.now_s),
        accounting=account,
        latency=tuple(latency_row(entry) for entry in latency),
        latency_words=latency_words(latency),
        latency_pairs=latency_pairs(latency),
        groups=tuple(group_line(group) for group in groups),
        trend=trend,
        trend_floor=plain_percent(floor_of(trend)) if trend else "",
        epoch=evidence.epoch if evidence else "",
        epoch_since_s=evidence.epoch_since_s if evidence else None,
        unseen=evidence.unseen if evidence else (),
        urgency=1 if attention and gate.light is not Light.FAIL else _URGENCY[gate.light],
        attention=attention,
        evidence_problem=reading.problem,
        evidence_as_of_s=reading.as_of_s if reading.problem else None,
        core_share_bp=domain.core_share_bp,
        evidence=evidence,
        latency_raw=latency,
        groups_raw=groups,
    )


def _parity(domain: Domain, evidence: DomainEvidence) -> ParityLine:
    gate = None if domain.stage is Stage.LEGACY else domain.parity_gate
    if gate is None:
        return parity_line(evidence.overall, None)
    routes = {route.name for route in domain.routes}
    worst = worst_asked(gate, routes, evidence.overall, evidence.strata)
    return parity_line(evidence.overall, gate, worst)


def track(domain: Domain) -> tuple[Step, ...]:
    """The five stages with the domain's place among them."""
    here = _LADDER.index(domain.stage)
    return tuple(
        Step(
            stage,
            "past" if index < here else "here" if index == here else "ahead",
            _stage_words(domain) if index == here else stage.value,
        )
        for index, stage in enumerate(_LADDER)
    )


def _stage_words(domain: Domain) -> str:
    # Short, since at 400 px nothing is left of the words of the stages beside it.
    reads = " (reads)" if position(domain).writes_stay else ""
    if domain.stage is Stage.CANARY:
        return f"canary {share_of_bp(domain.core_share_bp)}{reads}"
    return f"{domain.stage.value}{reads}"


def _split(domain: Domain, facts: Facts) -> str:
    share = share_of_bp(domain.core_share_bp)
    rest = share_of_bp(BASIS_POINTS - domain.core_share_bp)
    sentence = {
        Stage.LEGACY: "Legacy answers every shopper; the new core is not asked.",
        Stage.SHADOW: "Legacy answers every shopper; the new core is asked too.",
        Stage.CANARY: f"The new core answers {share} of shoppers, legacy {rest}.",
        Stage.CORE: "The new core answers every shopper; legacy is asked too.",
        Stage.RETIRED: "The new core answers every shopper; legacy is retired.",
    }[domain.stage]
    if domain.stage is Stage.CANARY and domain.pilots:
        sentence = sentence[:-1] + "; pilots get the new core."
    if position(domain).writes_stay:
        sentence += " Writes go to legacy."
    proxy = facts.proxy.value
    answered = (
        {s: proxy.answered.get((domain.name, s), 0) for s in ("legacy", "core")} if proxy else {}
    )
    if sum(answered.values()):
        sentence += (
            f" Answered so far: {count(answered['legacy'])} by legacy, "
            f"{count(answered['core'])} by the core."
        )
    return sentence


def _account(domain: Domain, known: DomainReading | None) -> AccountingLine | None:
    if known is None:
        return None
    account = known.evidence.accounting
    if not account.mirrored and domain.stage not in _MIRRORED:
        return None
    return accounting_line(account)


def _attention(gate: GateLine, account: AccountingLine | None) -> str:
    if account and not account.balanced:
        return f"shadow accounting does not add up: {account.sentence}."
    return f"{gate.sentences[0]}." if gate.light is Light.FAIL else ""


def in_order(entries: Sequence[Latency]) -> tuple[Latency, ...]:
    """Legacy before the core, live before shadow."""
    return tuple(sorted(entries, key=lambda entry: (entry.side != "legacy", entry.role)))


def latency_row(entry: Latency) -> LatencyRow:
    """One line of the latency table."""
    cells = (milliseconds(entry.p50_ms), milliseconds(entry.p95_ms), milliseconds(entry.p99_ms))
    return LatencyRow(entry.side, entry.role, cells, count(entry.count))


def latency_pairs(entries: Sequence[Latency]) -> tuple[Pair, ...]:
    """Both sides at each percentile; of a side's roles the one with more answers."""
    best = _by_side(entries)
    legacy, core = best.get("legacy"), best.get("core")
    if legacy is None and core is None:
        return ()
    return tuple(
        Pair(
            words,
            getattr(legacy, field) if legacy else None,
            getattr(core, field) if core else None,
        )
        for words, field in (("p50", "p50_ms"), ("p95", "p95_ms"), ("p99", "p99_ms"))
    )


def latency_words(entries: Sequence[Latency]) -> str:
    """The difference named, at the 95th percentile; "" unless both sides have figures."""
    best = _by_side(entries)
    if set(best) < {"legacy", "core"}:
        return ""
    gap_ms = best["core"].p95_ms - best["legacy"].p95_ms
    if abs(gap_ms) < 0.05 * best["legacy"].p95_ms:
        return "Both sides are equally fast at p95."
    verb = "slower" if gap_ms > 0 else "faster"
    return f"The new core is {milliseconds(abs(gap_ms))} {verb} than legacy at p95."


def _by_side(entries: Sequence[Latency]) -> dict[str, Latency]:
    best: dict[str, Latency] = {}
    for entry in entries:
        if entry.count and (entry.side not in best or best[entry.side].count < entry.count):
            best[entry.side] = entry
    return best


def group_line(group: MismatchGroup) -> GroupLine:
    """One line of the list of groups."""
    return GroupLine(
        fingerprint=group.fingerprint,
        title=group.title,
        route=group.route,
        times=count(group.count),
        share=small_share(group.share_ppm),
        first_seen_s=group.first_seen_s,
        last_seen_s=group.last_seen_s,
        badge=badge_of(group.life),
    )
