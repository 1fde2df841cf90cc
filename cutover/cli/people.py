"""`banyan people`: who may use the control room."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.core.access import Role

if TYPE_CHECKING:
    from cutover.storage.people_file import PeopleFile

_Name = Annotated[str, typer.Argument(help="As they sign in and as the ledger names them.")]
_Roles = Annotated[list[Role], typer.Option("--role", help="What they are; may be repeated.")]
_Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of input.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def add(name: _Name, role: _Roles, password_stdin: _Stdin = False) -> None:
    """Let somebody use the control room. Asks for their password.

    A room that runs takes them in at once. With the first person it begins to ask everybody
    who they are. Exit codes: 0 added, 1 failed.

    Example: banyan people add eva --role operator --role approver
    """
    from cutover.core.people import Person, folded

    people, named = people_file(), folded(name)
    sample = Person(named, frozenset(role), "", now())
    people.book().with_person(sample)  # says no before a password is asked for
    hashed = _asked_password(named, from_stdin=password_stdin)
    person = Person(named, frozenset(role), hashed, now())
    people.change(lambda book: book.with_person(person))
    typer.echo(f"{named} may now sign in as {_listed(person.roles)}.")


def list_people(as_json: _Json = False) -> None:
    """List who may use the control room.

    Example: banyan people list --json
    """
    book = people_file().book()
    if as_json:
        rows = [
            {
                "name": one.name, "roles": sorted(one.roles), "disabled": one.disabled,
                "since": one.since.isoformat(timespec="seconds"),
            }
            for one in book.people.values()
        ]  # fmt: skip
        typer.echo(json.dumps(rows, indent=2))
        return
    if not book.people:
        typer.echo("Nobody yet: banyan people add NAME --role admin")
    for one in book.people.values():
        off = ", disabled" if one.disabled else ""
        typer.echo(f"{one.name}: {_listed(one.roles)}{off}, since {one.since:%Y-%m-%d}")


def roles(name: _Name, role: _Roles) -> None:
    """Say what somebody is from now on, instead of what they were.

    Example: banyan people roles eva --role admin
    """
    book = people_file().change(lambda book: book.with_roles(name, frozenset(role)))
    typer.echo(f"{book.person(name).name} is now {_listed(book.person(name).roles)}.")


def disable(name: _Name) -> None:
    """Shut somebody out at once; their name stays taken.

    Example: banyan people disable eva
    """
    book = people_file().change(lambda book: book.with_disabled(name, disabled=True))
    typer.echo(f"{book.person(name).name} may no longer sign in; open sessions have ended.")


def enable(name: _Name) -> None:
    """Let somebody in again who was shut out.

    Example: banyan people enable eva
    """
    book = people_file().change(lambda book: book.with_disabled(name, disabled=False))
    typer.echo(f"{book.person(name).name} may sign in again.")


def password(name: _Name, password_stdin: _Stdin = False) -> None:
    """Give somebody a new password; their open sessions end.

    Example: banyan people password eva
    """
    people = people_file()
    named = people.book().person(name).name
    hashed = _asked_password(named, from_stdin=password_stdin)
    people.change(lambda book: book.with_password(named, hashed))
    typer.echo(f"{named} has a new password; open sessions have ended.")


def now() -> datetime:
    """The moment."""
    return datetime.now(UTC)  # noqa: TID251 - the edge's clock


def people_file() -> PeopleFile:
    """The file of the folder of all state."""
    from cutover.settings import load_settings
    from cutover.storage.people_file import PeopleFile

    return PeopleFile(load_settings().people)


def _asked_password(name: str, *, from_stdin: bool) -> str:
    """The hash of a password that will do. Raises PeopleError: it will not."""
    import getpass
    import sys

    from cutover.core.people import problem_with_password
    from cutover.errors import PeopleError
    from cutover.service.passwords import hash_password

    if from_stdin:
        told = sys.stdin.readline(4096).rstrip("\r\n")
    elif sys.stdin.isatty():
        told = getpass.getpass(f"Password of {name}: ")
        if getpass.getpass("Again: ") != told:
            raise PeopleError("both passwords differ; nothing was written")
    else:
        raise PeopleError("there is no terminal to ask on; use --password-stdin")
    problem = problem_with_password(name, told)
    if problem is not None:
        raise PeopleError(problem)
    return hash_password(told)


def _listed(found: frozenset[Role]) -> str:
    return " and ".join(sorted(found))
