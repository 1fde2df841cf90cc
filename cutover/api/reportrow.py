"""One domain in a report: where it stands, on what proof, and whether it can go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cutover.api.card import Card, Step
from cutover.api.datagather import DataFacts
from cutover.api.datajudging import owner_of
from cutover.api.dataview import DataCard, DataView
from cutover.api.figures import counted, minute_time
from cutover.api.gather import CARD_GROUPS
from cutover.api.healthview import HealthView
from cutover.api.judgement import Light, ParityLine
from cutover.api.words import When, Words
from cutover.core.delivery import moves_of
from cutover.core.flip_owners import Owners, Ownership, contradiction
from cutover.core.revision import Told
from cutover.core.stages import ROLLBACK, Direction, Position
from legacy_adapters.ports.flips import Phase
from proxy.routing import Domain, Stage
from shadow_compare.core.evidence import MismatchGroup, TrendPoint
from shadow_compare.core.life import State
from shadow_compare.core.stake import money

_SERVING = (Stage.CANARY, Stage.CORE)
_CLOSED = (State.ACCEPTED, State.FIXED)


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A domain.

    Attributes:
        differences: what is open between both sides, a sentence each, money where it is known.
        rollback: whether it can be taken back, a sentence each.
        blocked: what keeps the next step waiting besides what `next_step` says.
        evidence_problem: why its figures are not fresh; None when they are.
    """

    name: str
    owner: str
    light: Light
    word: str
    stage: str
    steps: tuple[Step, ...]
    split: str
    parity: ParityLine | None
    trend: tuple[TrendPoint, ...]
    differences: tuple[str, ...]
    rollback: tuple[Words, ...]
    next_step: str
    blocked: tuple[str, ...]
    health: HealthView
    evidence_problem: str | None
    evidence_as_of_s: float | None


@dataclass(frozen=True, slots=True)
class Data:
    """What is known of the data half: the facts, and the page that was made of them."""

    facts: DataFacts
    view: DataView

    def owners(self) -> Owners:
        """By routing domain; empty while nothing is known."""
        seen = self.facts.core.value
        if seen is None or not seen.is_installed:
            return {}
        owners: dict[str, Ownership] = {}
        for name in self.facts.names:
            control = owner_of(name, seen)
            is_flipping = control.phase is not Phase.OWNED
            for route in self.facts.routes.get(name, ()):
                owners[route] = Ownership(name, control.owner, is_flipping)
        return owners

    def cards(self, domain: str) -> tuple[DataCard, ...]:
        """The domains of data that flip with a routing domain."""
        routes = self.facts.routes
        return tuple(card for card in self.view.cards if domain in routes.get(card.name, ()))


def last_returns(revisions: Sequence[Told]) -> Mapping[str, Told]:
    """By domain, the last revision that took it back."""
    return {
        move.domain: revision
        for revision in revisions
        for move in moves_of(revision)
        if move.direction is Direction.BACKWARD
    }


def report_row(
    domain: Domain,
    card: Card,
    data: Data | None,
    owners: Owners,
    returned: Told | None,
    health: HealthView,
) -> ReportRow:
    """Decide what a domain's row says.

    Args:
        domain: as the table in force has it.
        card: as the first page shows it.
        data: None where nothing is known of the data half.
        owners: who owns the data behind each domain.
        returned: the last revision that took it back.
        health: of both its sides.
    """
    cards = data.cards(domain.name) if data else ()
    return ReportRow(
        name=card.name,
        owner=card.owner,
        light=card.gate.light,
        word=card.gate.word,
        stage=card.stage_words,
        steps=card.steps,
        split=card.split,
        parity=card.parity,
        trend=card.trend,
        differences=_differences(card, cards),
        rollback=(_way_back(domain, owners, returned), *map(_ready, cards)),
        next_step=card.next_step,
        blocked=(*card.gate_aside, *(_blocked(one) for one in cards if one.blocked)),
        health=health,
        evidence_problem=card.evidence_problem,
        evidence_as_of_s=card.evidence_as_of_s,
    )


def _differences(card: Card, cards: Sequence[DataCard]) -> tuple[str, ...]:
    found = [_mismatches(card.groups_raw)] if card.evidence is not None else []
    for one in cards:
        if one.drift_problem:
            found.append(f"Data of {one.name}: not known, the evidence store {one.drift_problem}.")
        elif one.drift:
            classes = "; ".join(f"{row.name} {row.count} ({row.money})" for row in one.drift)
            found.append(f"Data of {one.name}, open differences and money: {classes}.")
        else:
            found.append(f"Data of {one.name}: no difference is open.")
    return tuple(found)


def _mismatches(groups: Sequence[MismatchGroup]) -> str:
    """Groups that share a difference share their money: only the largest is named, not a sum."""
    still = [group for group in groups if group.life.state not in _CLOSED]
    if not still:
        return "No mismatch is open."
    more = " or more" if len(groups) >= CARD_GROUPS else ""
    told = f"{counted(len(still), 'kind')}{more} of mismatch {'is' if len(still) == 1 else 'are'}"
    stakes = [stake for group in still for stake in group.stakes]
    if not stakes:
        return f"{told} open; no rule says what money they are about."
    most = max(stakes, key=lambda stake: stake.affected_minor)
    return (
        f"{told} open; the one with most money is about"
        f" {money(most.affected_minor, most.currency)} of order value, in which both sides differ"
        f" by {money(most.gap_minor, most.currency)}."
    )


def _way_back(domain: Domain, owners: Owners, returned: Told | None) -> Words:
    if domain.stage is Stage.RETIRED:
        return ("The legacy slice is retired: look at its certificate first.",)
    if domain.stage not in _SERVING:
        return ("Legacy answers every shopper: nothing is to be taken back.",)
    problem = contradiction(owners, domain, Position(ROLLBACK[domain.stage]))
    if problem is not None:
        return (f"Routes go back with the data alone: {problem}.",)
    lead = f"Ready: banyan rollback {domain.name} takes it back without asking a gate"
    if returned is None:
        return (f"{lead}.",)
    at_s = returned.at.timestamp()
    return (f"{lead}; last done {minute_time(at_s)} UTC (", When(at_s), ").")


def _ready(card: DataCard) -> Words:
    return (f"Data of {card.name}: ", *card.ready, ".")


def _blocked(card: DataCard) -> str:
    return f"Data of {card.name}: {card.blocked}."
