"""`banyan reconcile`: compare both stores, aggregate by aggregate."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from shadow_compare.cli import AsJson, Database, DomainName, _fail, _print_json, _settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shadow_compare.core.drift_record import Drift
    from shadow_compare.core.reconcile_pass import PassKind, PassRecord
    from shadow_compare.edge.reconcile_opening import Places, Reconciliation
    from shadow_compare.service.reconciling_stretch import Way

T = TypeVar("T")

Legacy = Annotated[
    str | None,
    typer.Option("--legacy", help="The shop's database. Default: BANYAN_LEGACY_DATABASE."),
]
Core = Annotated[
    str | None, typer.Option("--core", help="The core's database. Default: BANYAN_CORE_DATABASE.")
]


def reconcile(
    domain: DomainName = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every aggregate of both sides. The default.")
    ] = False,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="The same, slowly, again and again.")
    ] = False,
    hot: Annotated[
        bool, typer.Option("--hot", help="Only what changed since the last clean pass.")
    ] = False,
    totals: Annotated[
        bool, typer.Option("--totals", help="Only business totals, by SQL of their own.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Ranges at a time.")] = 2,
    share: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1,
            help="Of the time to work. Default: 1, or BANYAN_RECONCILE_SHARE with --continuous.",
        ),
    ] = None,
    every: Annotated[
        float, typer.Option(min=0, help="Seconds from one continuous pass to the next.")
    ] = 900.0,
    legacy: Legacy = None,
    core: Core = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Compare both stores aggregate by aggregate, at places in their logs.

    Lag and changes meanwhile are no differences. A pass that was killed goes on where it was.
    Exit status: 0 all equal, 1 a difference or an error.

    Example: banyan reconcile orders --legacy sqlite:///var/legacy/oscar.sqlite3

    Example: banyan reconcile --continuous --share 0.05
    """
    from shadow_compare.core.reconcile_pass import PassKind

    chosen = [name for name, on in (("full", full), ("continuous", continuous), ("hot", hot)) if on]
    if len(chosen) > 1:
        _fail(f"--{' and --'.join(chosen)} do not go together")
    kind = PassKind(chosen[0]) if chosen else PassKind.FULL
    places = places_of(legacy, core, database)
    if totals:
        _compare_totals(places, domain, as_json=as_json)
        return
    if share is None:
        share = _settings().reconcile_share if continuous else 1.0
    is_clean = run(_passes(places, domain, (kind, workers, share, every), as_json=as_json))
    if not is_clean:
        raise typer.Exit(1)


def places_of(legacy: str | None, core: str | None, database: str | None) -> Places:
    """Where everything is, the settings' defaults filled in."""
    from proxy.storage.runs import KEY_FILE
    from shadow_compare.edge.reconcile_opening import Places

    settings = _settings()
    key = settings.redaction_key.get_secret_value().encode() if settings.redaction_key else None
    file = settings.var / "spool" / KEY_FILE
    if key is None and file.is_file():
        key = file.read_bytes()
    return Places(
        legacy or settings.legacy_database,
        core or settings.core_url(),
        database or settings.evidence_url(),
        key,
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end; what cannot be helped is one line on stderr."""
    import asyncio

    from shadow_compare.errors import CompareError

    try:
        return asyncio.run(work)
    except (CompareError, OSError) as exc:
        _fail(str(exc))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def domains_of(opened: Reconciliation, domain: str | None) -> Sequence[str]:
    """The wanted domain, or all."""
    if domain is None:
        return opened.domains
    if domain not in opened.domains:
        _fail(f"there is no domain {domain}; there are {', '.join(opened.domains)}")
    return [domain]


async def _passes(
    places: Places,
    domain: str | None,
    how: tuple[PassKind, int, float, float],
    *,
    as_json: bool,
) -> bool:
    import asyncio
    import time

    from shadow_compare.core.reconcile_pass import PassKind
    from shadow_compare.edge.reconcile_opening import open_reconciliation
    from shadow_compare.service.reconciling_stretch import Way

    kind, workers, share, every = how
    is_clean = True
    while True:
        began_s = time.monotonic()
        # Opened anew for each round: who owns a domain may have changed.
        async with open_reconciliation(places) as opened:
            for name in domains_of(opened, domain):
                record = await _one(opened, name, (kind, workers), Way(share=share))
                is_clean = record.is_clean and is_clean
                _tell(record, await opened.books.drifts(name), as_json=as_json)
        if kind is not PassKind.CONTINUOUS:
            return is_clean
        await asyncio.sleep(max(1.0, every - (time.monotonic() - began_s)))


async def _one(
    opened: Reconciliation, domain: str, how: tuple[PassKind, int], way: Way
) -> PassRecord:
    import secrets
    import time

    from shadow_compare.edge.reconcile_opening import holder_name
    from shadow_compare.edge.reconcile_report import PassLines
    from shadow_compare.service.reconciling import PassWish, Reconciler

    progress = PassLines(time.monotonic)
    reconciler = Reconciler(opened.looker(domain), opened.books, way, progress)
    wish = PassWish(f"p{secrets.token_hex(6)}", how[0], holder_name(), how[1])
    return await reconciler.run(wish)


def _tell(record: PassRecord, found: Sequence[Drift], *, as_json: bool) -> None:
    from rich.console import Console

    from shadow_compare.edge.reconcile_report import pass_json, print_pass

    if as_json:
        _print_json(pass_json(record, found))
    else:
        print_pass(Console(highlight=False), record, found)


def _compare_totals(places: Places, domain: str | None, *, as_json: bool) -> None:
    from rich.console import Console

    from shadow_compare.edge.reconcile_opening import open_reconciliation
    from shadow_compare.edge.reconcile_report import print_totals, totals_json
    from shadow_compare.service.totals import TotalsCompared

    async def ask() -> Sequence[TotalsCompared]:
        async with open_reconciliation(places) as opened:
            return await opened.totals(domain)

    found = run(ask())
    if as_json:
        _print_json(totals_json(found))
    else:
        print_totals(Console(highlight=False), found)
    if any(one.gaps for one in found):
        raise typer.Exit(1)
