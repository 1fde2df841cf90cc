"""`banyan status` and `banyan revisions`: how things stand, and how they came about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.errors import CutoverError
from cutover.settings import load_settings

if TYPE_CHECKING:
    from cutover.service.reporting import DomainStatus, Status
    from cutover.storage.ledger import RevisionFiles

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
        report(app.books(settings), desired, app.evidence(settings), app.door(settings))
    )
    killed = read_kill(kill_file(settings))
    if as_json:
        kill = {"scopes": list(killed.kill.scopes), "problem": killed.problem}
        _print_json({**_status_value(found), "config_problem": problem, "kill": kill})
        return
    _show_status(found, problem)
    if killed.kill:
        scopes = ", ".join(killed.kill.scopes)
        typer.echo(f"Killed: {scopes}, whatever is in force; banyan kill --release takes it back.")
    if killed.problem:
        typer.echo(f"note: {killed.problem}")


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
    from cutover.cli.values import revision_value

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
    from cutover.cli.values import judgement_value, position_value

    parity = domain.parity
    return {
        "domain": domain.domain,
        "owner": domain.owner,
        "in_force": position_value(domain.at),
        "asked": position_value(domain.asked),
        "has_drift": domain.has_drift,
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


def revisions(
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", help="Print this revision's routing file.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="List at most so many, newest first.")] = 20,
    as_json: _Json = False,
) -> None:
    """List what was put in force, by whom and why, and check the chain of all of it.

    Exits with 1 when an entry is missing, damaged or out of place.

    Example: banyan revisions 7 > routing.yaml
    """
    from cutover import app
    from cutover.cli.values import revision_value
    from cutover.core.revision import DamagedRevision, chain_problems, from_json

    ledger = app.ledger(load_settings())
    if number is not None:
        _print_revision(ledger, number, as_json=as_json)
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
            entry = revision.entry
            typer.echo(
                f"{revision.n:>6}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.kind:<8}  {entry.actor}"
                f"  {'; '.join(entry.changes)}{f'  ({entry.reason})' if entry.reason else ''}"
            )
        if not links:
            typer.echo("No revision yet.")
    for problem in problems:
        typer.echo(f"banyan: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _print_revision(ledger: RevisionFiles, number: int, *, as_json: bool) -> None:
    from cutover.cli.values import revision_value
    from cutover.core.revision import DamagedRevision, from_json

    content = dict(ledger.links()).get(number)
    if content is None:
        raise CutoverError(f"there is no revision {number}")
    try:
        revision = from_json(content)
    except DamagedRevision as exc:
        raise CutoverError(f"revision {number} is damaged: {exc}") from exc
    if as_json:
        _print_json({**revision_value(revision), "routing_yaml": revision.entry.routing_yaml})
    else:
        typer.echo(revision.entry.routing_yaml, nl=False)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))
