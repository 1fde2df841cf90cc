"""`banyan loadtest`: what both sides bear, as evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.settings import CutoverSettings, load_settings
from proxy.routing import LoadProfile

if TYPE_CHECKING:
    from cutover.app.loading import Wish
    from cutover.core.load_run import Figures, LoadRun

NEEDS_YES, ABORTED = 3, 4
_SIDES = {
    "both": ("legacy", "core"),
    "legacy": ("legacy",),
    "core": ("core",),
    "proxy": ("proxy",),
}


def loadtest(
    domain: Annotated[str, typer.Argument(help="Of which domain; none with --show.")] = "",
    profile: Annotated[
        LoadProfile, typer.Option(help="How often the recorded rate; spike: 1x, 10x, 1x.")
    ] = LoadProfile.ONE,
    side: Annotated[str, typer.Option(help="legacy, core, both, or proxy.")] = "both",
    rate: Annotated[
        float | None, typer.Option(help="Requests a second, in place of the recorded rate.")
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="A file of banyan traffic record. Default: the spool."),
    ] = None,
    duration: Annotated[str, typer.Option(help="How long each side is loaded.")] = "2m",
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes of the load generator.")
    ] = 1,
    proxy: Annotated[
        str | None, typer.Option(help="URL of the proxy; '' goes straight at the stores.")
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", help="Read where nothing is in force yet.")
    ] = Path("routing.yaml"),
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Load a side that serves shoppers.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List what is kept.")] = False,
    show: Annotated[str, typer.Option(metavar="ID", help="Show one that is kept.")] = "",
    actor: Annotated[
        str | None, typer.Option(help="Who ran it. Default: BANYAN_ACTOR, or you.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Load the stores behind a domain as recorded shoppers do, and keep what came of it.

    Both sides are asked the same, one after the other, and compared; a gate can ask for it.
    Only reads are sent. It ends by itself when shoppers meet more errors. Exit codes: 0 done;
    1 failed; 3 refused without --yes; 4 aborted, kept and no evidence.

    Example: banyan loadtest catalog --profile 3x --from catalog.json
    """
    from cutover.app.loading import Wish, load_files, seconds_of

    settings = load_settings()
    if list_:
        return _list(settings, domain, as_json=as_json)
    if show:
        return _print(load_files(settings).read(show), as_json=as_json)
    if not domain:
        raise typer.BadParameter("name a domain, or say --list or --show ID")
    if side not in _SIDES:
        raise typer.BadParameter(f"{side} is none of {', '.join(_SIDES)}", param_hint="--side")
    if rate is not None and not 0 < rate < float("inf"):
        raise typer.BadParameter(f"{rate:g} is no rate", param_hint="--rate")
    wish = Wish(
        domain=domain,
        profile=profile,
        sides=_SIDES[side],
        duration_s=seconds_of("--duration", duration),
        workers=workers,
        rate=rate,
        traffic=from_,
        proxy=f"http://127.0.0.1:{settings.proxy_port}" if proxy is None else proxy.rstrip("/"),
        yes=yes,
        by=actor or settings.actor,
    )
    run = _run(settings, wish, config)
    page = _page(settings, run)
    _print(run, as_json=as_json)
    if not as_json:
        typer.echo(f"Plots: {page}")
    if run.why:
        raise typer.Exit(ABORTED)
    return None


def _run(settings: CutoverSettings, wish: Wish, config: Path) -> LoadRun:
    import asyncio
    import signal
    import sys

    from cutover.app.loading import NeedsYes, run_load, table_for

    found = table_for(settings, config, wish.domain)
    shows = sys.stderr.isatty()

    def tell(side: str, passed_s: float, requests: int) -> None:
        if shows:
            line = f"\r{side:7}{passed_s:6.0f} s  {requests} requests"
            print(line, end="", file=sys.stderr, flush=True)

    async def run() -> LoadRun:
        if (task := asyncio.current_task()) is not None:
            # Both, and in the loop: what a shell starts in the background ignores SIGINT,
            # and a load must end when it is told to.
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await run_load(settings, wish, found, tell)

    try:
        return asyncio.run(run())
    except NeedsYes as exc:
        print(f"banyan: {exc}", file=sys.stderr)
        raise typer.Exit(NEEDS_YES) from exc
    except (KeyboardInterrupt, asyncio.CancelledError) as exc:
        print("\nbanyan: aborted; it is kept as such, and no evidence", file=sys.stderr)
        raise typer.Exit(ABORTED) from exc
    finally:
        if shows:
            print(file=sys.stderr)


def _page(settings: CutoverSettings, run: LoadRun) -> Path:
    from cutover.api.loadpage import load_page
    from cutover.api.rendering import Renderer
    from cutover.app.loading import load_files
    from cutover.storage.loadtests import write_whole

    path = load_files(settings).folder / f"{run.id}.html"
    write_whole(path, Renderer().load_file(load_page(run)).encode())
    return path


def _list(settings: CutoverSettings, domain: str, *, as_json: bool) -> None:
    import sys

    from cutover.app.loading import load_files
    from cutover.core.load_run import ratio

    files = load_files(settings)
    loads = files.of(domain) if domain else files.all()
    for problem in loads.problems:
        print(f"note: {problem}", file=sys.stderr)
    if as_json:
        print(json.dumps([run_value(run) for run in loads.runs], indent=1))
        return
    if not loads.runs:
        print("No load test is kept. Run one: banyan loadtest DOMAIN --profile 1x")
    for run in loads.runs:
        core, legacy = run.side("core"), run.side("legacy")
        told = ", ".join(one.side for one in run.sides) or "nothing"
        if core is not None and legacy is not None:
            times = ratio(core.total, legacy.total).p99
            told = "p99 of the core " + (f"{times:g} times legacy's" if times else "unknown")
        doubt = ", with doubts" if any(side.doubts for side in run.sides) else ""
        print(f"{run.id}  {run.state}{doubt}  {told}")


def run_value(run: LoadRun) -> dict[str, Any]:
    """A result as JSON: what is kept, and the core beside legacy."""
    from cutover.core.load_run import comparison, run_to_json

    value: dict[str, Any] = json.loads(run_to_json(run))
    for side, one in zip(value["sides"], run.sides, strict=True):
        side["rate_asked"], side["rate_reached"] = (
            round(one.rate_asked, 2),
            round(one.rate_reached, 2),
        )
    return {**value, "comparison": comparison(run)}


def _print(run: LoadRun, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(run_value(run), indent=1))
        return
    for line in run_lines(run):
        print(line)


def run_lines(run: LoadRun) -> list[str]:
    """A result for people."""
    from datetime import UTC, datetime

    from cutover.core.load_run import comparison

    at = datetime.fromtimestamp(run.at_s, UTC)
    by_hand = ", named by hand" if run.by_hand else ", as recorded"
    core, legacy = (run.releases.get(side) or "without a name" for side in ("core", "legacy"))
    title = f"Load test {run.id}: {run.domain} at {run.profile} of {run.base_per_s:g} requests"
    lines = [
        f"{title} a second{by_hand}, {at:%Y-%m-%d %H:%M} UTC",
        f"table {run.revision or 'not in force'}; releases: legacy {legacy}, core {core}",
    ]
    if run.why:
        lines.append(f"ABORTED, no evidence: {run.why}")
    for side in run.sides:
        rates = f"{side.rate_reached:.1f} of {side.rate_asked:.1f} requests a second"
        heads = " ".join(f"{name:>8}" for name in ("p50", "p90", "p95", "p99"))
        lines += [
            "",
            f"{side.side}, {side.way}: {rates}; load generator: {side.cpu:.0%} of a processor",
            *(f"  DOUBT: {doubt}" for doubt in side.doubts),
            f"  {'':40} {'requests':>9} {'errors':>7} {'refused':>7} {heads} ms",
            *(_row(name, figures) for name, figures in side.routes.items()),
            _row("all", side.total),
        ]
        if side.total.errors:
            kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(side.total.errors.items()))
            lines.append(f"  errors: {kinds}")
        lines += [f"  {name}: {value:g} at most" for name, value in sorted(side.proxy.items())]
    compared = comparison(run)
    if compared:
        lines += ["", "core beside legacy:"]
    for name, figures in compared.items():
        times = [
            f"{key} {'-' if figures[key] is None else f'{figures[key]:g}x'}"
            for key in ("p50", "p99")
        ]
        more = figures["errors_ppm"] / 10_000
        lines.append(f"  {name or 'all':40} {', '.join(times)}, failed {more:+g} points")
    return lines


def _row(name: str, figures: Figures) -> str:
    times = " ".join(f"{figures.times_ms[key]:8.1f}" for key in ("p50", "p90", "p95", "p99"))
    return (
        f"  {name[:40]:40} {figures.requests:9,} {figures.failed:7,} {figures.refused:7,} {times}"
    )
