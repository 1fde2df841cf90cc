"""The command `banyan proxy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="Routing file; watched for changes.")
    ] = Path("routing.yaml"),
    listen: Annotated[str, typer.Option(help="HOST:PORT for shoppers.")] = "127.0.0.1:8080",
    side_door: Annotated[
        str, typer.Option(help="HOST:PORT for health, metrics and explain.")
    ] = "127.0.0.1:8090",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")] = 1,
    spool: Annotated[
        Path | None, typer.Option(help="Directory for captures. [default: $BANYAN_VAR/spool]")
    ] = None,
    inherit: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Route live traffic between the legacy store and the new core.

    Runs alone: no database, no other service of the platform. Ends when it is told to
    (SIGTERM, Ctrl-C), after the exchanges in flight. SIGHUP replaces the workers, SIGUSR2
    the whole program, SIGUSR1 sends everything to legacy.

    Example: banyan proxy --config routing.yaml --listen 127.0.0.1:8080 --workers 2
    """
    from proxy.app import Wish, read_settings
    from proxy.app import serve as run
    from proxy.edge.logs import log_to_stderr
    from proxy.errors import ProxyError

    try:
        settings = read_settings()
        log_to_stderr(settings.log_level)
        wish = Wish(config, listen, side_door, workers, spool or settings.var / "spool", inherit)
        run(wish, settings)
    except ProxyError as exc:
        typer.echo(f"banyan proxy: {exc}", err=True)
        raise typer.Exit(1) from exc
