"""Find out which table is in force, whatever happened to the files."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.revision import DamagedRevision, Found, Revision, sha256
from cutover.errors import CannotRead, UnknownDomain
from cutover.ports import AppliedTable, Ledger
from cutover.service.revisions import read_back
from cutover.service.tables import parsed
from proxy.errors import RoutingFileError
from proxy.routing import Domain, RoutingTable
from proxy.routing.values import nearest


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force, and what is odd about it.

    Attributes:
        table: None when nothing was ever applied, or nothing readable is left.
        text: the bytes that `table` was read from.
        on_disk: the applied file's bytes as they are, None when there is no file.
        found: a table in force that the ledger does not know.
        last: the newest revision that can be read.
        notes: what an engineer should know, a sentence each.
    """

    table: RoutingTable | None
    text: bytes | None
    on_disk: bytes | None
    found: Found | None
    last: Revision | None
    notes: tuple[str, ...]


def look(applied: AppliedTable, ledger: Ledger) -> InForce:
    """Read the applied file and set it against the ledger.

    The applied file is what the proxies follow, so it counts, also where the ledger says
    otherwise. Where it is missing or does not load, the proxies go on with their last
    good table, which is the last revision's.

    Raises:
        CannotRead: the applied file exists and cannot be read.
    """
    notes: list[str] = []
    on_disk = applied.read()
    try:
        known = _readable(ledger, notes)
    except CannotRead as exc:
        # The table is what shoppers meet; a ledger out of reach must not hide it.
        return _without_ledger(applied, on_disk, f"the ledger is out of reach: {exc}")
    last = known[0] if known else None
    if on_disk is None:
        if last is None:
            return InForce(None, None, None, None, None, tuple(notes))
        notes.append(
            f"{applied.name} is missing; revision {last.n} says what was in force, and the"
            " next apply or rollback writes it again"
        )
        return _by_ledger(last, None, None, notes)
    try:
        table = parsed(on_disk, applied.name)
    except RoutingFileError as exc:
        found = Found(sha256(on_disk), on_disk.decode(errors="backslashreplace"), loads=False)
        notes.append(f"{applied.name} does not load ({exc.problems[0]}); proxies keep their table")
        if last is None:
            return InForce(None, None, on_disk, found, None, tuple(notes))
        return _by_ledger(last, on_disk, found, notes)
    stranger = _stranger(applied, on_disk, known, notes)
    return InForce(table, on_disk, on_disk, stranger, last, tuple(notes))


def domain_of(table: RoutingTable, name: str) -> Domain:
    """A domain of the table in force. Raises UnknownDomain, with what was meant."""
    for domain in table.domains:
        if domain.name == name:
            return domain
    known = [domain.name for domain in table.domains]
    meant = nearest(name, known)
    hint = f"did you mean {meant}?" if meant else f"it has: {', '.join(known) or 'none'}"
    raise UnknownDomain(f"the table in force has no domain {name}; {hint}")


def _without_ledger(applied: AppliedTable, on_disk: bytes | None, problem: str) -> InForce:
    if on_disk is None:
        return InForce(None, None, None, None, None, (problem,))
    try:
        table = parsed(on_disk, applied.name)
    except RoutingFileError as exc:
        note = f"{applied.name} does not load ({exc.problems[0]})"
        return InForce(None, None, on_disk, None, None, (problem, note))
    return InForce(table, on_disk, on_disk, None, None, (problem,))


def _readable(ledger: Ledger, notes: list[str]) -> list[Revision]:
    known: list[Revision] = []
    for n, content in ledger.latest():
        try:
            known.append(read_back(content))
        except DamagedRevision as exc:
            notes.append(
                f"revision {n:06} is damaged: {exc}; restore its file from a backup,"
                " later revisions chain to it as it stands"
            )
    return known


def _by_ledger(
    last: Revision, on_disk: bytes | None, found: Found | None, notes: list[str]
) -> InForce:
    text = last.entry.routing_yaml.encode()
    try:
        table = parsed(text, f"revision {last.n:06}")
    except RoutingFileError as exc:
        # Written by another version of Banyan, whose files had another form.
        notes.append(f"the table of revision {last.n} does not load either ({exc.problems[0]})")
        return InForce(None, None, on_disk, found, last, tuple(notes))
    return InForce(table, text, on_disk, found, last, tuple(notes))


def _stranger(
    applied: AppliedTable, on_disk: bytes, known: list[Revision], notes: list[str]
) -> Found | None:
    """What is in force and not the last revision's: an interrupted apply, or a hand."""
    digest = sha256(on_disk)
    if not known:
        notes.append(f"{applied.name} is in force, but no revision says how it came about")
        return Found(digest, on_disk.decode("utf-8"), loads=True)
    last, earlier = known[0], known[1:]
    if digest == last.table_sha256:
        return None
    if earlier and digest == earlier[0].table_sha256:
        # 1. An apply wrote its revision, 2. died, 3. and never swapped the table in.
        notes.append(
            f"revision {last.n} never came into force: its apply was interrupted;"
            f" revision {earlier[0].n} is in force"
        )
        return None
    notes.append(
        f"{applied.name} was changed outside Banyan after revision {last.n}; what it says is"
        " in force, and the next apply or rollback writes it down"
    )
    return Found(digest, on_disk.decode("utf-8"), loads=True)
