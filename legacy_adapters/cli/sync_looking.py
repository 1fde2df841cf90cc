"""`banyan sync status` and `banyan sync parked`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from legacy_adapters.cli.sync import Core, Legacy, within

if TYPE_CHECKING:
    from legacy_adapters.app.sync_work import StreamStanding
    from legacy_adapters.app.syncing import Sync

AsJson = Annotated[bool, typer.Option("--json", help="one JSON value instead of tables")]


def status(source: Legacy = "", database: Core = "", as_json: AsJson = False) -> None:
    """Show how far both streams are, and what waits, is parked or was written by the wrong side.

    Exit status: 0 all well, 1 a stream has a problem or never ran.
    """
    from legacy_adapters.app.clock import utc_now
    from legacy_adapters.app.sync_work import standings

    found = within(source, database, standings)
    now = utc_now()
    if as_json:
        typer.echo(json.dumps([_body(one, now) for one in found], ensure_ascii=False))
    else:
        _show(found, now)
    well = all(one.checkpoint is not None and not one.checkpoint.problem for one in found)
    raise typer.Exit(0 if well else 1)


def parked(
    source: Legacy = "",
    database: Core = "",
    limit: Annotated[int, typer.Option(min=1, help="at most so many")] = 50,
    as_json: AsJson = False,
) -> None:
    """List aggregates that cannot be taken across, with the reason, oldest first."""

    async def work(sync: Sync) -> Sequence[Any]:
        return await sync.stage.parked(limit)

    found = within(source, database, work)
    rows = [
        {"stream": one.stream, "domain": one.domain, "kind": one.key.kind, "key": one.key.key,
         "since": one.since.isoformat(), "reason": one.reason}
        for one in found
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row['stream']}  {row['kind']} {row['key']}  {row['since']}  {row['reason']}")
    if not rows:
        typer.echo("nothing is parked")


def _body(one: StreamStanding, now: datetime) -> dict[str, Any]:
    found = one.checkpoint
    body: dict[str, Any] = {"stream": one.stream, "position": None, "problem": "never ran"}
    if found is not None:
        body |= {
            "position": found.position.order,
            "problem": found.problem,
            "lag_ms": found.lag_ms,
            "read_age_s": _age(found.moved_at, now),
            "heartbeat_age_s": _age(found.beat_at, now),
        }
    body["domains"] = [
        {
            "domain": part.domain, "owner": part.owner, "term": part.term,
            "dirty": part.waiting.dirty, "parked": part.waiting.parked, "rogue": part.rogues,
            "applied": part.applied, "failed": part.failed,
            "applied_age_s": _age(part.applied_at, now),
        }
        for part in one.domains
    ]  # fmt: skip
    return body


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round((now - moment) / timedelta(seconds=1), 3)


def _show(found: Sequence[StreamStanding], now: datetime) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for one in found:
        body = _body(one, now)
        lag = "?" if body.get("lag_ms") is None else f"{body['lag_ms']:.0f} ms"
        console.print(f"{one.stream}: position {body['position']}, lag {lag}", highlight=False)
        if body["problem"]:
            console.print(f"  problem: {body['problem']}", style="red", highlight=False)
        names = ("domain", "owner", "term", "dirty", "parked", "rogue", "applied", "failed")
        table = Table(*names, box=None, padding=(0, 2))
        for part in body["domains"]:
            table.add_row(*(str(part[name]) for name in names))
        console.print(table)
