"""Read the ledger: pages of it, one revision, what differs between two, whether it is whole."""

from __future__ import annotations

import contextlib
import difflib
from dataclasses import dataclass
from typing import Protocol

from cutover.core.chain import Checked, check, is_hash
from cutover.core.plan import make_plan
from cutover.core.revision import DamagedRevision, Revision, from_json, told
from cutover.errors import CannotRead, CutoverError, NoSuchRevision
from cutover.ports import Ledger
from cutover.service.approving import touches
from cutover.service.books import Books
from cutover.service.in_force import look
from proxy.storage.tables import parse_routing


@dataclass(frozen=True, slots=True)
class Page:
    """Some revisions, newest first.

    Attributes:
        problems: entries in between that cannot be read, a sentence each.
        before: a later page has what is older than this number; None when nothing is.
        is_empty: nothing was looked at at all.
    """

    revisions: tuple[Revision, ...]
    problems: tuple[str, ...]
    before: int | None
    is_empty: bool


def page(
    ledger: Ledger, *, limit: int, domain: str | None = None, before: int | None = None
) -> Page:
    """At most `limit` revisions older than `before`, of one domain or of all.

    Raises:
        CannotRead: the ledger is out of reach.
    """
    found: list[Revision] = []
    problems: list[str] = []
    is_empty, last = True, 0
    for n, content in ledger.backwards():
        is_empty = False
        if before is not None and n >= before:
            continue
        if len(found) == limit:
            return Page(tuple(found), tuple(problems), last, is_empty)
        last = n
        try:
            revision = from_json(content)
        except DamagedRevision as exc:
            problems.append(f"revision {n:06} is damaged: {exc}; banyan ledger verify says more")
            continue
        if domain is None or touches(revision, domain):
            found.append(revision)
    return Page(tuple(found), tuple(problems), None, is_empty)


def one(ledger: Ledger, number: int) -> Revision:
    """A revision.

    Raises:
        NoSuchRevision: there is none of that number.
        CannotRead: it is damaged, or the ledger is out of reach.
    """
    newest = None
    for n, content in ledger.backwards():
        newest = n if newest is None else newest
        if n > number:
            continue
        if n < number:
            break
        try:
            return from_json(content)
        except DamagedRevision as exc:
            raise CannotRead(
                f"revision {number} is damaged: {exc}; restore {number:06}.json from a backup"
                " of the ledger"
            ) from exc
    known = "the ledger is empty" if newest is None else f"the newest is {newest}"
    raise NoSuchRevision(f"there is no revision {number}; {known}")


def written_since(ledger: Ledger, n: int) -> tuple[Revision, ...]:
    """The revisions after one that can be read, newest first. Raises CannotRead."""
    found: list[Revision] = []
    for m, content in ledger.backwards():
        if m <= n:
            break
        with contextlib.suppress(DamagedRevision):
            found.append(from_json(content))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two tables.

    Attributes:
        names: what messages call them.
        is_same_file: they are the same byte for byte.
        sentences: what differs, or lines of a diff of the files.
    """

    names: tuple[str, str]
    is_same_file: bool
    sentences: tuple[str, ...]


def difference(books: Books, before: int, after: int | None, *, as_text: bool) -> Difference:
    """What differs between a revision and another, or what is in force.

    Raises:
        NoSuchRevision: there is none of that number.
        CannotRead: it is damaged, or files are out of reach.
        RoutingFileError: a table does not load any more.
        CutoverError: nothing is in force.
    """
    old = one(books.ledger, before).entry.routing_yaml
    if after is None:
        content = books.applied.read()
        if content is None:
            raise CutoverError("nothing is in force to compare with; name a second revision")
        new, other = content.decode(errors="backslashreplace"), "what is in force"
    else:
        new, other = one(books.ledger, after).entry.routing_yaml, f"revision {after}"
    names = (f"revision {before}", other)
    if as_text:
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")
        return Difference(names, old == new, tuple(lines))
    first, second = (
        parse_routing(text.encode(), name) for text, name in zip((old, new), names, strict=True)
    )
    return Difference(names, old == new, make_plan(second, first, {}, init=True).sentences())


def verification(books: Books, head: str | None) -> tuple[Checked, tuple[str, ...]]:
    """Whether the chain is whole and holds a head that was noted, and what is odd besides.

    Raises:
        CutoverError: `head` is no hash.
        CannotRead: files are out of reach.
    """
    if head is not None and not is_hash(head):
        raise CutoverError(f"{head} is no head: it has 12 to 64 digits of 0-9 and a-f")
    in_force = books.applied.read()
    links = [told(n, content) for n, content in books.ledger.links()]
    found = check(links, noted=head, is_in_force=in_force is not None)
    return found, look(books.applied, books.ledger).notes if found.count else ()


class Reading(Protocol):
    """A ledger to read, wherever it lies. All raise as the functions of this module do."""

    @property
    def place(self) -> str:
        """What messages call it."""
        ...

    def page(self, *, limit: int, domain: str | None) -> Page:
        """The newest revisions, of one domain or of all."""
        ...

    def one(self, number: int) -> Revision:
        """A revision."""
        ...

    def difference(self, before: int, after: int | None, *, as_text: bool) -> Difference:
        """What differs between two tables."""
        ...

    def verification(self, head: str | None) -> tuple[Checked, tuple[str, ...]]:
        """Whether the chain is whole, and what is odd besides."""
        ...


@dataclass(frozen=True, slots=True)
class BooksReading:
    """Implements Reading over files of this machine."""

    books: Books
    place: str

    def page(self, *, limit: int, domain: str | None) -> Page:
        return page(self.books.ledger, limit=limit, domain=domain)

    def one(self, number: int) -> Revision:
        return one(self.books.ledger, number)

    def difference(self, before: int, after: int | None, *, as_text: bool) -> Difference:
        return difference(self.books, before, after, as_text=as_text)

    def verification(self, head: str | None) -> tuple[Checked, tuple[str, ...]]:
        return verification(self.books, head)
