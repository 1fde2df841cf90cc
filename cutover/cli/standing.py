"""`banyan status`: how things stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.settings import load_settings

if TYPE_CHECKING:
    from cutover.service.reporting import DomainStatus, Status

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def status(
    config: Annotated[Path, typer.Option("--config", "-c", help="The desired state.")] = Path(
        "routing.yaml"
    ),
    as_json: _Json = False,
) -> None:
    """Per domain: the stage in force, what the file asks for, parity, and the next step.

    Works with the evidence, the proxy or the file away, and says which is.

    Example: banyan status
    """
    import asyncio

    from cutover import app
    from cutover.cli.killing import kill_file
    from cutover.service.reporting import report
    from cutover.settings import WATCH_FILE
    from cutover.storage.watch_file import watch_lines
    from proxy.errors import RoutingFileError
    from proxy.storage.kill_file import read_kill
    from proxy.storage.tables import load_routing

    settings = load_settings()
    desired, problem = None, None
    try:
        desired = load_routing(config)
    except RoutingFileError as exc:
        problem = str(exc.problems[0])
    found = asyncio.run(
        report(
            app.books(settings),
            desired,
            app.evidence(settings),
            app.door(settings),
            file=str(config),
        )
    )
    killed = read_kill(kill_file(settings))
    watched = watch_lines(settings.var / WATCH_FILE, app.books(settings).now().timestamp())
    if as_json:
        kill = {"scopes": list(killed.kill.scopes), "problem": killed.problem}
        _print_json(
            {
                **_status_value(found),
                "config_problem": problem,
                "kill": kill,
                "watched": list(watched),
            }
        )
        return
    _show_status(found, problem)
    if killed.kill:
        scopes = ", ".join(killed.kill.scopes)
        typer.echo(f"Killed: {scopes}, whatever is in force; banyan kill --release takes it back.")
    if killed.problem:
        typer.echo(f"note: {killed.problem}")
    for line in watched:
        typer.echo(f"Watched: {line}")


def _show_status(found: Status, config_problem: str | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("domain", "in force", "asked for", "parity", "gate", "next"):
        table.add_column(heading, overflow="fold")
    for domain in found.domains:
        asked = "not in the file" if domain.asked is None else str(domain.asked)
        table.add_row(
            escape(domain.domain),
            "-" if domain.at is None else str(domain.at),
            escape(asked) if domain.has_drift else "same",
            _parity_text(domain),
            "-" if domain.judgement is None else str(domain.judgement.verdict),
            escape(domain.next_step),
        )
    console.print(table)
    for line in _footer(found, config_problem):
        typer.echo(line)


def _parity_text(domain: DomainStatus) -> str:
    from cutover.core.gate import percent

    parity = domain.parity
    if parity is None or not parity.samples:
        return "-"
    return f">= {percent(parity.lower_ppm)} of {parity.samples:,}"


def _footer(found: Status, config_problem: str | None) -> list[str]:
    lines = [""]
    if found.revision is None:
        lines.append("Nothing is in force yet: banyan apply puts the file in force.")
    else:
        lines.append(f"In force: {found.revision}")
    if found.last is not None:
        entry = found.last.entry
        reason = f": {entry.reason}" if entry.reason else ""
        lines.append(
            f"Last revision: {found.last.n}, {entry.kind} by {entry.actor},"
            f" {entry.at:%Y-%m-%d %H:%M} UTC{reason}"
        )
    lines.append(f"Proxy: {_door_text(found)}")
    if config_problem:
        lines.append(f"The desired state does not load: {config_problem}")
    elif any(domain.has_drift for domain in found.domains):
        lines.append("The file asks for something else than what is in force: banyan plan")
    lines += [f"note: {domain.drift}" for domain in found.domains if domain.drift]
    lines += [f"note: {note}" for note in found.notes]
    return lines


def _door_text(found: Status) -> str:
    door = found.door
    if door is None:
        return f"does not answer ({found.door_problem})"
    behind = [pid for pid, revision in door.revisions.items() if revision != found.revision]
    if door.problem:
        return f"up, but the applied file does not load there: {door.problem}"
    if behind or len(door.revisions) != door.workers:
        return f"up, {len(behind)} of {door.workers} workers follow another revision"
    workers = "1 worker follows" if door.workers == 1 else f"{door.workers} workers follow"
    return f"up, {workers} it"


def _status_value(found: Status) -> dict[str, Any]:
    from cutover.service.values import revision_value

    door = found.door
    return {
        "revision": found.revision,
        "desired": found.desired,
        "domains": [_domain_value(domain) for domain in found.domains],
        "last": None if found.last is None else revision_value(found.last),
        "proxy": None
        if door is None
        else {
            "ready": door.ready,
            "workers": door.workers,
            "revisions": dict(door.revisions),
            "problem": door.problem,
            "has_taken": bool(door.revisions) and set(door.revisions.values()) == {found.revision},
        },
        "proxy_problem": found.door_problem or None,
        "notes": list(found.notes),
    }


def _domain_value(domain: DomainStatus) -> dict[str, Any]:
    from cutover.service.values import judgement_value, position_value

    parity = domain.parity
    return {
        "domain": domain.domain,
        "owner": domain.owner,
        "in_force": position_value(domain.at),
        "asked": position_value(domain.asked),
        "has_drift": domain.has_drift,
        "drift": domain.drift,
        "parity": None
        if parity is None
        else {
            "compared": parity.compared,
            "samples": parity.samples,
            "unequal": parity.unequal,
            "mismatched": parity.mismatched,
            "ratio_ppm": parity.ratio_ppm,
            "lower_ppm": parity.lower_ppm,
            "confidence_bp": parity.confidence_bp,
        },
        "gate": judgement_value(domain.judgement),
        "next": domain.next_step,
    }


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))
