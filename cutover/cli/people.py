"""`banyan people`: who may use the control room."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.core.access import Role

if TYPE_CHECKING:
    from cutover.service.enrolment import Enrolment

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
    people = enrolment()
    named = people.must_be_free(name, frozenset(role))  # before a password is asked for
    told = _asked_password(named, from_stdin=password_stdin)
    person = people.add(named, frozenset(role), told)
    typer.echo(f"{named} may now sign in as {_listed(person.roles)}.")


def list_people(as_json: _Json = False) -> None:
    """List who may use the control room.

    Example: banyan people list --json
    """
    book = enrolment().book()
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
    person = enrolment().give_roles(name, frozenset(role))
    typer.echo(f"{person.name} is now {_listed(person.roles)}.")


def disable(name: _Name) -> None:
    """Shut somebody out at once; their name stays taken.

    Example: banyan people disable eva
    """
    person = enrolment().disable(name)
    typer.echo(f"{person.name} may no longer sign in; open sessions have ended.")


def enable(name: _Name) -> None:
    """Let somebody in again who was shut out.

    Example: banyan people enable eva
    """
    person = enrolment().enable(name)
    typer.echo(f"{person.name} may sign in again.")


def password(name: _Name, password_stdin: _Stdin = False) -> None:
    """Give somebody a new password; their open sessions end.

    Example: banyan people password eva
    """
    people = enrolment()
    named = people.book().person(name).name
    people.give_password(named, _asked_password(named, from_stdin=password_stdin))
    typer.echo(f"{named} has a new password; open sessions have ended.")


def now() -> datetime:
    """The moment."""
    return datetime.now(UTC)  # noqa: TID251 - the edge's clock


def enrolment() -> Enrolment:
    """Of the file of people in the folder of all state."""
    from cutover.service.enrolment import Enrolment
    from cutover.settings import load_settings
    from cutover.storage.people_file import PeopleFile

    return Enrolment(PeopleFile(load_settings().people), now)


def _asked_password(name: str, *, from_stdin: bool) -> str:
    """A password as it was typed. Raises PeopleError: it was not."""
    import getpass
    import sys

    from cutover.errors import PeopleError

    if from_stdin:
        return sys.stdin.readline(4096).rstrip("\r\n")
    if sys.stdin.isatty():
        told = getpass.getpass(f"Password of {name}: ")
        if getpass.getpass("Again: ") != told:
            raise PeopleError("both passwords differ; nothing was written")
        return told
    raise PeopleError("there is no terminal to ask on; use --password-stdin")


def _listed(found: frozenset[Role]) -> str:
    return " and ".join(sorted(found))
