"""`banyan sync retry`, `settle`, `resume` and `project`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from legacy_adapters.cli.sync import Core, Legacy, within

if TYPE_CHECKING:
    from legacy_adapters.app.sync_work import Projection
    from legacy_adapters.app.syncing import Sync


def retry(
    source: Legacy = "",
    database: Core = "",
    domain: Annotated[str, typer.Option(help="of this domain alone; default: all")] = "",
) -> None:
    """Try parked aggregates once more. What fails again is parked again."""
    from legacy_adapters.app.sync_work import retry as work

    count = within(source, database, lambda sync: work(sync, domain))
    typer.echo(f"{count} aggregates are tried again")


def settle(
    domain: Annotated[str, typer.Argument(help="whose rogue writes somebody has dealt with")],
    source: Legacy = "",
    database: Core = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Say that a domain's rogue writes are dealt with, e.g. repaired after `banyan reconcile`.

    A flip is refused while there are any: what the wrong side wrote is on that side alone.
    """
    if not yes:
        typer.confirm(f"Are both sides of {domain} compared and repaired?", abort=True)

    async def work(sync: Sync) -> int:
        return await sync.stage.settle_rogues(domain)

    count = within(source, database, work)
    typer.echo(f"{count} rogue writes of {domain} are settled")


def resume(
    name: Annotated[str, typer.Argument(help="an altered table, or a stream that failed")],
    source: Legacy = "",
    database: Core = "",
) -> None:
    """Accept a table as it was altered, or let a failed stream read again.

    Accept a table only when the mapping knows what was altered. A stream that lost its log needs
    a backfill of every domain behind it.
    """
    from legacy_adapters.app.sync_work import resume as work

    typer.echo(within(source, database, lambda sync: work(sync, name)))


def project(
    name: Annotated[str, typer.Argument(help="a kind, e.g. product, or a domain")],
    source: Legacy = "",
    database: Core = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="count what would change in the core; change nothing")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON value")] = False,
) -> None:
    """Take all aggregates of a kind or a domain across anew, e.g. after a mapping changed.

    They are made of the staged rows; the legacy is not asked. Where the core owns the domain,
    they go from the core to the legacy.
    """
    from rich.progress import Progress

    from legacy_adapters.app.sync_work import chosen, project_kind

    async def work(sync: Sync) -> Sequence[Projection]:
        with Progress(transient=True, disable=as_json) as bar:
            found = []
            for kind in chosen(sync, name):
                task = bar.add_task(kind.name, total=None)

                def told(count: int, at: object = task) -> None:
                    bar.advance(at, count)  # type: ignore[arg-type]

                found.append(await project_kind(sync, kind, told, dry_run=dry_run))
        return found

    for one in _told(within(source, database, work), as_json=as_json, dry_run=dry_run):
        typer.echo(one)


def _told(found: Sequence[Projection], *, as_json: bool, dry_run: bool) -> Sequence[str]:
    if as_json:
        rows = [
            {"kind": one.kind, "touched": one.touched, "changed": one.changed,
             "unreadable": one.unreadable}
            for one in found
        ]  # fmt: skip
        return [json.dumps(rows)]
    if dry_run:
        return [
            f"{one.kind}: {one.changed} documents would change, {one.unreadable} cannot be read"
            for one in found
        ]
    return [f"{one.kind}: {one.touched} aggregates are taken across anew" for one in found]
