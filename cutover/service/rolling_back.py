"""Take a domain back. Asks no gate, needs no database, no core and no proxy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cutover.core.flip_owners import Owners, contradiction
from cutover.core.revision import Entry, Evidence, Revision, RevisionKind, sha256
from cutover.core.stages import ROLLBACK, Direction, Position, direction, position
from cutover.errors import CannotRead, CannotWrite, Conflict, IllegalStep, NothingInForce
from cutover.service.books import Books
from cutover.service.in_force import InForce, domain_of, look
from proxy.routing import Domain, RoutingTable, Stage

# A rollback does not wait for an apply that hangs: a person waits for the rollback.
_WAIT_S = 0.3
_TRIES = 5

#: Rewrites a table's text so that a domain is in another stage, without a core share.
Restage = Callable[[bytes, str, Stage], bytes]


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback did.

    Attributes:
        revision: the table's revision now in force.
        entry: None when the ledger could not be written.
        is_change: False when the domain was there already.
        warnings: what did not go as it should, a sentence each.
    """

    domain: str
    before: Position
    after: Position
    revision: str
    entry: Revision | None
    is_change: bool
    warnings: tuple[str, ...]


def roll_back(  # noqa: PLR0913 - each is a word of the command
    books: Books,
    domain: str,
    restage: Restage,
    *,
    to: Stage | None,
    actor: str,
    reason: str,
    owners: Owners | None = None,
    evidence: tuple[Evidence, ...] = (),
    wait_s: float = _WAIT_S,
) -> RolledBack:
    """Take a domain one step back, or to the stage that is named.

    The applied file is written before everything else. The ledger comes after it, and a
    ledger that cannot be written is a warning: shoppers come first. `evidence` is what
    somebody saw who takes it back without a person's word; `wait_s` is how long others who
    write may be waited for.

    Raises:
        NothingInForce, UnknownDomain: there is nothing to take back.
        IllegalStep: `to` is further than the domain stands, or its writes would be refused.
        CannotRead, CannotWrite: the applied file itself is out of reach.
    """
    with books.turn.take(wait_s=wait_s) as is_ours:
        warnings = [] if is_ours else ["an apply is at work and was not waited for"]
        done = _swap(books, _Wish(domain, to, restage, owners or {}), warnings)
        written = None
        if done.is_change:
            entry = Entry(
                at=books.now(),
                actor=actor,
                kind=RevisionKind.ROLLBACK,
                reason=reason,
                changes=(_change(domain, done),),
                evidence=evidence,
                routing_yaml=done.text.decode("utf-8"),
                found=done.seen.found,
            )
            written = _write_down(books, entry, warnings)
    return RolledBack(
        domain=domain,
        before=done.before,
        after=done.after,
        revision=sha256(done.text)[:12],
        entry=written,
        is_change=done.is_change,
        warnings=(*done.seen.notes, *warnings),
    )


def owners_or_note(read: Callable[[], Owners]) -> tuple[Owners, tuple[str, ...]]:
    """Who owns what, or a note where nobody can say.

    With the core's database the core is away, and legacy can at least be read.
    """
    try:
        return read(), ()
    except CannotRead as exc:
        return {}, (f"{exc}; if the core owns it, its writes are refused",)


@dataclass(frozen=True, slots=True)
class _Wish:
    domain: str
    to: Stage | None
    restage: Restage
    owners: Owners


@dataclass(frozen=True, slots=True)
class _Done:
    seen: InForce
    before: Position
    after: Position
    text: bytes
    is_change: bool


def _change(domain: str, done: _Done) -> str:
    if done.before == done.after:
        return f"{domain}: stays in stage {done.after}; the applied file was written again"
    return f"{domain}: {done.before} -> {done.after}"


def _swap(books: Books, wish: _Wish, warnings: list[str]) -> _Done:
    """Swap the table in, again and again when others do so in between."""
    for _ in range(_TRIES):
        seen = look(books.applied, books.ledger)
        table = _in_force(seen)
        text = seen.text or b""
        found = domain_of(table, wish.domain)
        before = position(found)
        after = _target(wish.domain, before, wish.to)
        _refuse_if_owned(wish.owners, found, after)
        if after != before:
            text = wish.restage(text, wish.domain, after.stage)
        if text == seen.on_disk:
            return _Done(seen, before, after, text, is_change=False)
        try:
            _put(books, text, seen.on_disk, warnings)
        except Conflict:
            continue  # somebody swapped a table in since we looked; theirs must not be lost
        return _Done(seen, before, after, text, is_change=True)
    raise Conflict("the table in force changes without end; who else writes it?")


def _in_force(seen: InForce) -> RoutingTable:
    if seen.table is not None:
        return seen.table
    if seen.on_disk is None and seen.last is None:
        raise NothingInForce("nothing was ever applied here, so legacy answers everything")
    raise NothingInForce(
        f"no readable table is left ({'; '.join(seen.notes)}); put a good one back by hand"
    )


def _target(domain: str, before: Position, to: Stage | None) -> Position:
    after = Position(ROLLBACK[before.stage] if to is None else to)
    if direction(before, after) in (Direction.FORWARD, Direction.SKIP):
        raise IllegalStep(
            f"{domain} is in stage {before}; {after} is a step forward, which banyan apply takes"
        )
    return after


def _refuse_if_owned(owners: Owners, domain: Domain, after: Position) -> None:
    """A table alone takes no data back: its writes would meet a closed gate."""
    problem = contradiction(owners, domain, after)
    if problem is not None:
        raise IllegalStep(f"{domain.name} cannot be rolled back alone: {problem}")


def _put(books: Books, text: bytes, instead_of: bytes | None, warnings: list[str]) -> None:
    try:
        with books.applied.draft(text) as draft:
            draft.put_in_force(instead_of=instead_of)
    except CannotWrite as exc:
        # A full disk has no room for a second file, but the old one's blocks are ours.
        if instead_of is None:
            raise
        books.applied.overwrite(text)
        warnings.append(f"written in place, because {exc}")


def _write_down(books: Books, entry: Entry, warnings: list[str]) -> Revision | None:
    try:
        return books.ledger.append(entry)
    except CannotWrite as exc:
        warnings.append(
            f"in force, but not in the ledger: {exc}; the next apply or rollback writes it down"
        )
        return None
