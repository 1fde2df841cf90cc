"""`banyan rules` and `banyan calibrate`: are the compare rules right, and what do they hide?"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cutover.errors import CutoverError

if TYPE_CHECKING:
    from proxy.routing import RoutingTable
    from shadow_compare.core.drift import Drift
    from shadow_compare.core.pairs import RecordedPair
    from shadow_compare.core.rule_use import RuleUse
    from shadow_compare.ports import ProofStore
    from shadow_compare.service.rulebook import Rulebook
    from shadow_compare.settings import CompareSettings

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Table whose rules are meant. Default: applied.yaml."),
]
Database = Annotated[
    str | None,
    typer.Option("--database", help="URL of the evidence. Default: BANYAN_EVIDENCE_DATABASE."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DomainName = Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="One domain only.")]
Pairs = Annotated[int, typer.Option("--pairs", min=1, help="Recorded pairs of a domain to use.")]

_Found = TypeVar("_Found")


class FailOn(StrEnum):
    """Which missed kinds make the command fail."""

    CRITICAL = "critical"
    ANY = "any"
    NEVER = "never"


def prove(
    domain: DomainName = None,
    config: Config = None,
    database: Database = None,
    pairs: Pairs = 1_000,
    seed: Annotated[int, typer.Option(help="Draws the places; the same, the same.")] = 1,
    fail_on: Annotated[FailOn, typer.Option(help="Which missed kinds fail it.")] = FailOn.CRITICAL,
    as_json: AsJson = False,
) -> None:
    """Seed defects into recorded pairs and name those that the rules would miss.

    Exits with 1 when a critical kind is missed somewhere, or when there is no pair to
    prove anything on.

    Example: banyan rules prove catalog --config routing.yaml
    """
    from shadow_compare.core.proof import failures
    from shadow_compare.edge.proof_report import print_proof
    from shadow_compare.service.proving import prove as prove_rules

    table, rulebook = _rulebook(config)
    found = {}
    for name in _domains(table, domain):
        recorded = _pairs_of(database, name, pairs)
        with bar(f"proving {name}", len(_known(rulebook, name, recorded))) as tick:
            found[name] = prove_rules(name, recorded, rulebook, seed, tick)
    if as_json:
        print_json(found)
    for name, proofs in () if as_json else found.items():
        print_proof(console(), name, proofs)
    if not any(proof.pairs for proofs in found.values() for proof in proofs):
        raise CutoverError("no pair was recorded yet, so nothing is proven: compare some traffic")
    critical_only = fail_on is FailOn.CRITICAL
    every = [proof for proofs in found.values() for proof in proofs]
    if fail_on is not FailOn.NEVER and any(failures(every, critical_only=critical_only)):
        raise typer.Exit(1)


def coverage(
    domain: DomainName = None,
    config: Config = None,
    database: Database = None,
    pairs: Pairs = 1_000,
    as_json: AsJson = False,
) -> None:
    """Say which fields of each route were compared, accepted by a rule, or never looked at.

    Example: banyan rules coverage catalog
    """
    from shadow_compare.edge.proof_report import print_coverage
    from shadow_compare.service.proving import cover

    table, rulebook = _rulebook(config)
    found = {}
    for name in _domains(table, domain):
        recorded = _pairs_of(database, name, pairs)
        with bar(f"looking at {name}", len(_known(rulebook, name, recorded))) as tick:
            found[name] = cover(name, recorded, rulebook, tick)
    if as_json:
        print_json(found)
        return
    for name, routes in found.items():
        print_coverage(console(), name, routes)


def unused(
    domain: DomainName = None,
    config: Config = None,
    database: Database = None,
    days: Annotated[int, typer.Option(min=0, help="Without any use for so long.")] = 14,
    as_json: AsJson = False,
) -> None:
    """Name the rules that accepted nothing for so many days.

    Example: banyan rules unused --days 30
    """
    from shadow_compare.core.epoch import rules_in_force
    from shadow_compare.core.rule_use import unused as unused_rules
    from shadow_compare.edge.proof_report import print_unused

    table, rulebook = _rulebook(config)
    found = {}
    for name in _domains(table, domain):
        uses = _read(database, partial(_ask_uses, name))
        rules = rules_in_force(table.domain(name), rulebook.day)
        found[name] = unused_rules(rules, uses, _now_s(), days)
    if as_json:
        print_json(found)
        return
    for name, idle in found.items():
        print_unused(console(), name, idle, days)


def check(
    domain: DomainName = None,
    config: Config = None,
    database: Database = None,
    pairs: Pairs = 1_000,
    as_json: AsJson = False,
) -> None:
    """Say of each rule whether what was seen bears it out.

    Exits with 1 when a rule silences a field that does not move, or more than what moves.

    Example: banyan rules check catalog --config routing.yaml
    """
    from shadow_compare.core.calibration import Standing
    from shadow_compare.edge.proof_report import print_standings
    from shadow_compare.service.calibrating import apart, bare_judges
    from shadow_compare.service.calibrating import check as check_rules

    table, _ = _rulebook(config)
    found = {}
    for name in _domains(table, domain):
        recorded = _pairs_of(database, name, pairs)
        seen = _read(database, partial(_ask_drifts, name))
        between = apart(recorded, bare_judges(table, name))
        found[name] = check_rules(table, name, (*seen, *between), _now_s())
    if as_json:
        print_json(found)
    for name, standings in () if as_json else found.items():
        print_standings(console(), name, standings)
    if any(one.standing is Standing.REFUSED for every in found.values() for one in every):
        raise typer.Exit(1)


# --- shared ----------------------------------------------------------------------------------


def settings_of() -> CompareSettings:
    """The comparer's settings.

    Raises:
        CutoverError: a variable of the environment is wrong.
    """
    from pydantic import ValidationError

    from shadow_compare.settings import CompareSettings

    try:
        return CompareSettings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise CutoverError(f"BANYAN_{name}: {first['msg']}") from exc


def _rulebook(config: Path | None) -> tuple[RoutingTable, Rulebook]:
    from proxy.storage.tables import load_routing
    from shadow_compare.service.rulebook import Rulebook

    table = load_routing(config or settings_of().var / "applied.yaml")
    return table, Rulebook(table, _now_s())


def _domains(table: RoutingTable, wanted: str | None) -> list[str]:
    known = [domain.name for domain in table.domains]
    if wanted is not None and wanted not in known:
        told = ", ".join(known) or "none"
        raise CutoverError(f"the table has no domain {wanted}; it has {told}")
    return known if wanted is None else [wanted]


def _known(
    rulebook: Rulebook, domain: str, recorded: Sequence[RecordedPair]
) -> Sequence[RecordedPair]:
    routes = {route.name for route in rulebook.table.domain(domain).routes}
    return [pair for pair in recorded if pair.frame.route in routes]


def _pairs_of(database: str | None, domain: str, limit: int) -> Sequence[RecordedPair]:
    async def ask(store: ProofStore) -> Sequence[RecordedPair]:
        return await store.pairs(domain, limit=limit)

    return _read(database, ask)


async def _ask_uses(domain: str, store: ProofStore) -> Mapping[str, RuleUse]:
    return await store.uses(domain)


async def _ask_drifts(domain: str, store: ProofStore) -> Sequence[Drift]:
    return await store.drifts(domain)


def _read(database: str | None, ask: Callable[[ProofStore], Awaitable[_Found]]) -> _Found:
    import asyncio

    from shadow_compare.app import open_proof

    async def read() -> _Found:
        async with open_proof(database or settings_of().evidence_url()) as store:
            return await ask(store)

    return asyncio.run(read())


def _now_s() -> float:
    import time

    return time.time()  # noqa: TID251 - the edge


@contextmanager
def bar(told: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(told, total=total)
        yield lambda: progress.advance(task)


def console() -> Any:
    from rich.console import Console

    return Console()


def print_json(found: object) -> None:
    import json

    from shadow_compare.edge.proof_report import plain

    sys.stdout.write(json.dumps(plain(found), ensure_ascii=False, indent=2) + "\n")
