"""`banyan plan`, `banyan apply`, `banyan rollback`: the steps of a migration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.cli.going_through import How, Proposal, go_through, here, print_json, warn
from cutover.errors import CutoverError
from cutover.settings import CutoverSettings, load_settings
from proxy.routing import Stage

if TYPE_CHECKING:
    from cutover.core.revision import Revision
    from cutover.service.applying import Prepared

CHANGES = 2

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
    out: Annotated[
        Path | None, typer.Option(help="Write the plan to a file, for banyan apply FILE.")
    ] = None,
    actor: _Actor = None,
) -> None:
    """Show what applying the file would change, with every gate's evidence. Changes nothing.

    With --out the plan is kept in a file that banyan apply takes, as long as what is in
    force is what the plan was made from.

    Example: banyan plan --out monday.plan
    """
    from cutover.cli.show import plan_lines
    from cutover.service.values import plan_value

    settings = load_settings()
    if settings.room:
        from cutover.app.elsewhere import client
        from cutover.cli.remote import plan_there

        made, kept = plan_there(client(settings, actor), config, init=init, out=out)
    else:
        made, kept = _plan_here(settings, config, actor, init=init, out=out)
    if as_json:
        more = {"notes": list(made.notes), "plan_file": kept}
        print_json({**plan_value(made.plan), **more})
    else:
        warn(made.notes)
        typer.echo("\n".join(plan_lines(made.plan, str(config))))
        if kept is not None:
            typer.echo(f"Plan {kept['name']} is written to {out}.")
        if not made.plan.is_empty and not made.plan.refused:
            typer.echo(f"Put it in force with: banyan apply{f' {out}' if out else ''}")
    if detailed_exitcode and not made.plan.is_empty:
        raise typer.Exit(CHANGES)


def apply(
    plan_file: Annotated[
        Path | None,
        typer.Argument(metavar="[PLAN]", help="A file that banyan plan --out wrote."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The desired state. Default: routing.yaml."),
    ] = None,
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

    With PLAN just that plan is applied, or nothing: it is refused when what is in force is
    not what it was made from, and its gates are asked again.

    Example: banyan apply --reason "first shoppers"
    """
    how = How(yes=yes, as_json=as_json)
    settings = load_settings()
    if plan_file is not None and (config is not None or init):
        raise CutoverError("a plan file says itself what it was made of; drop --config, --init")
    file = config or Path("routing.yaml")
    if settings.room:
        from cutover.app.elsewhere import client
        from cutover.cli.remote import plan_file_there, plan_there

        room = client(settings, actor)
        if plan_file is not None:
            made = plan_file_there(room, plan_file)
        else:
            made, _ = plan_there(room, file, init=init, out=None)
    elif plan_file is not None:
        from cutover.cli.planned import planned_here

        made = planned_here(settings, plan_file, actor=actor or settings.actor)
    else:
        made, _ = _plan_here(settings, file, actor, init=init, out=None)
    go_through(made, str(plan_file or file), how, reason)


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


def _plan_here(
    settings: CutoverSettings, config: Path, actor: str | None, *, init: bool, out: Path | None
) -> tuple[Proposal, dict[str, str] | None]:
    import asyncio

    from cutover.app.hands import hands
    from proxy.storage.tables import read_routing

    acting, who = hands(settings), actor or settings.actor
    prepared = asyncio.run(acting.plan(read_routing(config), str(config), who, init=init))

    def committed(reason: str) -> Revision:
        return asyncio.run(acting.apply(prepared, actor=who, reason=reason))

    kept = None if out is None else _keep(settings, prepared, (config, out), who, init=init)
    return here(settings, prepared, committed), kept


def _keep(
    settings: CutoverSettings,
    prepared: Prepared,
    files: tuple[Path, Path],
    actor: str,
    *,
    init: bool,
) -> dict[str, str]:
    from cutover import app
    from cutover.service.plan_files import keep
    from cutover.storage.plan_files import write_plan

    config, out = files
    planned = keep(app.books(settings), prepared, file=str(config), actor=actor, init=init)
    write_plan(out, planned)
    return {"path": str(out), "name": planned.name}
