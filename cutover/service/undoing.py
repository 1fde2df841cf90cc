"""Undo a revision: the table of before it becomes the desired one, and is planned as any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cutover.core.revision import DamagedRevision, Revision, RevisionKind, sha256
from cutover.core.undo import Step, obstacle, seems_made_from
from cutover.errors import CannotUndo
from cutover.service.books import Books
from cutover.service.in_force import InForce, look
from cutover.service.revisions import read_back
from cutover.service.tables import parsed
from proxy.errors import RoutingFileError
from proxy.routing import RoutingTable

# An apply that died leaves a revision that never came into force; so many in a row are
# looked behind for the table that a revision was really made from.
_BEHIND = 5

#: Puts the named domains of the second text into the first.
Graft = Callable[[bytes, bytes, Sequence[str]], bytes]


@dataclass(frozen=True, slots=True)
class Undo:
    """What an undo asks for.

    Attributes:
        first, last: the revisions that are taken back.
        desired: the table that is asked for.
        seen: what it was worked out from; a plan made from anything else is another plan.
    """

    first: int
    last: int
    desired: bytes
    seen: InForce

    @property
    def name(self) -> str:
        """What messages call the table that is asked for."""
        if self.first == self.last:
            return f"the table without revision {self.first}"
        return f"the table of before revision {self.first}"


def undo(books: Books, n: int, graft: Graft, *, and_later: bool) -> Undo:
    """Work out the table that is asked for. Changes nothing.

    Without `and_later` only what revision `n` changed goes back, and all that came into
    force since stays.

    Raises:
        CannotUndo: there is nothing to go back to, or later changes are in the way; with
            the way out.
        CannotRead: the applied file or the ledger is out of reach.
    """
    seen = look(books.applied, books.ledger)
    if seen.table is None or seen.text is None:
        raise CannotUndo("no table is in force, so nothing can be undone")
    past = _read(books, n)
    if past.known[n].entry.kind is RevisionKind.APPROVAL:
        raise CannotUndo(
            f"revision {n} is an approval and changed no table; banyan approve --withdraw takes"
            " one's own back"
        )
    last = max(past.known)
    if seen.found is None and past.known[last].table_sha256 != sha256(seen.text):
        # 1. An apply wrote its revision, 2. died, 3. and never swapped the table in.
        if n == last:
            raise CannotUndo(f"revision {n} never came into force, so nothing is to be undone")
        last -= 1
    text = past.before(n)
    if and_later:
        return Undo(n, last, text, seen)
    undone = past.step(n)
    later = [past.step(m) for m in range(n + 1, last + 1)]
    later.append(Step(None, past.table(past.known[last].entry.routing_yaml, last), seen.table))
    against = obstacle(undone, later)
    if against is not None:
        raise CannotUndo(
            f"revision {n} cannot be undone alone: {against}; banyan undo {n} --and-later takes"
            f" back all since (banyan ledger diff {n} shows what that is), banyan rollback takes"
            " one domain back at once"
        )
    if all(step.is_empty for step in later):
        return Undo(n, n, text, seen)
    return Undo(n, n, graft(seen.text, text, sorted(undone.domains)), seen)


@dataclass(frozen=True, slots=True)
class _Past:
    """The revisions from the one to undo on, and some before it."""

    known: Mapping[int, Revision]

    def before(self, n: int) -> bytes:
        """The table that revision `n` replaced."""
        revision = self.known[n]
        found = revision.entry.found
        if found is not None and found.loads:
            return found.routing_yaml.encode()
        earlier = [m for m in range(n - 1, max(0, n - 1 - _BEHIND), -1) if m in self.known]
        if n == 1:
            raise CannotUndo("revision 1 put the first table in force; nothing was there before")
        if n - 1 not in earlier:
            raise CannotUndo(
                f"revision {n - 1}, which revision {n} followed, cannot be read; restore"
                f" {n - 1:06}.json from a backup of the ledger"
            )
        after = self.table(revision.entry.routing_yaml, n)
        for m in earlier:
            text = self.known[m].entry.routing_yaml
            if seems_made_from(revision, after, self.table(text, m)):
                return text.encode()
        # Another version of Banyan may have told the same in other words.
        return self.known[n - 1].entry.routing_yaml.encode()

    def step(self, n: int) -> Step:
        """What revision `n` changed."""
        after = self.known[n].entry.routing_yaml
        return Step(n, self.table(self.before(n).decode(), n), self.table(after, n))

    def table(self, text: str, n: int) -> RoutingTable:
        """A text as a table."""
        try:
            return parsed(text.encode(), f"revision {n:06}")
        except RoutingFileError as exc:
            raise CannotUndo(
                f"a table of revision {n} does not load any more ({exc.problems[0]}); print"
                f" it with banyan revisions {n}, mend it, and apply it"
            ) from exc


def _read(books: Books, n: int) -> _Past:
    known: dict[int, Revision] = {}
    for m, content in books.ledger.backwards():
        if m < n - 1 - _BEHIND:
            break
        try:
            known[m] = read_back(content)
        except DamagedRevision as exc:
            if m >= n:
                raise CannotUndo(
                    f"revision {m} is damaged, so nobody knows what it changed; restore"
                    f" {m:06}.json from a backup of the ledger"
                ) from exc
    if n not in known:
        newest = f"the newest is {max(known)}" if known else "the ledger is empty"
        raise CannotUndo(f"there is no revision {n}; {newest}")
    missing = next((m for m in range(n, max(known)) if m not in known), None)
    if missing is not None:
        raise CannotUndo(f"revision {missing} is missing; restore it from a backup of the ledger")
    return _Past(known)
