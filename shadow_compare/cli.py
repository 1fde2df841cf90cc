"""The comparer's commands: compare, ship, parity, evidence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from proxy.routing import RoutingTable
    from shadow_compare.edge.bus_place import BusPlace
    from shadow_compare.settings import CompareSettings

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Routing table in force. Default: applied.yaml in BANYAN_VAR."),
]
Database = Annotated[
    str | None,
    typer.Option("--database", help="URL of the evidence. Default: BANYAN_EVIDENCE_DATABASE."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
BusUrl = Annotated[
    str | None,
    typer.Option("--bus", help="NATS server that frames travel over. Default: BANYAN_BUS."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")]
DomainName = Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="One domain only.")]


def compare(
    spool: Annotated[Path | None, typer.Option(help="Spool directory of the proxy.")] = None,
    config: Config = None,
    database: Database = None,
    bus: BusUrl = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when there are no more frames.")
    ] = False,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Answer GET /metrics here.")
    ] = None,
) -> None:
    """Compare captured exchanges with what the other side answers.

    Reads the proxy's spool, or the bus as one of several, asks the other store the same
    question, judges both answers by the rules of the routing table and stores what it found.
    Safe to kill and to start again at any moment: nothing is counted twice.

    Example: banyan compare --config var/applied.yaml --spool var/spool --listen 127.0.0.1:8084
    """
    import asyncio

    import uvloop

    from proxy.compiled import enable

    settings = _settings()
    if settings.proxy_compiled:
        enable()  # before any of these modules is imported

    from proxy.errors import ProxyError
    from shadow_compare.app import run_comparer, stand_back
    from shadow_compare.edge.asker import Limits
    from shadow_compare.edge.logs import log_to_stderr
    from shadow_compare.edge.runner import Job
    from shadow_compare.errors import CompareError

    key, sealing = settings.redaction_key, settings.sealing_key
    job = Job(
        config=config or settings.var / "applied.yaml",
        spool=spool or settings.var / "spool",
        bus=_bus(settings, bus),
        key=key.get_secret_value().encode() if key else None,
        limits=Limits(
            timeout_s=settings.shadow_timeout_s,
            concurrency=settings.shadow_concurrency,
            rate=settings.shadow_rate,
            body_bytes=settings.shadow_body_limit,
        ),
        max_age_s=settings.shadow_max_age_s,
        keep_s=settings.evidence_retention_days * 24 * 3600,
        once=once,
        listen=_address(listen),
        sealing_key=sealing.get_secret_value().encode() if sealing else None,
    )
    log_to_stderr(settings.log_level)
    stand_back(settings.shadow_nice)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_comparer(job, database or settings.evidence_url()))
    except (ProxyError, CompareError, OSError) as exc:
        _fail(str(exc))


def ship(
    spool: Annotated[Path | None, typer.Option(help="Spool directory of the proxy.")] = None,
    bus: BusUrl = None,
    once: Annotated[bool, typer.Option("--once", help="End when the spool is empty.")] = False,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Answer GET /metrics and /healthz here.")
    ] = None,
) -> None:
    """Move captured exchanges from the proxy's spool to the bus.

    The spool lets go of a frame when the bus has stored it. While the bus is away or full,
    frames wait in the spool. Safe to kill and to start again at any moment: the evidence
    counts no frame twice.

    Example: banyan ship --spool var/spool --bus nats://127.0.0.1:4222 --listen 127.0.0.1:8085
    """
    import asyncio

    import uvloop

    from proxy.errors import ProxyError
    from shadow_compare.app import run_shipper
    from shadow_compare.edge.logs import log_to_stderr
    from shadow_compare.errors import CompareError

    settings = _settings()
    place = _bus(settings, bus)
    if place is None:
        _fail("which bus? banyan ship --bus nats://HOST:4222, or set BANYAN_BUS")
    log_to_stderr(settings.log_level, service="ship")
    work = run_shipper(spool or settings.var / "spool", place, once=once, listen=_address(listen))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)
    except (ProxyError, CompareError, OSError) as exc:
        _fail(str(exc))


def parity(
    domain: DomainName = None,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
    strata: Annotated[
        bool, typer.Option("--strata", help="List every stratum, the worst first.")
    ] = False,
) -> None:
    """Say how equal old and new are, and how sure that is.

    Counts belong to the epoch in force: since the last change of the rules or of either
    store's release. Sure is what distinct pairs of shopper and request show; repeats are
    counted, and prove nothing.

    Example: banyan parity catalog --json

    Example: banyan parity --strata
    """
    import asyncio

    from shadow_compare.core.evidence import DomainEvidence
    from shadow_compare.edge.report import parity_json, print_parity, print_strata
    from shadow_compare.errors import CompareError

    table = _table(config)
    known = {one.name: one for one in table.domains}
    if domain is not None and domain not in known:
        _fail(f"the table has no domain {domain}; it has {', '.join(known) or 'none'}")
    wanted = list(known.values()) if domain is None else [known[domain]]

    async def read() -> list[DomainEvidence]:
        from shadow_compare.app import open_evidence

        async with open_evidence(database or _settings().evidence_url()) as evidence:
            return [await evidence.domain(one) for one in wanted]

    try:
        found = asyncio.run(read())
    except CompareError as exc:
        _fail(str(exc))
    if as_json:
        _print_json(parity_json(found))
        return
    from rich.console import Console

    if strata:
        print_strata(Console(), found)
    else:
        print_parity(Console(), found)


def prune(
    days: Annotated[
        float | None,
        typer.Option(min=0, help="Keep so many days. Default: BANYAN_EVIDENCE_RETENTION_DAYS."),
    ] = None,
    dry_run: DryRun = False,
    database: Database = None,
) -> None:
    """Delete examples, recorded pairs and journals of groups that are older. Counts stay.

    A comparer does the same once an hour by itself.

    Example: banyan evidence prune --days 7 --dry-run
    """
    from shadow_compare.edge.letting_go import prune_evidence
    from shadow_compare.errors import CompareError

    settings = _settings()
    days = settings.evidence_retention_days if days is None else days
    try:
        prune_evidence(database or settings.evidence_url(), days, dry_run=dry_run)
    except CompareError as exc:
        _fail(str(exc))


def purge(
    subject: Annotated[
        str,
        typer.Option(help='What the person is known by, such as an address; "-" asks for it.'),
    ],
    spool: Annotated[Path | None, typer.Option(help="Spool directory of the proxy.")] = None,
    dry_run: DryRun = False,
    database: Database = None,
) -> None:
    """Delete all that is kept of one person: examples, pairs, and frames in the spool.

    Finds them by the keyed hashes of the value; the value itself is stored and logged
    nowhere. Counts stay. Stop the spool's comparer first.

    Example: banyan evidence purge --subject -
    """
    from proxy.errors import ProxyError
    from shadow_compare.edge.letting_go import Places, known_keys, purge_subject
    from shadow_compare.errors import CompareError

    settings = _settings()
    places = Places(database or settings.evidence_url(), spool or settings.var / "spool")
    value = subject
    if subject == "-":
        is_asked = sys.stdin.isatty()
        value = typer.prompt("Subject", hide_input=True) if is_asked else sys.stdin.readline()
    keys = (settings.redaction_key, settings.redaction_old_keys)
    try:
        known = known_keys([key.get_secret_value() for key in keys if key], places.spool)
        purge_subject(value, known, places, dry_run=dry_run)
    except (ProxyError, CompareError, OSError) as exc:
        _fail(str(exc))


def _settings() -> CompareSettings:
    from pydantic import ValidationError

    from shadow_compare.settings import CompareSettings

    try:
        return CompareSettings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        _fail(f"BANYAN_{name}: {first['msg']}")


def _bus(settings: CompareSettings, url: str | None) -> BusPlace | None:
    from importlib.util import find_spec

    from shadow_compare.edge.bus_place import BusPlace

    url = url or settings.bus
    if not url:
        return None
    schemes = ("nats://", "tls://")
    if not all(one.startswith(schemes) for one in url.split(",")):
        _fail("BANYAN_BUS is nats://HOST:PORT or tls://HOST:PORT, several with commas between")
    if find_spec("nats") is None:
        _fail("the bus needs nats-py: pip install 'banyan-migration[bus]'")
    return BusPlace(
        url=url,
        stream=settings.bus_stream,
        credentials=settings.bus_credentials,
        max_bytes=settings.bus_max_bytes,
        max_age_s=settings.bus_max_age_s,
        ack_wait_s=settings.bus_ack_wait_s,
        replicas=settings.bus_replicas,
    )


def _table(config: Path | None) -> RoutingTable:
    from proxy.errors import RoutingFileError
    from proxy.storage.tables import load_routing

    try:
        return load_routing(_table_file(config))
    except RoutingFileError as exc:
        _fail(str(exc))


def _table_file(config: Path | None) -> Path:
    return config or _settings().var / "applied.yaml"


def _address(listen: str | None) -> tuple[str, int] | None:
    if listen is None:
        return None
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        _fail(f"--listen takes HOST:PORT, not {listen}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _print_json(value: object) -> None:
    import json

    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _fail(message: str) -> NoReturn:
    """One line on stderr, and a status that says no."""
    line = "; ".join(part.strip() for part in message.splitlines() if part.strip())
    typer.echo(f"banyan: {line}", err=True)
    raise typer.Exit(1)
