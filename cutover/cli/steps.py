"""`banyan plan`, `banyan apply`, `banyan rollback`: the steps of a migration."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.errors import CutoverError
from cutover.settings import CutoverSettings, load_settings
from proxy.routing import Stage

if TYPE_CHECKING:
    from cutover.service.applying import Prepared

CHANGES, REFUSED = 2, 3

_Config = Annotated[Path, typer.Option("--config", "-c", help="The desired state.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_Actor = Annotated[
    str | None, typer.Option(help="Who the ledger names. Default: BANYAN_ACTOR, or you.")
]
_Init = Annotated[
    bool,
    typer.Option("--init", help="On a first apply: take the stages of the file as they are."),
]


def plan(
    config: _Config = Path("routing.yaml"),
    as_json: _Json = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode", help="Exit with 0 for no change, 2 for changes, 1 for an error."
        ),
    ] = False,
    init: _Init = False,
) -> None:
    """Show what applying the file would change, with every gate's evidence. Changes nothing.

    Example: banyan plan --config routing.yaml
    """
    from cutover.cli.show import plan_lines
    from cutover.cli.values import plan_value

    prepared = _prepared(load_settings(), config, init=init)
    if as_json:
        notes = {"notes": list(prepared.notes)}
        _print_json({**plan_value(prepared.plan), **notes})
    else:
        _warn(prepared.notes)
        typer.echo("\n".join(plan_lines(prepared.plan, str(config))))
        if not prepared.plan.is_empty and not prepared.plan.refused:
            typer.echo("Put it in force with: banyan apply")
    if detailed_exitcode and not prepared.plan.is_empty:
        raise typer.Exit(CHANGES)


def apply(
    config: _Config = Path("routing.yaml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    actor: _Actor = None,
    as_json: _Json = False,
    init: _Init = False,
) -> None:
    """Put the file in force, and write it down. Nothing changes unless everything may.

    A step forward from shadow on needs its domain's parity gate; one that does not pass
    keeps the whole plan back. Exit codes: 0 in force, or nothing to change; 1 failed; 3
    refused, and the output says what would make it pass; 4 written, but a running proxy
    did not take it within 5 seconds.

    Example: banyan apply --reason "first shoppers"
    """
    from cutover.cli.show import plan_lines

    settings = load_settings()
    prepared = _prepared(settings, config, init=init)
    if not as_json:
        _warn(prepared.notes)
        typer.echo("\n".join(plan_lines(prepared.plan, str(config))))
    if prepared.plan.refused:
        if as_json:
            _print_json(_applied_value(prepared))
        raise typer.Exit(REFUSED)
    if prepared.plan.is_empty and prepared.in_force.on_disk == prepared.in_force.text:
        if as_json:
            _print_json(_applied_value(prepared))
        return
    if not yes:
        _ask()
    _apply(settings, prepared, reason, actor, as_json=as_json)


def _apply(
    settings: CutoverSettings, prepared: Prepared, reason: str, actor: str | None, *, as_json: bool
) -> None:
    from cutover import app
    from cutover.cli.taking_back import NOT_TAKEN, taken_value
    from cutover.cli.values import revision_value
    from cutover.service.acknowledge import Ack, wait_until_taken
    from cutover.service.applying import commit

    who = actor or settings.actor
    revision = commit(app.books(settings), prepared, actor=who, reason=reason)
    taken = wait_until_taken(app.door(settings), revision.table_sha256[:12], app.timer())
    if as_json:
        _print_json(
            {
                **_applied_value(prepared),
                "is_applied": True,
                "revision": revision_value(revision),
                "proxy": taken_value(taken),
            }
        )
    else:
        typer.echo(f"Revision {revision.n} is in force. {taken.sentence}")
    if taken.ack is Ack.NOT_TAKEN:
        raise typer.Exit(NOT_TAKEN)


def rollback(
    domain: Annotated[str, typer.Argument(help="The domain to take back.")],
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")],
    to: Annotated[
        Stage | None,
        typer.Option(help="legacy or shadow. Default: shadow from canary on, else legacy."),
    ] = None,
    config: _Config = Path("routing.yaml"),
    actor: _Actor = None,
    as_json: _Json = False,
) -> None:
    """Give a domain back to the legacy store, at once. Asks no gate and needs no database.

    The core stays in shadow, so evidence goes on. Works with everything but the disk
    down; a proxy that is down takes it when it starts. The desired state is not touched:
    banyan plan shows what it still asks for. Exit codes: 0 done, 1 failed, 4 written, but
    a running proxy did not take it within 5 seconds.

    Example: banyan rollback catalog --reason "searches are slow"
    """
    from cutover.cli.taking_back import Wish, take_back

    raise typer.Exit(take_back(Wish(domain, reason, to, config, actor, as_json=as_json)))


def _applied_value(prepared: Prepared) -> dict[str, Any]:
    from cutover.cli.values import plan_value

    return {
        "is_applied": False,
        "plan": plan_value(prepared.plan),
        "revision": None,
        "proxy": None,
        "notes": list(prepared.notes),
    }


def _prepared(settings: CutoverSettings, config: Path, *, init: bool) -> Prepared:
    import asyncio

    from cutover import app
    from cutover.service.applying import prepare
    from proxy.storage.tables import read_routing

    work = prepare(
        app.books(settings),
        read_routing(config),
        str(config),
        app.evidence(settings),
        open_proof=app.proof(settings),
        init=init,
    )
    return asyncio.run(work)


def _ask() -> None:
    if not sys.stdin.isatty():
        raise CutoverError("nobody is there to say yes; say --yes to apply without asking")
    if not typer.confirm("Put this in force?"):
        typer.echo("Nothing changed.")
        raise typer.Exit(1)


def _warn(notes: tuple[str, ...]) -> None:
    for note in notes:
        typer.secho(f"note: {note}", err=True, fg=typer.colors.YELLOW)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))
