"""The ledger as pages: its entries, one of them with all that it knows, and what an act did."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from cutover.api.deeds import Deed
from cutover.api.figures import count, counted, lasting, milliseconds, percent_of_ppm
from cutover.api.judgement import Light
from cutover.api.readings import History, Reading
from cutover.core.delivery import read_move
from cutover.core.revision import Evidence, Revision, RevisionKind, Told
from cutover.core.stages import Position, position
from proxy.routing import Domain

PAGE = 50
_MOST_LINES = 400
_LIGHTS = {
    "pass": Light.PASS, "fail": Light.FAIL, "inconclusive": Light.INCONCLUSIVE,
    "given": Light.PASS, "withdrawn": Light.OFF,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verified:
    """What the check of the whole chain found."""

    light: Light
    word: str
    words: str
    problems: tuple[str, ...]
    head: str


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """A page of entries, newest first.

    Attributes:
        choices: domains to narrow to: words, address, chosen.
        pages: neighbours of this page: words, address.
    """

    now_s: float
    domain: str
    place: str
    entries: tuple[Told, ...]
    choices: tuple[tuple[str, str, bool], ...]
    pages: tuple[tuple[str, str], ...]
    verified: Verified


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a gate said when the entry was written, and by which numbers."""

    gate: str
    domain: str
    light: Light
    word: str
    sentences: tuple[str, ...]
    inputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EntryPage:
    """One entry.

    Attributes:
        diff: lines of the table that changed, each with its kind: add, cut, at or same.
        diff_words: what is said in place of a diff, or of its rest.
        met: domain to what shoppers meet after it, a sentence each.
        deed: what is known of how it was done; None where another process did it.
    """

    now_s: float
    revision: Revision
    snapshots: tuple[Snapshot, ...]
    diff: tuple[tuple[str, str], ...]
    diff_words: str
    met: tuple[str, ...]
    deed: Deed | None
    can_undo: bool
    newest: int

    @property
    def title(self) -> str:
        """Of the page."""
        return f"Revision {self.revision.n}"

    @property
    def took(self) -> str:
        """How long it took; "" where nobody knows."""
        return "" if self.deed is None else took_words(self.deed.took_s)


def took_words(took_s: float) -> str:
    """How long an act took: below a minute to the millisecond."""
    return milliseconds(took_s * 1_000) if took_s < 60 else lasting(took_s)


def ledger_page(
    history: Reading[History],
    domains: Sequence[str],
    asked: Mapping[str, str],
    now_s: float,
) -> LedgerPage:
    """Decide what a page of the ledger says. `asked` are domain and before, as in its address."""
    told = history.value.told if history.value else ()
    domain = asked.get("domain", "")
    wanted = [one for one in told if not domain or _names(one, domain)]
    before = _number(asked.get("before", ""))
    older = [one for one in wanted if not before or one.n < before]
    shown = tuple(reversed(older[-PAGE:]))
    pages: list[tuple[str, str]] = []
    if before:
        newer = [one.n for one in wanted if one.n >= before]
        on = newer[PAGE] if len(newer) > PAGE else 0
        pages.append(("Newer", _address(domain, on)))
    if len(older) > PAGE:
        pages.append(("Older", _address(domain, shown[-1].n)))
    return LedgerPage(
        now_s=now_s,
        domain=domain,
        place=_place(shown, len(wanted)) if history.value else "",
        entries=shown,
        choices=(
            ("all", _address("", 0), not domain),
            *((name, _address(name, 0), name == domain) for name in domains),
        ),
        pages=tuple(pages),
        verified=verified(history),
    )


def _names(one: Told, domain: str) -> bool:
    return any(line.startswith(f"{domain}: ") for line in one.changes)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _address(domain: str, before: int) -> str:
    asked = {"domain": domain, "before": str(before or "")}
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"/ledger?{query}" if query else "/ledger"


def _place(shown: Sequence[Told], of: int) -> str:
    if not shown:
        return "No entry."
    return f"{count(shown[-1].n)} to {count(shown[0].n)}; {counted(of, 'entry', 'entries')} in all"


def verified(history: Reading[History]) -> Verified:
    """Say whether the chain is whole."""
    known = history.value
    if known is None:
        return Verified(
            Light.INCONCLUSIVE, "Not checked yet", f"The ledger {history.problem}.", (), ""
        )
    head = known.head[1] if known.head else ""
    stale = f" The ledger {history.problem}; this is what was read last." if history.problem else ""
    if known.problems:
        said = f"{counted(len(known.problems), 'problem')} in the chain.{stale}"
        return Verified(Light.FAIL, "Broken", said, known.problems, head)
    if not known.told:
        return Verified(Light.OFF, "Empty", f"Nothing was ever applied here.{stale}", (), "")
    said = (
        f"{counted(len(known.told), 'entry', 'entries')}, each chained to the one before it by"
        f" hash.{stale}"
    )
    return Verified(Light.PASS, "Whole", said, (), head)


def entry_page(
    revision: Revision,
    before: Revision | None,
    domains: Sequence[Domain],
    deed: Deed | None,
    newest: int,
    now_s: float,
) -> EntryPage:
    """Decide what an entry's page says.

    `before` is the entry before it, None for the first, or where it cannot be read; `domains`
    are those in force; `deed` is how it was done, where this room did it; `newest` is the
    newest entry's number.
    """
    diff, words = _diff(revision, before)
    kind = revision.entry.kind
    return EntryPage(
        now_s=now_s,
        revision=revision,
        snapshots=tuple(_snapshot(one) for one in revision.entry.evidence),
        diff=diff,
        diff_words=words,
        met=_met(revision, domains),
        deed=deed,
        can_undo=kind is not RevisionKind.APPROVAL and revision.n > 1,
        newest=newest,
    )


def _snapshot(one: Evidence) -> Snapshot:
    inputs = [(name.replace("_", " "), count(number)) for name, number in one.inputs.items()]
    if one.gate == "parity":
        inputs += [
            ("compared", count(one.compared)),
            ("at least equal", percent_of_ppm(one.lower_ppm)),
            ("asked", percent_of_ppm(one.min_ppm)),
            ("sure", percent_of_ppm(one.confidence_bp * 100)),
        ]
    light = _LIGHTS.get(one.verdict, Light.INCONCLUSIVE)
    # Of a yes the last sentence is its stage, for programs.
    said = one.sentences[:-1] if one.gate == "approval" else one.sentences
    return Snapshot(one.gate, one.domain, light, one.verdict, said, tuple(inputs))


def _diff(revision: Revision, before: Revision | None) -> tuple[tuple[tuple[str, str], ...], str]:
    """What changed in the text of the table."""
    entry = revision.entry
    if entry.kind is RevisionKind.APPROVAL:
        return (), "An approval leaves the table as it is."
    found = entry.found
    if found is not None and found.loads:
        old, of = found.routing_yaml, "what was found in force"
    elif before is not None:
        old, of = before.entry.routing_yaml, f"revision {before.n}"
    elif revision.n == 1:
        return (), "It put the first table in force."
    else:
        return (), f"Revision {revision.n - 1} cannot be read, so no difference can be shown."
    if old == entry.routing_yaml:
        return (), f"The table is that of {of}, byte for byte."
    lines = _unified(old.splitlines(), entry.routing_yaml.splitlines())
    more = len(lines) - _MOST_LINES
    words = f"Against {of}." + (f" {count(more)} further lines are not shown." if more > 0 else "")
    return tuple(lines[:_MOST_LINES]), words


def _unified(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str]]:
    """Only what lies between equal ends is compared: a large table changes in few places."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    most = min(len(old), len(new)) - head
    while tail < most and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    lead, rest = max(0, head - 3), max(0, tail - 3)
    kinds = {"+": "add", "-": "cut", "@": "at"}
    between = difflib.unified_diff(
        old[lead : len(old) - rest], new[lead : len(new) - rest], n=3, lineterm=""
    )
    found = [(kinds.get(line[:1], "same"), line) for line in between]
    return [(kind, _moved(line, lead) if kind == "at" else line) for kind, line in found[2:]]


def _moved(line: str, by: int) -> str:
    """A hunk's heading with the line numbers of the whole text."""
    _, old, new, _ = line.split(" ")
    parts = []
    for one in (old, new):
        start, comma, length = one[1:].partition(",")
        parts.append(f"{one[0]}{int(start) + by}{comma}{length}")
    return f"@@ {' '.join(parts)} @@"


def _met(revision: Revision, domains: Sequence[Domain]) -> tuple[str, ...]:
    """What shoppers meet where it took a domain, and where that domain stands by now."""
    if revision.entry.kind is RevisionKind.APPROVAL:
        return ()
    here = {domain.name: domain for domain in domains}
    found = []
    for line in revision.entry.changes:
        move = read_move(line)
        if move is None or move.after is None:
            continue
        said = f"{move.domain}: {meets(move.after)}"
        now = here.get(move.domain)
        if now is not None and position(now) != move.after:
            said += f" By now it stands at {position(now)}."
        found.append(said)
    return tuple(found)


def meets(at: Position) -> str:
    """What shoppers meet at a place."""
    told = {
        "legacy": "legacy answers every shopper; the new core is not asked.",
        "shadow": "legacy answers every shopper; the new core is only compared.",
        "canary": f"the new core answers {at.core_share_bp / 100:g} % of shoppers.",
        "core": "the new core answers every shopper; legacy is only compared.",
        "retired": "the new core answers every shopper; legacy is retired.",
    }[at.stage.value]
    return f"{told[:-1]}; writes go to legacy." if at.writes_stay else told
