"""A file that is put in force when its content changes: what is to be done about it now.

A rollback, an undo or a flip leaves the file as it is. So what counts is not whether the file
and the table in force differ, but whether the file changed since it was last done with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from cutover.core.revision import Revision, RevisionKind
from cutover.core.undo import is_undo

_MARK = re.compile(r" changed \(sha256 ([0-9a-f]{12})\)(?:, |$)")
_MOST_TOLD = 200


class Standing(StrEnum):
    """How a file stands.

    unknown: nothing was done about it yet.
    same: it asks for nothing else than what was in force when it changed.
    refused: gates or files keep it back; it is asked again.
    broken: it does not load, or cannot be read.
    taken_back: somebody took back what it asks for; it waits for its next change.
    """

    UNKNOWN = "unknown"
    APPLIED = "applied"
    SAME = "same"
    REFUSED = "refused"
    BROKEN = "broken"
    TAKEN_BACK = "taken_back"


#: What the file asks for is not in force, and somebody should know.
WAITING = frozenset({Standing.REFUSED, Standing.BROKEN, Standing.TAKEN_BACK})


class Next(StrEnum):
    """What is to be done now.

    hold: remember that what the file asks for was taken back.
    """

    REST = "rest"
    PLAN = "plan"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of a file, from one look to the next, and over restarts.

    Digests are the first 12 hex digits of SHA-256, as tables' revisions are.

    Attributes:
        handled: the content that was done with last; None before the first.
        n: number of the ledger's newest revision at that time.
        pending: content that is not done with.
        since_n: what was taken back after this revision is not put in force by it.
        over: the table that was in force when `pending` was first seen.
        told: why it stands as it does, a sentence; "" where there is nothing to say.
        since: when it came to stand so.
    """

    handled: str | None = None
    n: int = 0
    pending: str | None = None
    since_n: int = 0
    over: str | None = None
    standing: Standing = Standing.UNKNOWN
    told: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A revision, as far as a watched file is concerned.

    Attributes:
        table: digest of its table.
        mark: digest of the watched file's content that it put in force; None for any other.
        is_undo: it took a revision back.
    """

    n: int
    table: str
    mark: str | None
    is_undo: bool


def past_of(revision: Revision, file: str) -> Past:
    """What a revision means to the file of that name."""
    entry = revision.entry
    is_ours = entry.kind in {RevisionKind.APPLY, RevisionKind.INIT}
    found = _MARK.match(entry.reason, len(file)) if entry.reason.startswith(file) else None
    mark = found[1] if found is not None and is_ours else None
    return Past(revision.n, revision.table_sha256[:12], mark, is_undo(entry.reason))


def reason_for(file: str, digest: str, commit: str) -> str:
    """What the ledger says of an apply by the file; `commit` is "" where none is known."""
    return f"{file} changed (sha256 {digest})" + (f", {commit}" if commit else "")


def recall(watched: Watched, newest_first: Iterable[Past]) -> Watched:
    """What is known, with what the ledger knows better.

    1. The file is put in force. 2. The process is killed before it notes that. 3. Somebody
    rolls back. 4. The next process must not take the file for a new one.

    Args:
        watched: what was noted.
        newest_first: revisions that came into force.
    """
    for one in newest_first:
        if one.n <= watched.n:
            break
        if one.mark is not None:
            after = replace(watched, handled=one.mark, n=one.n, pending=None)
            return stands(after, Standing.APPLIED, f"as revision {one.n}", None)
    return watched


def begin(watched: Watched, digest: str, newest_first: Iterable[Past], over: str | None) -> Watched:
    """Note content that was not seen before; where it is known or done with, change nothing.

    Where nothing was noted of the file ever, content that the ledger knows counts from the
    revision that had it: what was taken back since stays so.
    """
    if digest in {watched.handled, watched.pending}:
        return watched if digest != watched.handled else replace(watched, pending=None)
    newest, had = 0, None
    for one in newest_first:
        newest = newest or one.n
        if watched.handled is not None:
            break
        if digest in {one.table, one.mark}:
            had = one.n
            break
    since_n = newest if had is None else had
    return replace(watched, pending=digest, since_n=since_n, over=over)


def decide(watched: Watched, digest: str, *, is_taken_back: bool) -> Next:
    """What to do about content that has been begun.

    `is_taken_back`: somebody took back what the file asks for, after `since_n`.
    """
    if digest == watched.handled:
        return Next.REST
    return Next.HOLD if is_taken_back else Next.PLAN


def done(watched: Watched, digest: str, n: int) -> Watched:
    """The content is done with; the ledger's newest revision is `n`."""
    return replace(watched, handled=digest, n=n, pending=None)


def stands(watched: Watched, standing: Standing, told: str, at: datetime | None) -> Watched:
    """How it stands; the time is that of the first to say so."""
    is_same = watched.standing is standing
    since = watched.since if is_same and watched.since is not None else at
    line = " ".join(told.split())
    return replace(watched, standing=standing, told=line[:_MOST_TOLD], since=since)


def sentence(file: str, watched: Watched) -> str:
    """How the file stands, for people."""
    told = watched.told
    match watched.standing:
        case Standing.UNKNOWN:
            return f"{file} was not looked at yet"
        case Standing.APPLIED:
            return f"{file} is done with: applied {told}"
        case Standing.SAME:
            return f"{file} is done with: it asked for nothing else than what was in force"
        case Standing.REFUSED:
            return f"{file} is kept back and asked again every 30 s: {told}"
        case Standing.BROKEN:
            return f"{file} is not put in force: {told}"
        case Standing.TAKEN_BACK:
            return f"{file} is not put in force until it changes: {told}"
