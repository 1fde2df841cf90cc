"""What a report says, decided from what was read. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cutover.api.datadomain import FlipRow, flip_row
from cutover.api.datagather import DataFacts
from cutover.api.dataview import DataCard, data_view
from cutover.api.figures import counted, lasting, minute_time
from cutover.api.healthview import health_view
from cutover.api.judgement import Light
from cutover.api.portfolio import Overview, overview
from cutover.api.readings import Facts, History, Reading, RevisionLine
from cutover.api.reportfigures import LIMITS, DomainFigures, Figure, by_domain, figures
from cutover.api.reportrow import Data, ReportRow, last_returns, report_row
from cutover.api.words import Words
from cutover.core.delivery import Delivery, Step, Window, delivery, moves_of, steps_taken
from cutover.core.revision import RevisionKind, Told
from cutover.core.stages import Direction
from legacy_adapters.ports.flips import FlipRecord, Phase

MOST_CHANGES = 200


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """All that a report is made of.

    Attributes:
        facts: of the one domain only, where one is asked for.
        data: None where no core's database is known.
        flips: those of the window.
        domain: the one that is asked for; "" for all.
    """

    facts: Facts
    history: Reading[History]
    data: DataFacts | None
    flips: Reading[Sequence[FlipRecord]]
    window: Window
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A revision in the list of changes."""

    n: int
    at_s: float
    kind: str
    actor: str
    reason: str
    changes: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Return:
    """A domain that was taken back: how far, by whom, why, and how long after its step."""

    n: int
    at_s: float
    domain: str
    way: str
    actor: str
    reason: str
    after: str


@dataclass(frozen=True, slots=True)
class Flipped:
    """A flip or rehearsal of a domain of data."""

    domain: str
    row: FlipRow


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report.

    Attributes:
        lead: what happened in the window, one sentence.
        revision: of the table in force, "" while none could be read.
        head: number and hash of the last revision, None for an empty ledger or an unread one.
        unknown: what could not be read, a sentence each; empty when everything was.
        limits: what a ledger never says.
        loose: domains of data that no domain of the table flips with.
        more_changes: changes of the window that the list leaves out.
        delivery: the raw figures; None where the ledger could not be read.
    """

    now_s: float
    title: str
    window: Window
    headline: Words
    lead: str
    revision: str
    head: tuple[int, str] | None
    attention: tuple[Words, ...]
    unknown: tuple[str, ...]
    limits: tuple[str, ...]
    rows: tuple[ReportRow, ...]
    loose: tuple[DataCard, ...]
    changes: tuple[Change, ...]
    more_changes: int
    returns: tuple[Return, ...]
    flips: tuple[Flipped, ...]
    figures: tuple[Figure, ...]
    by_domain: tuple[DomainFigures, ...]
    delivery: Delivery | None


def report(known: ReportFacts) -> Report:
    """Decide what a report says."""
    facts = _of_domain(known.facts, known.domain)
    first = overview(facts)
    history = known.history.value
    told = history.told if history else ()
    data = Data(known.data, data_view(known.data)) if known.data else None
    found = delivery(told, known.window, known.domain)
    rows = _rows(facts, first, data, told)
    returns = _returns(told, known.window, known.domain)
    flips = _flips(known)
    changes = _changes(told, known.window, known.domain)
    return Report(
        now_s=facts.now_s,
        title=f"Migration report, {known.domain}" if known.domain else "Migration report",
        window=known.window,
        headline=first.headline,
        lead=_lead(known, found, returns, flips),
        revision=first.revision,
        head=history.head if history else None,
        attention=(*first.attention, *_data_attention(data, known.domain)),
        unknown=_unknown(known),
        limits=LIMITS,
        rows=rows,
        loose=_loose(data, facts, known.domain),
        changes=changes[:MOST_CHANGES],
        more_changes=max(0, len(changes) - MOST_CHANGES),
        returns=returns,
        flips=flips,
        figures=figures(found) if history else (),
        by_domain=by_domain(found) if history else (),
        delivery=found if history else None,
    )


def _of_domain(facts: Facts, name: str) -> Facts:
    table = facts.table.value
    if not name or table is None:
        return facts
    kept = tuple(domain for domain in table.domains if domain.name == name)
    lines = facts.revisions.value
    return replace(
        facts,
        table=replace(facts.table, value=replace(table, domains=kept)),
        domains={key: one for key, one in facts.domains.items() if key == name},
        revisions=replace(
            facts.revisions,
            value=None if lines is None else tuple(one for one in lines if _names(one, name)),
        ),
    )


def _names(line: RevisionLine, name: str) -> bool:
    return any(sentence.startswith(f"{name}: ") for sentence in line.changes)


def _rows(
    facts: Facts, first: Overview, data: Data | None, told: Sequence[Told]
) -> tuple[ReportRow, ...]:
    """In the order of the first page: what needs a person comes first."""
    table = facts.table.value
    domains = {domain.name: domain for domain in (table.domains if table else ())}
    owners = data.owners() if data else {}
    returned = last_returns(told)
    return tuple(
        report_row(
            domains[card.name],
            card,
            data,
            owners,
            returned.get(card.name),
            health_view(domains[card.name], facts.health, facts.order_routes),
        )
        for card in first.cards
    )


def _lead(
    known: ReportFacts,
    found: Delivery,
    returns: Sequence[Return],
    flips: Sequence[Flipped],
) -> str:
    since, until = (minute_time(at.timestamp()) for at in (known.window.since, known.window.until))
    lead = f"From {since} to {until} UTC"
    if known.history.value is None:
        return f"{lead}: what changed is not known, as the ledger could not be read."
    applies, steps = found.total.applies, found.total.steps
    if not applies and not returns and not flips:
        return f"{lead}: no changes in this time."
    told = [
        f"{counted(applies, 'change')} applied",
        counted(steps, "forward step"),
        f"{len(returns)} taken back" if returns else "nothing taken back",
    ]
    if flips:
        told.append(counted(len(flips), "flip or rehearsal of data", "flips or rehearsals of data"))
    return f"{lead}: {', '.join(told[:-1])} and {told[-1]}."


def _changes(told: Sequence[Told], window: Window, domain: str) -> tuple[Change, ...]:
    return tuple(
        Change(
            n=one.n,
            at_s=one.at.timestamp(),
            kind=one.kind.value,
            actor=one.actor,
            reason=one.reason,
            changes=_sentences(one, domain),
            note="The table in force before it was not the ledger's." if one.is_found else "",
        )
        for one in reversed(told)
        if window.holds(one.at) and (not domain or _sentences(one, domain))
    )


def _sentences(one: Told, domain: str) -> tuple[str, ...]:
    return tuple(said for said in one.changes if not domain or said.startswith(f"{domain}: "))


def _returns(told: Sequence[Told], window: Window, domain: str) -> tuple[Return, ...]:
    """Newest first; whoever turned back, by rollback or by apply."""
    undone = {(step.undone_n, step.domain): step for step in steps_taken(told)}
    return tuple(
        Return(
            n=one.n,
            at_s=one.at.timestamp(),
            domain=move.domain,
            way=f"{move.before} to {move.after or 'no domain'}",
            actor=one.actor,
            reason=one.reason,
            after=_after(undone.get((one.n, move.domain)), one.kind),
        )
        for one in reversed(told)
        if window.holds(one.at)
        for move in moves_of(one)
        if move.direction is Direction.BACKWARD and domain in ("", move.domain)
    )


def _after(step: Step | None, kind: RevisionKind) -> str:
    by = "" if kind is RevisionKind.ROLLBACK else ", by apply"
    if step is None or step.restore_s is None:
        return f"no step of its own{by}"
    return f"{lasting(step.restore_s)} after the step to {step.after}{by}"


def _flips(known: ReportFacts) -> tuple[Flipped, ...]:
    seen = known.data.core.value if known.data else None
    controls = seen.controls if seen else {}
    routes = known.data.routes if known.data else {}
    found = []
    for one in known.flips.value or ():
        name = one.start.domain
        control = controls.get(name)
        is_open = control is not None and control.flip == one.id and (
            control.phase is not Phase.OWNED
        )  # fmt: skip
        if not known.domain or known.domain in routes.get(name, ()):
            found.append(Flipped(name, flip_row(one, is_open=is_open)))
    return tuple(found)


def _loose(data: Data | None, facts: Facts, domain: str) -> tuple[DataCard, ...]:
    if data is None or domain:
        return ()
    table = facts.table.value
    have = {one.name for one in (table.domains if table else ())}
    routes = data.facts.routes
    return tuple(card for card in data.view.cards if not have & set(routes.get(card.name, ())))


def _data_attention(data: Data | None, domain: str) -> tuple[Words, ...]:
    cards = data.view.cards if data else ()
    if data and domain:
        cards = data.cards(domain)
    return tuple(
        (f"Data of {card.name}: {card.blocked}.",)
        for card in cards
        if card.light is Light.FAIL and card.blocked
    )


def _unknown(known: ReportFacts) -> tuple[str, ...]:
    """Every source that could not be read, so that nothing is missing in silence."""
    facts = known.facts
    evidence = next((one.problem for one in facts.domains.values() if one.problem), None)
    found = [
        _away("The routing table", facts.table.problem, "every domain"),
        _away("The ledger", known.history.problem, "changes and delivery figures"),
        *_unknown_history(known),
        _away("The evidence store", evidence, "parity, mismatches and gates"),
        _away("The proxy", facts.proxy.problem, "how many requests each side answered"),
        _away("The new core", facts.core.problem),
        _away("The legacy store", facts.legacy.problem),
        *_unknown_data(known),
    ]
    return tuple(filter(None, found))


def _away(source: str, problem: str | None, hangs: str = "") -> str:
    """A sentence; "" for a source without a problem."""
    if not problem:
        return ""
    told = f"{source} {problem.rstrip('.')}."
    return f"{told} On it hangs what is said of: {hangs}." if hangs else told


def _unknown_history(known: ReportFacts) -> tuple[str, ...]:
    history = known.history.value
    if history is None:
        return ()
    found = [f"The ledger: {problem}." for problem in history.problems]
    if history.told and history.told[0].at > known.window.since:
        began = minute_time(history.told[0].at.timestamp())
        found.append(f"Anything before {began} UTC, when the ledger begins.")
    return tuple(found)


def _unknown_data(known: ReportFacts) -> tuple[str, ...]:
    if known.data is None:
        return ("No core's database is named: nothing is told of data and its flips.",)
    seen = known.data.core.value
    if known.data.core.problem is None and seen is not None and not seen.is_installed:
        return ("The sync of data is not installed: nothing is told of data and its flips.",)
    flips = known.flips.problem if not known.data.core.problem else None
    return (
        _away("The core's database", known.data.core.problem, "who owns the data, and flips"),
        _away("The evidence store", known.data.drift.problem, "drift of data"),
        _away("The core's database", flips, "flips of this time"),
    )
