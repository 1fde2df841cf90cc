"""Every command of `banyan` by its address, and the Typer application made of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

#: Command to "module:function". A new command is one line here.
COMMANDS: Mapping[str, str] = {
    "up": "cutover.cli.platform:up",
    "demo": "cutover.cli.platform:demo",
    "proxy": "proxy.cli:serve",
    "compare": "shadow_compare.cli:compare",
    "ship": "shadow_compare.cli:ship",
    "core": "legacy_adapters.cli:core",
    "room": "cutover.cli.room:room",
    "backfill": "legacy_adapters.cli:backfill",
    "plan": "cutover.cli.steps:plan",
    "apply": "cutover.cli.steps:apply",
    "rollback": "cutover.cli.steps:rollback",
    "kill": "cutover.cli.switches:kill",
    "hold": "cutover.cli.switches:hold",
    "release": "cutover.cli.switches:release",
    "status": "cutover.cli.standing:status",
    "revisions": "cutover.cli.standing:revisions",
    "parity": "shadow_compare.cli:parity",
    "replay": "shadow_compare.replay_cli:replay",
    "calibrate": "cutover.cli.calibrating:calibrate",
}
#: A group with "list" does that when no other command of it is named.
GROUPS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "mismatches": (
        "List groups of mismatches, open one, ask again, and say what becomes of it.",
        {
            "list": "shadow_compare.mismatch_cli:list_groups",
            "show": "shadow_compare.mismatch_cli:show",
            "curl": "shadow_compare.mismatch_cli:curl",
            "har": "shadow_compare.mismatch_cli:har",
            "triage": "shadow_compare.mismatch_cli:triage",
            "accept": "shadow_compare.mismatch_cli:accept",
            "fix": "shadow_compare.mismatch_cli:fix",
        },
    ),
    "routes": (
        "Check, explain and edit a routing file.",
        {
            "check": "cutover.cli.routes:check",
            "explain": "cutover.cli.routes:explain",
            "set": "cutover.cli.rules:set_stage",
            "accept": "cutover.cli.rules:accept",
        },
    ),
    "evidence": (
        "Delete what is kept of exchanges: what is old, or one person's.",
        {"prune": "shadow_compare.cli:prune", "purge": "shadow_compare.cli:purge"},
    ),
    "rules": (
        "Prove the compare rules: what they miss, hide, or never needed.",
        {
            "prove": "cutover.cli.proving:prove",
            "coverage": "cutover.cli.proving:coverage",
            "check": "cutover.cli.proving:check",
            "unused": "cutover.cli.proving:unused",
        },
    ),
}


def build(only: str | None = None) -> typer.Typer:
    """The command line; with `only` a known command, just that one, which loads faster."""
    app = typer.Typer(
        name="banyan",
        help="Move a live shop to a new core, one domain at a time, on evidence.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_banyan)
    is_known = only in COMMANDS or only in GROUPS
    _add(app, {k: v for k, v in COMMANDS.items() if not is_known or k == only}, must=is_known)
    for name, (told, commands) in GROUPS.items():
        if is_known and name != only:
            continue
        lists = "list" in commands
        group = typer.Typer(
            help=told,
            cls=_ListFirst if lists else TyperGroup,
            no_args_is_help=not lists,
            rich_markup_mode=None,
        )
        _add(group, commands, must=is_known)
        app.add_typer(group, name=name)
    return app


class _ListFirst(TyperGroup):
    """`banyan mismatches catalog --json` is short for `banyan mismatches list catalog --json`."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in ctx.help_option_names:
            args = ["list", *args]
        return super().parse_args(ctx, args)


def _add(app: typer.Typer, commands: Mapping[str, str], *, must: bool) -> None:
    """Mount commands. One whose package was deleted is left out, unless it was asked for."""
    for name, address in commands.items():
        module, _, function = address.partition(":")
        try:
            found: Any = getattr(import_module(module), function)
        except ModuleNotFoundError as exc:
            if must or exc.name is None or not module.startswith(exc.name):
                raise
            continue
        app.command(name)(found)


def _show_version(value: bool) -> None:
    if value:
        from importlib import metadata

        typer.echo(f"banyan {metadata.version('banyan-migration')}")
        raise typer.Exit


def _banyan(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Move a live shop to a new core, one domain at a time, on evidence."""
