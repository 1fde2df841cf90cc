"""Why the file asks for something else than what is in force: who took a domain elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cutover.core.revision import Revision, RevisionKind
from cutover.core.stages import READS_ALONE, Direction, Position, direction, position
from cutover.core.undo import is_undo
from proxy.routing import RoutingTable

_AT = rf"legacy|shadow|canary [0-9.]+ %(?:{READS_ALONE})?|core(?:{READS_ALONE})?|retired"
_STEP = re.compile(rf"({_AT}) -> ({_AT})(, by a flip)?")


@dataclass(frozen=True, slots=True)
class _Move:
    """A step of one domain, as a revision tells it."""

    before: str
    after: str
    is_flip: bool


def explain_drift(
    desired: RoutingTable, in_force: RoutingTable, newest_first: Iterable[Revision], file: str
) -> Mapping[str, str]:
    """Per domain a sentence: who took it away from what the file asks for, when and why.

    Only for domains that a rollback, an undo or a flip brought where they stand: those
    leave the file as it is. Where the last one to move a domain was an apply, the file was
    edited since, and the plan tells all. No more revisions are taken than are needed.
    """
    asked = {domain.name: position(domain) for domain in desired.domains}
    waiting = {
        domain.name: position(domain)
        for domain in in_force.domains
        if domain.name in asked and asked[domain.name] != position(domain)
    }
    found: dict[str, str] = {}
    if not waiting:
        return found
    for revision in newest_first:
        for name, at in tuple(waiting.items()):
            move = _move(revision, name)
            if move is None:
                continue
            del waiting[name]
            # Where a hand moved it on, the revision says nothing of where it stands now.
            if move.after == str(at):
                sentence = _sentence(revision, move, name, (at, asked[name]), file)
                found |= {name: sentence} if sentence else {}
        if not waiting:
            break
    return found


def _move(revision: Revision, domain: str) -> _Move | None:
    for change in revision.entry.changes:
        name, _, step = change.partition(": ")
        told = _STEP.fullmatch(step) if name == domain else None
        if told is not None:
            return _Move(told[1], told[2], told[3] is not None)
    return None


def _sentence(
    revision: Revision, move: _Move, domain: str, way: tuple[Position, Position], file: str
) -> str | None:
    entry = revision.entry
    at, asked = way
    if entry.kind is RevisionKind.ROLLBACK:
        verb = "rolled back"
    elif is_undo(entry.reason):
        verb = "taken back"
    elif move.is_flip:
        verb = "moved by a flip"
    else:
        return None
    still = "still asks" if str(asked) == move.before else "asks"
    because = f" because: {entry.reason}" if entry.reason else ""
    again = "mend the cause and apply" if direction(at, asked) is Direction.FORWARD else "apply"
    return (
        f"{file} {still} for {asked} in {domain}; it was {verb} from {move.before} to {move.after}"
        f" on {entry.at:%Y-%m-%d %H:%M} UTC by {entry.actor} (revision {revision.n}){because};"
        f" write stage: {at.stage} to keep it, or {again} to go to {asked}"
    )
