"""`banyan sync backfill`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from legacy_adapters.cli.sync import Core, Legacy, within

if TYPE_CHECKING:
    from legacy_adapters.app.syncing import Sync
    from legacy_adapters.service.snapshotting import Copied


def backfill(
    domain: Annotated[str, typer.Argument(help="of this one alone; default: all")] = "",
    source: Legacy = "",
    database: Core = "",
    parallel: Annotated[int, typer.Option(min=1, max=32, help="ranges read at a time")] = 2,
    page: Annotated[int, typer.Option(min=1, max=50_000, help="rows a transaction")] = 5_000,
    rate: Annotated[int, typer.Option(min=0, help="rows a second at most; 0: no limit")] = 0,
    restart: Annotated[
        bool, typer.Option("--restart", help="begin anew, even if a run was stopped half-way")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON value")] = False,
) -> None:
    """Copy what the legacy already has, while both stores go on; streams bring the rest.

    Nothing is written to the legacy. A run that was stopped goes on; one that has ended is begun
    anew, and takes out what vanished meanwhile. `banyan sync run` applies what is staged.

    Example: banyan sync backfill orders --parallel 4
    """
    from legacy_adapters.app.sync_filling import fill
    from legacy_adapters.cli.presenting import RichProgress, SilentProgress
    from legacy_adapters.service.snapshotting import Pace

    pace = Pace(page=page, tasks=parallel, rows_per_s=rate)
    progress = SilentProgress() if as_json or not sys.stderr.isatty() else RichProgress()

    async def work(sync: Sync) -> list[Copied]:
        with progress:
            return await fill(sync, domain, progress, pace, restart=restart)

    found = within(source, database, work)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
        return
    for one in found:
        gone = f", {one.gone:,} aggregates lost rows" if one.gone else ""
        how = "went on: " if one.resumed else ""
        typer.echo(
            f"{one.domain}: {how}{one.rows:,} rows read in {one.elapsed_s:.1f} s, "
            f"{one.taken:,} of them new or newer{gone}"
        )
