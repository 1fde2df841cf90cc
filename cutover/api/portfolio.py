"""The first page's content, decided from what was read. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutover.api.card import Card, card_of
from cutover.api.figures import counted
from cutover.api.judgement import Light
from cutover.api.readings import DAMAGED, Facts, Reading, RevisionLine
from cutover.api.words import When, Words
from proxy.routing import Stage

HEARTBEAT_LATE_S = 15
_MOVED = (Stage.CORE, Stage.RETIRED)


@dataclass(frozen=True, slots=True)
class Health:
    """One part of the platform: its light and what is known of it."""

    name: str
    light: Light
    words: Words


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page.

    Attributes:
        attention: what needs a person, most pressing first; empty when nothing does.
        cards: domains in the order in which they need a person.
        revision: of the table in force, "" while none could be read.
        unmatched: requests that no route matched, since the proxy's workers started.
    """

    now_s: float
    headline: Words
    health: tuple[Health, ...]
    attention: tuple[Words, ...]
    cards: tuple[Card, ...]
    revisions: tuple[RevisionLine, ...]
    revisions_problem: str | None
    revision: str
    unmatched: int


def overview(facts: Facts) -> Overview:
    """Decide what the first page says."""
    table = facts.table.value
    cards = tuple(
        sorted(
            (card_of(domain, facts) for domain in (table.domains if table else ())),
            key=lambda card: (card.urgency, card.name),
        )
    )
    revisions = facts.revisions.value or ()
    proxy = facts.proxy.value
    return Overview(
        now_s=facts.now_s,
        headline=_headline(facts, cards, revisions),
        health=_health(facts),
        attention=_attention(facts, cards),
        cards=cards,
        revisions=revisions[:8],
        revisions_problem=facts.revisions.problem,
        revision=table.revision if table else "",
        unmatched=proxy.unmatched if proxy else 0,
    )


def _headline(facts: Facts, cards: Sequence[Card], revisions: Sequence[RevisionLine]) -> Words:
    if facts.table.value is None:
        return ("The routing table in force could not be read, so no domain can be shown.",)
    if not cards:
        return ("No domain is set up yet; routing.yaml names none.",)
    blocked = [card.name for card in cards if card.gate.light is Light.FAIL]
    ill = len(_ill(facts))
    aside = f", but the platform is not well ({counted(ill, 'part')})" if ill else ""
    return (_progress(cards), "; ", _blocking(cards, blocked), aside, "; ", *_rollback(revisions))


def _ill(facts: Facts) -> list[str]:
    return [part.name for part in _health(facts) if part.light is Light.FAIL]


def listed(names: Sequence[str]) -> str:
    """Names as a person lists them: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _progress(cards: Sequence[Card]) -> str:
    if len(cards) == 1:
        return f"{cards[0].name} is in stage {cards[0].stage_words}"
    moved = sum(card.stage in _MOVED for card in cards)
    under_way = sum(card.stage is Stage.CANARY for card in cards)
    text = f"{moved} of {len(cards)} domains on the new core"
    return text + (f", {under_way} in canary" if under_way else "")


def _blocking(cards: Sequence[Card], blocked: Sequence[str]) -> str:
    if blocked:
        verb = "is" if len(blocked) == 1 else "are"
        named = listed(blocked) if len(blocked) <= 2 else counted(len(blocked), "domain")
        return f"{named} {verb} blocked by a gate"
    if any(card.evidence_problem for card in cards):
        return "whether anything blocks is unknown while the evidence store is away"
    waiting = sum(card.gate.light is Light.INCONCLUSIVE for card in cards)
    if waiting:
        still = "still gathers" if len(cards) == 1 else f"{waiting} still gather"
        still = "1 still gathers" if waiting == 1 and len(cards) > 1 else still
        return f"nothing is blocking, {'it ' if len(cards) == 1 else ''}{still} evidence"
    return "nothing is blocking"


def _rollback(revisions: Sequence[RevisionLine]) -> Words:
    latest = next((line for line in revisions if line.kind == "rollback"), None)
    return ("no rollback so far",) if latest is None else ("last rollback ", When(latest.at_s))


def _attention(facts: Facts, cards: Sequence[Card]) -> tuple[Words, ...]:
    found: list[Words] = []
    if facts.table.problem:
        found.append((f"Routing table: {facts.table.problem}",))
    ill = _ill(facts)
    if ill:
        found.append((f"The platform: {listed(ill)} {'is' if len(ill) == 1 else 'are'} not well.",))
    found += [
        (f"Ledger: revision {line.n} is damaged: {line.reason}.",)
        for line in facts.revisions.value or ()
        if line.kind == DAMAGED
    ]
    found += [(f"Watched file: {line}.",) for line in facts.watched]
    found += [(f"{card.name}: {card.attention}",) for card in cards if card.attention]
    return tuple(found)


def _health(facts: Facts) -> tuple[Health, ...]:
    return (_proxy_health(facts), _comparer_health(facts), *_stores(facts), _evidence(facts))


def _away(name: str, reading: Reading[object]) -> Health:
    since: Words = ()
    if reading.as_of_s is not None:
        since = ("; last answer ", When(reading.as_of_s))
    return Health(name, Light.FAIL, (reading.problem or "does not answer", *since))


def _proxy_health(facts: Facts) -> Health:
    reading, table = facts.proxy, facts.table.value
    state = reading.value
    if reading.problem or state is None:
        return _away("Proxy", Reading(None, reading.as_of_s, reading.problem))
    if not state.ready:
        return Health("Proxy", Light.FAIL, ("answers, but is not ready",))
    if state.problem:
        return Health("Proxy", Light.FAIL, (f"keeps its last good table: {state.problem}",))
    if state.revision and table and state.revision != table.revision:
        words = f"follows table {state.revision}, the file holds {table.revision}"
        return Health("Proxy", Light.INCONCLUSIVE, (words,))
    workers = f", {counted(state.workers, 'worker')}" if state.workers else ""
    return Health("Proxy", Light.PASS, (f"ready{workers}",))


def _comparer_health(facts: Facts) -> Health:
    beats = [
        reading.value.evidence.heartbeat_s
        for reading in facts.domains.values()
        if reading.value and reading.value.evidence.heartbeat_s is not None
    ]
    if not beats:
        return Health("Comparer", Light.OFF, ("has not written yet",))
    last = max(beats)
    if any(reading.problem for reading in facts.domains.values()):
        return Health("Comparer", Light.INCONCLUSIVE, ("unknown; last known write ", When(last)))
    light = Light.FAIL if facts.now_s - last > HEARTBEAT_LATE_S else Light.PASS
    verb = "silent; last wrote " if light is Light.FAIL else "wrote "
    return Health("Comparer", light, (verb, When(last)))


def _stores(facts: Facts) -> tuple[Health, ...]:
    found = []
    for name, reading in (("New core", facts.core), ("Legacy store", facts.legacy)):
        state = reading.value
        if reading.problem or state is None:
            found.append(_away(name, Reading(None, reading.as_of_s, reading.problem)))
        elif state.status >= 500:
            found.append(Health(name, Light.FAIL, (f"answers {state.status}",)))
        else:
            found.append(Health(name, Light.PASS, ("answers",)))
    return tuple(found)


def _evidence(facts: Facts) -> Health:
    failing = [reading for reading in facts.domains.values() if reading.problem]
    if failing:
        latest = max((r.as_of_s for r in failing if r.as_of_s is not None), default=None)
        return _away("Evidence", Reading(None, latest, failing[0].problem))
    if not facts.domains:
        return Health("Evidence", Light.OFF, ("not asked yet",))
    return Health("Evidence", Light.PASS, ("answers",))
