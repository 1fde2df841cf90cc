"""`banyan traffic record`: what shoppers ask of a domain, for load tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cutover.errors import CutoverError
from cutover.settings import load_settings


def record(
    domain: Annotated[str, typer.Argument(help="Of which domain.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    for_: Annotated[
        str, typer.Option("--for", help="Record what comes in so long, e.g. 10m.")
    ] = "",
    from_spool: Annotated[
        bool, typer.Option("--from-spool", help="Take what lies in the spool now (the default).")
    ] = False,
    spool: Annotated[Path | None, typer.Option(help="Spool directory of the proxy.")] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", help="Read where nothing is in force yet.")
    ] = Path("routing.yaml"),
) -> None:
    """Make a profile of a domain's traffic out of captures: routes, weights, paths, rate, pauses.

    It holds what captures hold of paths, and so nothing personal; no header, no body, nobody's
    name. Reads nobody may send again (writes, routes with effects) are left out and counted.
    The comparer keeps its frames: this only looks.

    Example: banyan traffic record catalog --for 10m --out catalog.json
    """
    import sys
    import time

    from cutover.app.loading import record_traffic, seconds_of, table_for
    from cutover.core.load_traffic import traffic_to_json
    from cutover.storage.loadtests import write_whole

    if for_ and from_spool:
        raise CutoverError("--for and --from-spool exclude each other; drop one of them")
    settings = load_settings()
    found = table_for(settings, config, domain)
    shows = sys.stderr.isatty()

    def tell(passed_s: float, requests: int) -> None:
        if shows:
            print(f"\r{passed_s:6.0f} s  {requests} requests", end="", file=sys.stderr, flush=True)

    for_s = seconds_of("--for", for_) if for_ else None
    folder = spool or settings.var / "spool"
    traffic = record_traffic(folder, found.domain, for_s, time.monotonic, time.sleep, tell)
    if shows and for_s is not None:
        print(file=sys.stderr)
    write_whole(out, traffic_to_json(traffic))
    typer.echo(
        f"{out}: {traffic.requests:,} requests of {len(traffic.routes)} routes,"
        f" {traffic.rate_per_s:g} a second (busiest minute {traffic.peak_per_s:g})"
    )
    for reason, count in traffic.left_out.items():
        typer.echo(f"left out: {count:,} {reason}")
