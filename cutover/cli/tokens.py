"""`banyan tokens`: which programs may use the control room."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cutover.core.access import Role

_Name = Annotated[str, typer.Argument(help="Of the program; the ledger names it so.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def add(
    name: _Name,
    role: Annotated[list[Role], typer.Option("--role", help="What it is; may be repeated.")],
    expires: Annotated[
        str | None, typer.Option(help="How long it lasts: 12h, 90d, 26w. Default: for ever.")
    ] = None,
) -> None:
    """Make a token for a program and print it, this once.

    Only its digest is kept. The program sends it as "Authorization: Bearer ...".

    Example: banyan tokens add grafana --role viewer --expires 90d
    """
    from cutover.cli.people import enrolment

    secret = enrolment().issue(name, frozenset(role), expires)
    typer.echo("Keep this token; it is not shown again:", err=True)
    typer.echo(secret)


def list_tokens(as_json: _Json = False) -> None:
    """List the tokens by name; none is shown.

    Example: banyan tokens list --json
    """
    from cutover.cli.people import enrolment, now

    book, at = enrolment().book(), now()
    if as_json:
        rows = [
            {
                "name": one.name, "roles": sorted(one.roles), "void": one.is_void(at),
                "since": one.since.isoformat(timespec="seconds"),
                "expires": one.expires and one.expires.isoformat(timespec="seconds"),
            }
            for one in book.tokens.values()
        ]  # fmt: skip
        typer.echo(json.dumps(rows, indent=2))
        return
    if not book.tokens:
        typer.echo("None yet: banyan tokens add NAME --role viewer --expires 90d")
    for one in book.tokens.values():
        until = "for ever" if one.expires is None else f"until {one.expires:%Y-%m-%d %H:%M} UTC"
        void = ", over" if one.is_void(at) else ""
        typer.echo(f"{one.name}: {' and '.join(sorted(one.roles))}, {until}{void}")


def revoke(name: _Name) -> None:
    """Make a token void at once.

    Example: banyan tokens revoke grafana
    """
    from cutover.cli.people import enrolment

    enrolment().revoke(name)
    typer.echo(f"The token {name} is void.")
