"""`banyan mismatches`: list groups, open one, ask again by hand, and say what becomes of it."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
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
)
from shadow_compare.core.groups import GroupQuery, GroupSort
from shadow_compare.core.life import Act, State, Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shadow_compare.core.evidence import Example, MismatchGroup
    from shadow_compare.core.groups import GroupStory

Fingerprint = Annotated[str, typer.Argument(help="The group's fingerprint, or its beginning.")]
Owner = Annotated[str, typer.Option(help="Who answers for it.")]
Reason = Annotated[str, typer.Option(help="Why.")]
Ticket = Annotated[str, typer.Option(help="Where it is followed up.")]
Nth = Annotated[int, typer.Option(min=1, help="Which stored example; 1 is the newest.")]


def list_groups(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="One only.")] = None,
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only these; may be repeated.")
    ] = None,
    route: Annotated[str | None, typer.Option(help='One route only, e.g. "GET /price/".')] = None,
    since: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Seen in the last 30m, 12h, 7d …")
    ] = None,
    sort: Annotated[GroupSort, typer.Option(help="What stands first.")] = GroupSort.COUNT,
    limit: Annotated[int, typer.Option(min=1, help="Groups to list.")] = 20,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List mismatches that look the same as groups.

    Example: banyan mismatches catalog --state new --state regressed --sort value
    """
    from shadow_compare.edge.group_report import groups_json, print_groups

    query = GroupQuery(domain, route, tuple(state or ()), _moment(since), sort, limit=limit)
    groups = _ask_for(query, database)
    if as_json:
        _print_json(groups_json(groups))
        return
    from rich.console import Console

    print_groups(Console(), groups)


def show(
    fingerprint: Fingerprint,
    example: Nth = 1,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Open one group: an example side by side, its siblings and its journal.

    Example: banyan mismatches show v1:3f2a
    """
    from shadow_compare.edge.group_report import group_json, print_group
    from shadow_compare.edge.report import store_urls

    stores = store_urls(_table(config))
    group, examples, story = _read(fingerprint, database)
    if as_json:
        _print_json(group_json(group, examples, story, stores))
        return
    from rich.console import Console

    chosen = _nth(examples, example) if examples else None
    print_group(Console(), group, chosen, story, stores)


def curl(
    fingerprint: Fingerprint,
    side: Annotated[str, typer.Option(help="legacy or core.")] = "core",
    example: Nth = 1,
    config: Config = None,
    database: Database = None,
) -> None:
    """Print a command that asks one store again. What it cannot repeat is said on stderr.

    Example: banyan mismatches curl v1:3f2a --side legacy
    """
    from proxy.routing import Side
    from shadow_compare.core.repeat import curl_of
    from shadow_compare.edge.report import store_urls

    if side not in tuple(Side):
        _fail(f"--side is legacy or core, not {side}")
    stores = store_urls(_table(config))
    _, examples, _ = _read(fingerprint, database)
    command = curl_of(_nth(examples, example), stores[Side(side)])
    for caveat in command.caveats:
        typer.echo(f"banyan: {caveat}", err=True)
    typer.echo(command.text)


def har(
    fingerprint: Fingerprint,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of standard output.")
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Write every stored example as an HTTP archive, both sides as entries.

    Example: banyan mismatches har v1:3f2a -o group.har
    """
    import json
    from importlib import metadata

    from shadow_compare.core.har import har as archive
    from shadow_compare.edge.report import store_urls

    stores = store_urls(_table(config))
    _, examples, _ = _read(fingerprint, database)
    _nth(examples, 1)
    whole = archive(examples, stores, version=metadata.version("banyan-migration"))
    text = json.dumps(whole, ensure_ascii=False, indent=1)
    if output is None:
        sys.stdout.write(text + "\n")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as exc:
        _fail(f"{output} cannot be written: {exc.strerror or exc}")
    typer.echo(f"{output}: {len(examples)} exchanges, both sides of each")


def triage(
    fingerprint: Fingerprint,
    owner: Owner = "",
    reason: Reason = "",
    ticket: Ticket = "",
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say who looks into a group.

    Example: banyan mismatches triage v1:3f2a --owner pricing --ticket SHOP-7
    """
    wish = Wish(Act.TRIAGE, _settings().actor_name(), owner, reason, ticket)
    _grant(fingerprint, wish, database, as_json=as_json)


def accept(
    fingerprint: Fingerprint,
    expires: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Its last day.")],
    reason: Annotated[str, typer.Option(help="Why it may stay.")],
    owner: Owner = "",
    ticket: Ticket = "",
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Leave a group alone until a day. Parity goes on counting it; only a rule does not.

    Example: banyan mismatches accept v1:3f2a --owner pricing --reason "mended in May"
    --expires 2027-05-31
    """
    wish = Wish(Act.ACCEPT, _settings().actor_name(), owner, reason, ticket, expires.date())
    _grant(fingerprint, wish, database, as_json=as_json)


def fix(
    fingerprint: Fingerprint,
    owner: Owner = "",
    reason: Reason = "",
    ticket: Ticket = "",
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say that a group is mended. The next time it is seen re-opens it as regressed.

    Example: banyan mismatches fix v1:3f2a --reason "core 5.2 rounds as legacy does"
    """
    wish = Wish(Act.FIX, _settings().actor_name(), owner, reason, ticket)
    _grant(fingerprint, wish, database, as_json=as_json)


def _grant(fingerprint: str, wish: Wish, database: str | None, *, as_json: bool) -> None:
    import asyncio

    from shadow_compare.app import open_keeper
    from shadow_compare.edge.group_report import groups_json, moved_lines
    from shadow_compare.errors import CompareError

    async def grant() -> MismatchGroup:
        async with open_keeper(database or _settings().evidence_url()) as keeper:
            return await keeper.grant(fingerprint, wish)

    try:
        group = asyncio.run(grant())
    except CompareError as exc:
        _fail(str(exc))
    if as_json:
        _print_json(groups_json([group])[0])
        return
    for line in moved_lines(group):
        typer.echo(line)


def _ask_for(query: GroupQuery, database: str | None) -> Sequence[MismatchGroup]:
    import asyncio

    from shadow_compare.app import open_evidence
    from shadow_compare.errors import CompareError

    async def read() -> Sequence[MismatchGroup]:
        async with open_evidence(database or _settings().evidence_url()) as evidence:
            return await evidence.find(query)

    try:
        return asyncio.run(read())
    except CompareError as exc:
        _fail(str(exc))


def _read(
    fingerprint: str, database: str | None
) -> tuple[MismatchGroup, Sequence[Example], GroupStory]:
    import asyncio

    from shadow_compare.app import open_evidence
    from shadow_compare.errors import CompareError

    async def read() -> tuple[MismatchGroup, Sequence[Example], GroupStory] | None:
        async with open_evidence(database or _settings().evidence_url()) as evidence:
            found = await evidence.group(fingerprint)
            if found is None:
                return None
            return *found, await evidence.story(found[0].fingerprint)

    try:
        found = asyncio.run(read())
    except CompareError as exc:
        _fail(str(exc))
    if found is None:
        _fail(f"no group, or more than one, begins with {fingerprint}; see banyan mismatches")
    return found


def _nth(examples: Sequence[Example], nth: int) -> Example:
    if not examples:
        _fail("no example of this group is stored")
    if nth > len(examples):
        _fail(f"--example {nth}: only {len(examples)} are stored")
    return examples[nth - 1]


def _moment(since: str | None) -> float | None:
    if since is None:
        return None
    import time

    units = {"m": 60, "h": 3_600, "d": 86_400}
    number, unit = since[:-1], since[-1:]
    if unit not in units or not (number.isascii() and number.isdecimal()) or len(number) > 6:
        _fail(f"--since takes a span such as 30m, 12h or 7d, not {since}")
    return time.time() - int(number) * units[unit]  # noqa: TID251 - the edge's clock
