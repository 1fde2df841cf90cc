"""`banyan kill`, `banyan hold`, `banyan release`: switches of the running proxy."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.cli.killing import KillWish, ask_door, do_kill
from cutover.errors import CutoverError
from cutover.settings import load_settings


def kill(
    domain: Annotated[str | None, typer.Argument(help="Only this domain.")] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Only stop mirroring.")] = False,
    release: Annotated[bool, typer.Option("--release", help="Take it back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Release without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Send everything, or one domain, to legacy at once; no table changes.

    It writes the kill file, which each proxy worker looks at ten times a second, and
    tells the side door. Works with everything else down.

    Exit codes: 0 done; 1 failed; 4 written, but a worker did not confirm.

    Example: banyan kill cart
    """
    code = do_kill(KillWish(domain, shadow, release, yes, as_json))
    if code:
        raise typer.Exit(code)


def hold(
    domain: Annotated[str, typer.Argument(help="Whose writes wait.")],
    for_: Annotated[str, typer.Option("--for", help="At the longest, as 5s or 500ms.")] = "5s",
) -> None:
    """Let a domain's writes wait, until released or for the time given.

    Example: banyan hold cart --for 5s
    """
    answer = ask_door(load_settings().side_door, "POST", "/hold", {"domain": domain, "for": for_})
    if answer.status != 200:
        raise CutoverError(str(answer.body.get("detail")))
    body = answer.body
    typer.echo(
        f"Held: {domain}, for {body['remaining_s']} s in {len(body['workers'])} worker(s);"
        f" {body['in_flight_writes']} write(s) still in flight."
    )


def release(domain: Annotated[str, typer.Argument(help="Whose writes go on.")]) -> None:
    """End a hold: the writes that wait go where the table in force says.

    Exits with 1 when the hold had ended already, and its writes had gone on.

    Example: banyan release cart
    """
    answer = ask_door(load_settings().side_door, "POST", "/release", {"domain": domain})
    if answer.status != 200:
        raise CutoverError(str(answer.body.get("detail")))
    typer.echo(f"Released: {domain}.")
