"""A domain's own page: the card, and what stands behind each of its figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from cutover.api.approvalview import ApprovalsView
from cutover.api.card import Card, card_of
from cutover.api.charts import Mark
from cutover.api.figures import count, plain_percent, share_of_bp
from cutover.api.governanceview import GovernanceView, governance_view
from cutover.api.healthview import HealthView, health_view
from cutover.api.judgement import ParityLine, parity_line
from cutover.api.readings import Facts, RevisionLine
from cutover.api.stratarows import StrataView, strata_view
from proxy.routing import Domain
from shadow_compare.core.evidence import Parity, TrendPoint


@dataclass(frozen=True, slots=True)
class RouteRow:
    """Parity of one route; `parity` is None for a route nothing was compared on."""

    name: str
    parity: ParityLine | None
    compared: str
    mismatched: str
    accepted: str
    uncompared: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """An accepted difference and who answers for it."""

    path: str
    accept: str
    owner: str
    reason: str
    expires: str
    routes: str


@dataclass(frozen=True, slots=True)
class DomainPage:
    """All of one domain. `history` is newest first."""

    card: Card
    now_s: float
    strata: StrataView
    routes: tuple[RouteRow, ...]
    rules: tuple[RuleRow, ...]
    marks: tuple[Mark, ...]
    gate_ppm: int | None
    gate_words: str
    policy: str
    history: tuple[RevisionLine, ...]
    revision: str
    health: HealthView
    approvals: ApprovalsView
    governance: GovernanceView


def domain_page(domain: Domain, facts: Facts, approvals: ApprovalsView | None = None) -> DomainPage:
    """Decide what a domain's page says."""
    card = card_of(domain, facts, approvals)
    history = about(domain.name, facts.revisions.value or ())
    gate = domain.parity_gate
    reading = facts.domains.get(domain.name)
    known = reading.value if reading else None
    return DomainPage(
        card=card,
        now_s=facts.now_s,
        strata=strata_view(domain, known.evidence if known else None),
        routes=_routes(domain, known.evidence.routes if known else (), known is not None),
        rules=tuple(
            RuleRow(
                rule.path, rule.accept.value.replace("_", " "), rule.owner, rule.reason,
                rule.expires.isoformat(), ", ".join(rule.routes) or "all routes",
            )
            for rule in domain.compare.rules
        ),
        marks=_marks(card.trend, history),
        gate_ppm=gate.min_ppm if gate else None,
        gate_words=_gate_words(domain),
        policy=_policy(domain),
        history=history,
        revision=facts.table.value.revision if facts.table.value else "",
        health=health_view(domain, facts.health, facts.order_routes),
        approvals=approvals or ApprovalsView(),
        governance=governance_view(domain, datetime.fromtimestamp(facts.now_s, UTC).date()),
    )  # fmt: skip


def about(domain: str, revisions: Sequence[RevisionLine]) -> tuple[RevisionLine, ...]:
    """The revisions that name a domain, with only the changes that do."""
    named = re.compile(rf"(?<![\w-]){re.escape(domain)}(?![\w-])")
    found = []
    for line in revisions:
        changes = tuple(change for change in line.changes if named.search(change))
        if changes:
            found.append(
                RevisionLine(line.n, line.at_s, line.actor, line.kind, line.reason, changes)
            )
    return tuple(found)


def _routes(domain: Domain, parities: Sequence[Parity], known: bool) -> tuple[RouteRow, ...]:
    rows = [_route(parity) for parity in parities]
    seen = {parity.route for parity in parities}
    if known:
        rows += [
            RouteRow(route.name, None, "0", "0", "0", "0")
            for route in domain.routes
            if route.name not in seen
        ]
    return tuple(rows)


def _route(parity: Parity) -> RouteRow:
    return RouteRow(
        name=parity.route or "",
        parity=parity_line(parity, None),  # the gate asks of the domain, not of each route
        compared=count(parity.compared),
        mismatched=count(parity.mismatched),
        accepted=count(parity.accepted),
        uncompared=count(parity.incomparable + parity.broken),
    )


def _marks(trend: Sequence[TrendPoint], history: Sequence[RevisionLine]) -> tuple[Mark, ...]:
    """Changes of epoch and of the table, in the order in which they happened.

    A change of the table is labelled by its number alone: its words stand beside the same
    number below the chart, and would run into each other inside it.
    """
    marks = [
        Mark(now.at_s, "new epoch") for before, now in pairwise(trend) if before.epoch != now.epoch
    ]
    marks += [Mark(line.at_s, str(line.n)) for line in history]
    return tuple(sorted(marks, key=lambda mark: mark.at_s))


def _gate_words(domain: Domain) -> str:
    gate = domain.parity_gate
    if gate is None:
        return "No parity gate is set."
    return (
        f"At least {plain_percent(gate.min_ppm)} equal, {plain_percent(gate.confidence_bp * 100)} "
        f"sure, from {count(gate.samples)} samples or more, and as much of each stratum with "
        f"{plain_percent(gate.min_weight_ppm)} of them; at most "
        f"{plain_percent(gate.max_loss_ppm)} of mirrored exchanges lost."
    )


def _policy(domain: Domain) -> str:
    shadow = domain.shadow
    twice = f", {share_of_bp(shadow.noise_bp)} of those asked twice" if shadow.noise_bp else ""
    sample = share_of_bp(shadow.sample_bp)
    return f"Mirrored: {sample} of reads{twice}; writes: {shadow.writes.value}."
