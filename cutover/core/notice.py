"""What others are told of a revision: one event for each thing that became of a domain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

from cutover.core.delivery import Move, read_move
from cutover.core.revision import Entry, Evidence, Revision, RevisionKind
from cutover.core.undo import is_undo

_BY_FLIP = ", by a flip"
_APPROVAL_GATE, _WITHDRAWN = "approval", "withdrawn"
_MOST_TEXT = 500
_MOST_NAME = 100
#: So many times as long a text may be, when most of it is blanks.
_MOST_BLANKS = 4
_MOST_DETAILS = 5
_TEST_NAME = "test"
#: Breaks of lines, bells, and marks that turn the order of letters around.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


class EventKind(StrEnum):
    """What became of a domain, or of the table.

    init: a first table came into force.
    stage.changed: an apply took a domain to another stage or share, or added or removed it.
    rules.changed: a domain stays where it stands, and something else of it changed.
    table.changed: something outside the domains changed.
    """

    INIT = "init"
    STAGE_CHANGED = "stage.changed"
    ROLLBACK = "rollback"
    UNDO = "undo"
    FLIP = "flip"
    RULES_CHANGED = "rules.changed"
    TABLE_CHANGED = "table.changed"
    APPROVAL_GIVEN = "approval.given"
    APPROVAL_WITHDRAWN = "approval.withdrawn"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell.

    Attributes:
        id: the same whenever it is made of the same revision, and of no other's.
        kind: of EventKind, or test.
        n: the revision's number; 0 for a test.
        domain: None where it is about no single one.
        before, after: where the domain stood and stands, in words; None where there is none.
        sentence: what happened, for people.
        link: of a page of the control room; "" where nobody said where that is.
    """

    id: str
    kind: str
    n: int
    at: datetime
    domain: str | None
    before: str | None
    after: str | None
    sentence: str
    actor: str
    reason: str
    link: str = ""


def events_of(revision: Revision, room_url: str = "") -> tuple[Event, ...]:
    """All that a revision has to tell, in its own order."""
    entry = revision.entry
    if entry.kind is RevisionKind.APPROVAL:
        found = [_approval(said) for said in entry.evidence if said.gate == _APPROVAL_GATE]
    elif entry.kind is RevisionKind.INIT:
        found = [_Told(EventKind.INIT, None, sentence=_begun(entry))]
    else:
        found = list(_changes(entry))
    return tuple(_event(revision, told, room_url) for told in found)


def trial_event(hook: str, at: datetime, room_url: str = "") -> Event:
    """What a hook is tried with."""
    return Event(
        id=f"test-{hook}-{int(at.timestamp() * 1000)}",
        kind=_TEST_NAME,
        n=0,
        at=at,
        domain=None,
        before=None,
        after=None,
        sentence="This is a test of a hook. Nothing was changed.",
        actor="banyan",
        reason="",
        link=room_url,
    )


def plain(text: str, most: int = _MOST_TEXT) -> str:
    """A person's text on one line, without what is not seen, cut where it is long."""
    # Cut first, as a text may be megabytes; half of a pair of UTF-16 cannot be sent.
    whole = text[: most * _MOST_BLANKS].encode(errors="replace").decode()
    line = " ".join(_UNSEEN.sub(" ", whole).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


@dataclass(frozen=True, slots=True)
class _Told:
    kind: EventKind
    domain: str | None
    before: str | None = None
    after: str | None = None
    sentence: str = ""


def _event(revision: Revision, told: _Told, room_url: str) -> Event:
    entry = revision.entry
    about = told.domain or "table"
    page = f"/domains/{quote(told.domain)}" if told.domain else "/"
    return Event(
        # A number that was withdrawn is given again, to another revision: so the hash is in it.
        id=f"{revision.n}-{revision.hash[:8]}-{about}-{told.kind.replace('.', '_')}",
        kind=str(told.kind),
        n=revision.n,
        at=entry.at,
        domain=told.domain,
        before=told.before,
        after=told.after,
        sentence=plain(told.sentence),
        actor=plain(entry.actor, _MOST_NAME),
        reason=plain(entry.reason),
        link=f"{room_url.rstrip('/')}{page}" if room_url else "",
    )


def _begun(entry: Entry) -> str:
    moves = [move for line in entry.changes if (move := read_move(line)) is not None]
    count = "1 domain" if len(moves) == 1 else f"{len(moves)} domains"
    return f"A first table came into force, with {count}."


def _approval(said: Evidence) -> _Told:
    is_withdrawn = said.verdict == _WITHDRAWN
    kind = EventKind.APPROVAL_WITHDRAWN if is_withdrawn else EventKind.APPROVAL_GIVEN
    sentence = f"{said.domain}: {said.sentences[0]}." if said.sentences else said.domain
    return _Told(kind, said.domain, None, said.sentences[-1] if said.sentences else None, sentence)


def _changes(entry: Entry) -> Iterator[_Told]:
    moves = [(line, move) for line in entry.changes if (move := read_move(line)) is not None]
    names = {move.domain for _, move in moves}
    said: dict[str | None, list[str]] = {}
    for line in entry.changes:
        said.setdefault(_domain_of(line, names), []).append(line)
    for line, move in moves:
        if move.before == move.after:
            yield _stayed(said[move.domain], line, move)
        else:
            yield _moved(entry, line, move)
    others = said.get(None)
    if others:
        yield _Told(
            EventKind.TABLE_CHANGED, None, sentence=f"The table changed: {_listed(others)}."
        )


def _domain_of(line: str, names: Iterable[str]) -> str | None:
    name, colon, _ = line.partition(": ")
    return name if colon and name in names else None


def _moved(entry: Entry, line: str, move: Move) -> _Told:
    name = move.domain
    before = None if move.before is None else str(move.before)
    after = None if move.after is None else str(move.after)
    way = f"from {before} to {after}"
    if before is None:
        return _Told(EventKind.STAGE_CHANGED, name, None, after, f"{name} is new, in {after}.")
    if after is None:
        gone = f"{name} was removed from {before}; its requests go to legacy."
        return _Told(EventKind.STAGE_CHANGED, name, before, None, gone)
    if entry.kind is RevisionKind.ROLLBACK:
        kind, sentence = EventKind.ROLLBACK, f"{name} was rolled back {way}."
    elif is_undo(entry.reason):
        kind, sentence = EventKind.UNDO, f"{name} went {way} by an undo."
    elif line.endswith(_BY_FLIP):
        kind, sentence = EventKind.FLIP, f"{name} went {way} by a flip."
    else:
        kind, sentence = EventKind.STAGE_CHANGED, f"{name} went {way}."
    return _Told(kind, name, before, after, sentence)


def _stayed(said: Sequence[str], line: str, move: Move) -> _Told:
    name, at = move.domain, str(move.after)
    details = [one.partition(": ")[2] for one in said if one != line]
    told = f": {_listed(details)}" if details else ""
    return _Told(
        EventKind.RULES_CHANGED, name, at, at, f"{name} stays in {at}, its rules changed{told}."
    )


def _listed(lines: Sequence[str]) -> str:
    more = len(lines) - _MOST_DETAILS
    return "; ".join(lines[:_MOST_DETAILS]) + (f" and {more} more" if more > 0 else "")
