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
    "preflight": "legacy_adapters.cli:preflight",
    "plan": "cutover.cli.steps:plan",
    "apply": "cutover.cli.steps:apply",
    "approve": "cutover.cli.steering:approve",
    "rollback": "cutover.cli.steps:rollback",
    "steer": "cutover.cli.steering:steer",
    "notify": "cutover.cli.hooks:notify",
    "undo": "cutover.cli.undoing:undo",
    "flip": "cutover.cli.flips:flip",
    "readiness": "cutover.cli.flips:readiness",
    "kill": "cutover.cli.switches:kill",
    "hold": "cutover.cli.switches:hold",
    "release": "cutover.cli.switches:release",
    "status": "cutover.cli.standing:status",
    "revisions": "cutover.cli.ledger:revisions",
    "report": "cutover.cli.report:report",
    "risks": "cutover.cli.risks:risks",
    "parity": "shadow_compare.cli:parity",
    "replay": "shadow_compare.replay_cli:replay",
    "reconcile": "shadow_compare.reconcile_cli:reconcile",
    "repair": "shadow_compare.drift_cli:repair",
    "calibrate": "cutover.cli.calibrating:calibrate",
    "loadtest": "cutover.cli.loadtests:loadtest",
}
#: A group with "list" or "run" does that when no other command of it is named.
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
    "drift": (
        "List what differs between both stores, open one of it, or let it be.",
        {
            "list": "shadow_compare.drift_cli:list_drift",
            "show": "shadow_compare.drift_cli:show",
            "accept": "shadow_compare.drift_cli:accept",
        },
    ),
    "ledger": (
        "What was put in force, by whom and why, and whether the chain of it is whole.",
        {
            "list": "cutover.cli.ledger:list_revisions",
            "show": "cutover.cli.ledger:show",
            "diff": "cutover.cli.ledger:diff",
            "verify": "cutover.cli.ledger:verify",
        },
    ),
    "hooks": (
        "Who is told what becomes of domains: webhooks, and Slack.",
        {
            "list": "cutover.cli.hooks:list_hooks",
            "add": "cutover.cli.hooks:add",
            "remove": "cutover.cli.hooks:remove",
            "test": "cutover.cli.hooks:try_out",
            "deliveries": "cutover.cli.hooks:deliveries",
        },
    ),
    "people": (
        "Who may use the control room.",
        {
            "list": "cutover.cli.people:list_people",
            "add": "cutover.cli.people:add",
            "roles": "cutover.cli.people:roles",
            "disable": "cutover.cli.people:disable",
            "enable": "cutover.cli.people:enable",
            "password": "cutover.cli.people:password",
        },
    ),
    "tokens": (
        "Which programs may use the control room.",
        {
            "list": "cutover.cli.tokens:list_tokens",
            "add": "cutover.cli.tokens:add",
            "revoke": "cutover.cli.tokens:revoke",
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
    "sync": (
        "Keep the legacy and the core in step, in both directions.",
        {
            "run": "legacy_adapters.cli.sync:run",
            "install": "legacy_adapters.cli.sync:install",
            "remove": "legacy_adapters.cli.sync:remove",
            "backfill": "legacy_adapters.cli.sync_filling:backfill",
            "status": "legacy_adapters.cli.sync_looking:status",
            "parked": "legacy_adapters.cli.sync_looking:parked",
            "retry": "legacy_adapters.cli.sync_mending:retry",
            "settle": "legacy_adapters.cli.sync_mending:settle",
            "resume": "legacy_adapters.cli.sync_mending:resume",
            "project": "legacy_adapters.cli.sync_mending:project",
        },
    ),
    "retire": (
        "Give up a domain's legacy slice, with an archive and a signed certificate.",
        {
            "run": "cutover.cli.retiring:run",
            "sample": "cutover.cli.retiring:sample",
            "verify": "cutover.cli.retiring:verify",
        },
    ),
    "traffic": (
        "Record what shoppers ask of a domain, for load tests.",
        {"record": "cutover.cli.traffic:record"},
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
        first = next((one for one in _FIRST if one in commands), None)
        group = typer.Typer(
            help=told,
            cls=_FIRST[first] if first is not None else TyperGroup,
            no_args_is_help=first is None,
            rich_markup_mode=None,
        )
        _add(group, commands, must=is_known)
        app.add_typer(group, name=name)
    return app


class _ListFirst(TyperGroup):
    """`banyan mismatches catalog --json` is short for `banyan mismatches list catalog --json`."""

    first = "list"

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in ctx.help_option_names:
            args = [self.first, *args]
        return super().parse_args(ctx, args)


class _RunFirst(_ListFirst):
    """`banyan sync` is short for `banyan sync run`."""

    first = "run"


_FIRST: Mapping[str, type[TyperGroup]] = {"list": _ListFirst, "run": _RunFirst}


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
