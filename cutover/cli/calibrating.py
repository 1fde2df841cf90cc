"""`banyan calibrate`: what moves by itself, and the rules that it asks for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.cli.proving import AsJson, Config, Database, bar, console, print_json, settings_of
from cutover.errors import CutoverError

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

    from proxy.routing import RoutingTable
    from shadow_compare.core.calibration import Proposal
    from shadow_compare.edge.surveying import Wish
    from shadow_compare.service.calibrating import Survey


class Which(StrEnum):
    """Which stores are asked."""

    LEGACY = "legacy"
    CORE = "core"
    BOTH = "both"


def calibrate(
    domain: Annotated[str, typer.Argument(help="A domain of the table.")],
    requests: Annotated[int, typer.Option(min=1, help="Recorded requests to ask twice.")] = 200,
    side: Annotated[Which, typer.Option(help="Which store is asked.")] = Which.BOTH,
    spacing: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds between the two questions.")
    ] = 1.5,
    config: Config = None,
    database: Database = None,
    spool: Annotated[Path | None, typer.Option(help="Spool that holds the redaction key.")] = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Add the rules to this file.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="With --write: who answers for them.")] = None,
    days: Annotated[int, typer.Option(min=1, max=730, help="With --write: for how long.")] = 90,
    as_json: AsJson = False,
) -> None:
    """Ask each store recorded requests twice, and propose rules for what moves by itself.

    What was seen is kept, so that banyan rules check can hold rules against it. Rules that
    blind a field are proposed only where nothing else explains it, and never written.

    Example: banyan calibrate catalog --requests 500 --side both

    Example: banyan calibrate catalog --write routing.yaml --owner merchandising
    """
    from proxy.routing import Side
    from proxy.storage.tables import load_routing
    from shadow_compare.core.calibration import proposals, unrulable
    from shadow_compare.edge.proof_report import print_proposals, print_surveys
    from shadow_compare.edge.surveying import Wish

    if write is not None and not owner:
        raise CutoverError("a rule needs somebody who answers for it: --owner TEAM")
    file = config or settings_of().var / "applied.yaml"
    table = load_routing(file)
    if domain not in {one.name for one in table.domains}:
        raise CutoverError(f"the table has no domain {domain}")
    sides = tuple(Side) if side is Which.BOTH else (Side(side.value),)
    wish = Wish(domain, sides, requests, spacing)
    surveys = _run(wish, table, _Places(file.parent, database, spool))
    drifts = [drift for survey in surveys for drift in survey.drifts]
    found = proposals(drifts)
    if as_json:
        print_json({"surveys": surveys, "proposals": found})
    else:
        print_surveys(console(), surveys)
        print_proposals(console(), found, unrulable(drifts), _paths(table, domain))
    if write is not None and owner:
        stated = [one for one in found if not one.is_last_resort]
        last_day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days)  # noqa: TID251 - the edge
        _write(write, domain, _rules(stated, _paths(table, domain), owner, last_day))
    if not any(survey.asked for survey in surveys):
        raise CutoverError("no request was answered twice; are the stores up?")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where things are; None takes the settings' word. `table` is the table's folder."""

    table: Path
    database: str | None
    spool: Path | None


def _run(wish: Wish, table: RoutingTable, places: _Places) -> tuple[Survey, ...]:
    import asyncio

    from shadow_compare.app import open_proof
    from shadow_compare.edge.asker import Limits
    from shadow_compare.edge.surveying import calibrate as ask_twice
    from shadow_compare.edge.surveying import open_asker

    settings = settings_of()
    key = settings.redaction_key
    limits = Limits(
        timeout_s=settings.shadow_timeout_s,
        concurrency=settings.shadow_concurrency,
        rate=settings.shadow_rate,
        body_bytes=settings.shadow_body_limit,
    )

    async def run() -> tuple[Survey, ...]:
        async with (
            open_proof(places.database or settings.evidence_url()) as store,
            open_asker(
                table,
                places.spool or settings.var / "spool",
                key.get_secret_value().encode() if key else None,
                limits,
                places.table,
            ) as asker,
        ):
            with bar(f"calibrating {wish.domain}", None) as tick:
                return await ask_twice(wish, table, store, asker, tick)

    return asyncio.run(run())


def _paths(table: RoutingTable, domain: str) -> dict[str, str]:
    return {route.name: route.path for route in table.domain(domain).routes}


def _rules(
    found: Sequence[Proposal], paths: Mapping[str, str], owner: str, last_day: dt.date
) -> Iterator[dict[str, Any]]:
    from proxy.routing import Accept

    for one in found:
        rule: dict[str, Any] = {"path": one.path, "accept": one.accept.value}
        if one.within is not None:
            is_number = one.accept is Accept.NUMBER
            rule["within"] = float(one.within) if is_number else one.bound
        rule |= {"owner": owner, "reason": one.evidence, "expires": last_day}
        yield {**rule, "routes": sorted({paths[name] for name in one.routes})}


def _write(file: Path, domain: str, rules: Iterable[Mapping[str, Any]]) -> None:
    from cutover.storage.rules_file import add_rule_to, edited

    new = list(rules)

    def change(document: CommentedMap) -> None:
        for rule in new:
            add_rule_to(document, domain, rule)

    edited(file, change)
    for rule in new:
        told = f"{domain} accepts {rule['path']} as {rule['accept']} until {rule['expires']}"
        typer.echo(f"{file}: {told}", err=True)
