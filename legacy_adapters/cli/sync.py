"""`banyan sync run`, `install` and `remove`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from legacy_adapters.app.syncing import Sync

Legacy = Annotated[
    str, typer.Option("--from", help="the legacy's database; default BANYAN_LEGACY_DATABASE")
]
Core = Annotated[
    str,
    typer.Option("--database", help="the core's; default BANYAN_CORE_DATABASE or SQLite in var/"),
]
T = TypeVar("T")


def run(
    source: Legacy = "",
    database: Core = "",
    metrics: Annotated[
        str, typer.Option(help="host:port to show figures at, for Prometheus; default: nowhere")
    ] = "",
) -> None:
    """Keep both stores in step until SIGTERM. Logs JSON lines to stderr.

    Stop and start it as you like: it goes on where it was. A second one on the same core is
    refused. Exit status: 0 it was told to stop, 1 it could not go on.

    Example: banyan sync run --from mysql://banyan@127.0.0.1/shop --metrics 127.0.0.1:8084
    """
    import logging

    from legacy_adapters.cli.serving import log_json_lines
    from legacy_adapters.cli.sync_running import run_until_stopped

    log_json_lines(logging.INFO)
    within(source, database, lambda sync: run_until_stopped(sync, metrics))


def install(source: Legacy = "", database: Core = "") -> None:
    """Make what the streams need in both stores: our tables, fences, a log of changes.

    The legacy owns every domain at first. Its own counters are moved above the numbers that the
    core gives. Run it as often as you like.
    """
    from legacy_adapters.app.sync_work import install as work

    moved = within(source, database, work)
    typer.echo("both stores are ready; next: banyan sync run, and banyan sync backfill")
    if moved:
        typer.echo(f"{moved} counters of the legacy go on from 1,500,000,000")


def remove(
    source: Legacy = "",
    database: Core = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Take away what install made. Both stores may be written by anybody then, and what one of
    them writes is not carried across any more.
    """
    from legacy_adapters.app.sync_work import remove as work

    if not yes:
        typer.confirm("Stop keeping both stores in step, and open all fences?", abort=True)
    within(source, database, work)
    typer.echo("fences and logs are gone; the stage and what was carried stay")


def within(source: str, database: str, work: Callable[[Sync], Coroutine[Any, Any, T]]) -> T:
    """Open both stores for a piece of work.

    Raises:
        typer.Exit: it failed; why is said on stderr.
    """
    import asyncio

    from legacy_adapters.app.syncing import open_sync
    from legacy_adapters.errors import AdapterError
    from legacy_adapters.settings import SyncSettings
    from new_core.errors import CoreError
    from new_core.settings import CoreSettings

    settings = CoreSettings()
    if database:
        settings = settings.model_copy(update={"core_database": database})

    async def inside() -> T:
        async with open_sync(settings, source or SyncSettings().legacy_database) as sync:
            return await work(sync)

    try:
        return asyncio.run(inside())
    except (AdapterError, CoreError, OSError) as exc:
        typer.echo(f"banyan sync: {' '.join(str(exc).split())}", err=True)
        raise typer.Exit(1) from exc
