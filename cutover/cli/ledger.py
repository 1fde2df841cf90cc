"""`banyan ledger` and `banyan revisions`: what was in force, who did it, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.settings import load_settings

if TYPE_CHECKING:
    from cutover.core.chain import Checked
    from cutover.core.revision import Revision
    from cutover.service.ledger_reading import Reading

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_Limit = Annotated[int, typer.Option(min=1, help="List at most so many, newest first.")]
_LIMIT = 20


def list_revisions(
    domain: Annotated[str | None, typer.Option(help="Only what changed this domain.")] = None,
    limit: _Limit = _LIMIT,
    as_json: _Json = False,
) -> None:
    """List what was put in force, by whom and why, newest first.

    Example: banyan ledger list --domain catalog
    """
    from cutover.service.values import revision_value

    found = _reading().page(limit=limit, domain=domain)
    if as_json:
        revisions = [revision_value(one) for one in found.revisions]
        _print_json({"revisions": revisions, "problems": list(found.problems)})
        return
    for revision in found.revisions:
        typer.echo(_line(revision))
    if not found.revisions:
        typer.echo("No revision yet." if found.is_empty else f"No revision changed {domain}.")
    for problem in found.problems:
        typer.echo(f"note: {problem}", err=True)


def show(
    number: Annotated[int, typer.Argument(metavar="N", help="The revision.")],
    as_json: _Json = False,
) -> None:
    """Show all that a revision says: who, when, why, what changed, and on which evidence.

    Example: banyan ledger show 7
    """
    from cutover.service.values import whole_revision_value

    revision = _reading().one(number)
    if as_json:
        _print_json(whole_revision_value(revision))
    else:
        typer.echo("\n".join(_told(revision)))


def diff(
    before: Annotated[int, typer.Argument(metavar="A", help="A revision.")],
    after: Annotated[
        int | None, typer.Argument(metavar="[B]", help="Another. Default: what is in force.")
    ] = None,
    as_text: Annotated[
        bool, typer.Option("--text", help="Compare the files line by line instead.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Show what differs between the tables of two revisions. Changes nothing.

    Example: banyan ledger diff 6 8
    """
    found = _reading().difference(before, after, as_text=as_text)
    told = list(found.sentences)
    if as_json:
        same = found.is_same_file
        _print_json({"a": before, "b": after, "is_same_file": same, "differences": told})
    elif told:
        typer.echo("\n".join(told))
    elif found.is_same_file:
        typer.echo(f"The files of {found.names[0]} and of {found.names[1]} are the same.")
    else:
        typer.echo("Nothing that decides differs: only comments, order or form. See --text.")


def verify(
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH", help="A head that was noted earlier, or its first 12 digits or more."
        ),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Check the whole chain of revisions, and print its head, to be noted elsewhere.

    A chain whose end was cut off looks whole; only a head that was noted before, and is
    named with --head, tells. Exit codes: 0 whole; 1 broken, and each problem comes with its
    way out.

    Example: banyan ledger verify --head 3f9a0c1d22b4
    """
    from cutover.service.values import checked_value

    reading = _reading()
    found, notes = reading.verification(head)
    if as_json:
        _print_json(checked_value(found, notes))
    else:
        _tell(found, notes, reading.place)
    if found.flaws:
        raise typer.Exit(1)


def revisions(
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", help="Print this revision's routing file.")
    ] = None,
    limit: _Limit = _LIMIT,
    as_json: _Json = False,
) -> None:
    """List what was put in force and check the chain: `banyan ledger` `list` and `verify` in one.

    Exits with 1 when an entry is missing, damaged or out of place.

    Example: banyan revisions 7 > routing.yaml
    """
    from cutover import app
    from cutover.core.revision import DamagedRevision, chain_problems, from_json
    from cutover.service.ledger_reading import one
    from cutover.service.values import revision_value

    ledger = app.ledger(load_settings())
    if number is not None:
        revision = one(ledger, number)
        if as_json:
            table = {"routing_yaml": revision.entry.routing_yaml}
            _print_json({**revision_value(revision), **table})
        else:
            typer.echo(revision.entry.routing_yaml, nl=False)
        return
    links = ledger.links()
    problems = chain_problems(links)
    readable = []
    for _, content in reversed(links):
        try:
            readable.append(from_json(content))
        except DamagedRevision:
            continue  # named among the problems
    if as_json:
        found = [revision_value(revision) for revision in readable[:limit]]
        _print_json({"revisions": found, "problems": list(problems)})
    else:
        for revision in readable[:limit]:
            typer.echo(_line(revision))
        if not links:
            typer.echo("No revision yet.")
    for problem in problems:
        typer.echo(f"banyan: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _reading() -> Reading:
    """The ledger of this machine, or of the room that BANYAN_ROOM names."""
    from cutover import app

    settings = load_settings()
    from cutover.service.ledger_reading import BooksReading

    if settings.room:
        from cutover.app.elsewhere import client
        from cutover.edge.room_reading import RoomReading

        return RoomReading(client(settings, None))
    return BooksReading(app.books(settings), str(settings.revisions))


def _line(revision: Revision) -> str:
    entry = revision.entry
    return (
        f"{revision.n:>6}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.kind:<8}  {entry.actor}"
        f"  {'; '.join(entry.changes)}{f'  ({entry.reason})' if entry.reason else ''}"
    )


def _told(revision: Revision) -> list[str]:
    entry = revision.entry
    lines = [
        f"Revision {revision.n}, {entry.kind} by {entry.actor}, {entry.at:%Y-%m-%d %H:%M:%S} UTC",
        f"Why: {entry.reason or 'nobody said'}",
        "",
        *(f"  {change}" for change in entry.changes or ("nothing that decides changed",)),
    ]
    for said in entry.evidence:
        counted = f", {said.compared:,} compared" if said.gate == "parity" else ""
        lines += ["", f"  {said.gate} of {said.domain}: {said.verdict}{counted}"]
        lines += [f"    {sentence}" for sentence in said.sentences]
    if entry.found is not None:
        is_table = "" if entry.found.loads else ", which was no table"
        lines += ["", f"Found in force, unknown to the ledger{is_table}:"]
        lines += [f"  | {line}" for line in entry.found.routing_yaml.splitlines()]
    return [
        *lines,
        "",
        f"Table: {revision.table_sha256} (banyan revisions {revision.n} prints it)",
        f"Hash: {revision.hash}",
        f"After: {revision.prev_hash}",
    ]


def _tell(found: Checked, notes: tuple[str, ...], place: str) -> None:
    for flaw in found.flaws:
        typer.echo(f"banyan: {flaw.problem}; {flaw.way_out}", err=True)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    count = "1 revision" if found.count == 1 else f"{found.count:,} revisions"
    if found.flaws:
        problems = "1 problem" if len(found.flaws) == 1 else f"{len(found.flaws)} problems"
        typer.echo(f"The chain in {place} is broken: {problems}, {count}.")
    elif not found.count:
        typer.echo(f"The ledger in {place} is empty: nothing was ever applied here.")
    else:
        typer.echo(f"The chain in {place} is whole: {count}.")
    if found.noted is not None:
        since = found.count - found.noted
        typer.echo(f"The noted head is that of revision {found.noted}; {since} came since.")
    if found.head is not None:
        typer.echo(f"Head: {found.head}")


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))
