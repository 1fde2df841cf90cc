"""The pages as JSON: the same decisions, with the raw figures beside the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fastapi.encoders import jsonable_encoder

from cutover.api.card import Card
from cutover.api.domainpage import DomainPage
from cutover.api.figures import iso_time
from cutover.api.mismatchpage import MismatchPage
from cutover.api.portfolio import Overview
from cutover.api.readings import MismatchReading, RevisionLine
from cutover.api.words import plain
from shadow_compare.core.evidence import MismatchGroup


def overview_twin(view: Overview) -> dict[str, Any]:
    """`GET /api/overview`."""
    now_s = view.now_s
    return {
        "at": iso_time(now_s),
        "headline": plain(view.headline, now_s),
        "revision": view.revision,
        "unmatched_requests": view.unmatched,
        "health": [
            {"name": part.name, "state": part.light.value, "words": plain(part.words, now_s)}
            for part in view.health
        ],
        "attention": [plain(words, now_s) for words in view.attention],
        "domains": [card_twin(card) for card in view.cards],
        "revisions": [_revision(line) for line in view.revisions],
        "revisions_problem": view.revisions_problem,
    }


def domain_twin(view: DomainPage) -> dict[str, Any]:
    """`GET /api/domains/{name}`: the card and what stands behind it."""
    evidence = view.card.evidence
    return card_twin(view.card) | {
        "at": iso_time(view.now_s),
        "revision": view.revision,
        "gate_rule": view.gate_words,
        "routes": [asdict(route) for route in evidence.routes] if evidence else [],
        "strata": [
            one.stratum._asdict() | {k: v for k, v in asdict(one).items() if k != "stratum"}
            for one in (evidence.strata if evidence else ())
        ],
        "health": {
            "window": view.health.window,
            "figures": [asdict(row) for row in view.health.rows],
        },
        "risks": [asdict(one) for one in view.governance.risks],
        "data": view.governance.data,
        "accepted_differences": [asdict(rule) for rule in view.rules],
        "revisions": [_revision(line) for line in view.history],
    }


def groups_twin(groups: Sequence[MismatchGroup], now_s: float) -> dict[str, Any]:
    """`GET /api/mismatches`: groups with their raw figures; days as text."""
    return {"at": iso_time(now_s), "groups": [jsonable_encoder(asdict(group)) for group in groups]}


def mismatch_twin(view: MismatchPage, reading: MismatchReading) -> dict[str, Any]:
    """`GET /api/mismatches/{fingerprint}`: the group and every stored example."""
    return {
        "at": iso_time(view.now_s),
        "group": asdict(reading.group),
        "headline": view.headline,
        **asdict(reading.story),
        "examples": [asdict(example) for example in reading.examples],
        "curl": {c.side: c.command for c in view.example.curls} if view.example else {},
    }


def card_twin(card: Card) -> dict[str, Any]:
    """One domain in brief."""
    evidence, line = card.evidence, card.accounting
    parity = card.parity
    return {
        "name": card.name,
        "owner": card.owner,
        "stage": card.stage.value,
        "core_share_bp": card.core_share_bp,
        "split": card.split,
        "parity": None
        if evidence is None or parity is None
        else asdict(evidence.overall)
        | {
            "known": parity.known,
            "compared": evidence.overall.compared,
            "needed": parity.needed,
            "ratio_ppm": evidence.overall.ratio_ppm,
            "sentence": parity.sentence,
            "place": parity.place,
            "verdict": parity.word if parity.place else None,
        },
        "gate": {"state": card.gate.light.value, "sentences": list(card.gate.sentences)},
        "next_step": card.next_step,
        "by_itself": list(card.by_itself),
        "accounting": None
        if evidence is None or line is None
        else asdict(evidence.accounting) | {"balanced": line.balanced, "sentence": line.sentence},
        "latency": [asdict(entry) for entry in card.latency_raw],
        "latency_sentence": card.latency_words,
        "mismatches": [asdict(group) for group in card.groups_raw],
        "trend": [asdict(point) for point in card.trend],
        "evidence": {
            "epoch": card.epoch,
            "unseen_routes": list(card.unseen),
            "problem": card.evidence_problem,
            "as_of": None if card.evidence_as_of_s is None else iso_time(card.evidence_as_of_s),
        },
    }


def _revision(line: RevisionLine) -> dict[str, Any]:
    return {"at": iso_time(line.at_s)} | {
        key: value for key, value in asdict(line).items() if key != "at_s"
    }
