"""`banyan replay`: ask both sides again, now."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from shadow_compare.cli import (
    AsJson,
    Config,
    Database,
    _fail,
    _print_json,
    _settings,
    _table,
    _table_file,
)

if TYPE_CHECKING:
    from proxy.routing import RoutingTable
    from shadow_compare.core.replay import Recorded
    from shadow_compare.edge.replaying import Span

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class Speed(StrEnum):
    """How fast requests follow each other."""

    AS_IT_WAS = "1x"
    TENFOLD = "10x"
    MAX = "max"


_FACTOR = {Speed.AS_IT_WAS: 1.0, Speed.TENFOLD: 10.0, Speed.MAX: None}


def replay(
    fingerprint: Annotated[
        str | None, typer.Argument(help="A group's fingerprint, or its beginning.")
    ] = None,
    from_time: Annotated[
        datetime | None, typer.Option("--from", formats=_FORMATS, help="From this moment, UTC.")
    ] = None,
    to_time: Annotated[
        datetime | None, typer.Option("--to", formats=_FORMATS, help="Up to this moment, UTC.")
    ] = None,
    domain: Annotated[str | None, typer.Option(help="With a time range: one domain only.")] = None,
    speed: Annotated[Speed, typer.Option(help="Of the time between requests.")] = Speed.MAX,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Ask both sides again, now, and judge by the rules in force. Stores nothing.

    Takes a group's stored examples, or with a time range all examples and recorded pairs
    of that time. Only GET and HEAD are sent, marked as shadow traffic. Exit codes: 0 all
    equal or accepted; 1 failed; 3 some still differ; 4 none differs, but not all is known.

    Example: banyan replay v1:3f2a

    Example: banyan replay --from 2026-11-18T09:00 --to 2026-11-18T10:00 --domain catalog
    """
    import asyncio

    from rich.console import Console

    from shadow_compare.core.replay import exit_code
    from shadow_compare.edge.asker import Limits
    from shadow_compare.edge.replaying import print_replay, progress_bar, replay_json
    from shadow_compare.edge.replaying import replay as run
    from shadow_compare.errors import CompareError

    span = _span(fingerprint, from_time, to_time, domain)
    settings, table = _settings(), _table(config)
    if domain is not None and domain not in {one.name for one in table.domains}:
        _fail(f"the table has no domain {domain}")
    limits = Limits(
        timeout_s=settings.shadow_timeout_s,
        concurrency=settings.shadow_concurrency,
        rate=settings.shadow_rate,
        body_bytes=settings.shadow_body_limit,
    )
    try:
        recorded = asyncio.run(
            _stored(database or settings.evidence_url(), table, fingerprint or span)
        )
        bar, advance = progress_bar(len(recorded))
        base = _table_file(config).parent
        with bar:
            work = run(recorded, table, limits, base=base, speed=_FACTOR[speed], on_end=advance)
            found = asyncio.run(work)
    except CompareError as exc:
        _fail(str(exc))
    if as_json:
        _print_json(replay_json(found))
    else:
        print_replay(Console(), found)
    raise typer.Exit(exit_code(found))


async def _stored(url: str, table: RoutingTable, what: str | Span) -> tuple[Recorded, ...]:
    from shadow_compare.app import open_evidence, open_proof
    from shadow_compare.edge.replaying import stored_between, stored_of_group

    async with open_evidence(url) as evidence:
        if isinstance(what, str):
            return await stored_of_group(evidence, what)
        async with open_proof(url) as proof:
            names = [domain.name for domain in table.domains]
            return await stored_between(evidence, proof, what, names)


def _span(
    fingerprint: str | None, start: datetime | None, end: datetime | None, domain: str | None
) -> Span:
    from shadow_compare.edge.replaying import Span

    if fingerprint is not None:
        if start or end or domain:
            _fail("name a group or a time range, not both")
        return Span(0, 0, None)
    if start is None or end is None:
        _fail("name a group, or a time range with --from and --to")
    if end <= start:
        _fail("--to must be later than --from")
    return Span(start.replace(tzinfo=UTC).timestamp(), end.replace(tzinfo=UTC).timestamp(), domain)
