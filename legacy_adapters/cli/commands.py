"""The commands `banyan core` and `banyan backfill`."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from legacy_adapters.service.report import Report

_DIFFERS = 1
_PARKED = 3


def core(
    listen: Annotated[str, typer.Option(help="host:port; port 0 picks a free one")] = (
        "127.0.0.1:8082"
    ),
    database: Annotated[
        str, typer.Option(help="database URL; default BANYAN_CORE_DATABASE or SQLite in var/")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, max=64, help="processes")] = 1,
    modules: Annotated[
        str, typer.Option(help="start these alone, e.g. pricing,inventory; default: all")
    ] = "",
) -> None:
    """Serve the commerce core: /v1 and the facades of legacy stores at /facade/NAME.

    It makes or mends its tables at start and ends gracefully on SIGTERM.

    Example: banyan core --listen 127.0.0.1:8082 --database sqlite:///var/core.sqlite3
    """
    from legacy_adapters.cli.serving import serve
    from new_core.app import chosen_modules
    from new_core.errors import CoreError
    from new_core.settings import CoreSettings

    settings = CoreSettings()
    if database:
        settings = settings.model_copy(update={"core_database": database})
    if modules:
        settings = settings.model_copy(update={"core_modules": modules})
    try:
        chosen_modules(settings.core_modules)
        listener = _listener(listen)
        with listener:
            host, port = listener.getsockname()[:2]
            typer.echo(f"core: listening on http://{host}:{port}", err=True)
            status = serve(settings, listener, workers)
    except CoreError as exc:
        raise _fail("core", str(exc)) from exc
    raise typer.Exit(status)


def backfill(
    source: Annotated[
        str, typer.Option("--from", help="the oscar shop's database, e.g. sqlite:///oscar.sqlite3")
    ],
    database: Annotated[
        str, typer.Option(help="the core's; default BANYAN_CORE_DATABASE or SQLite in var/")
    ] = "",
    page_size: Annotated[int, typer.Option(min=1, max=10_000, help="rows per page")] = 500,
    restart: Annotated[
        bool, typer.Option(help="begin at the first row, even if an earlier run was stopped")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON line instead of tables")
    ] = False,
) -> None:
    """Copy a legacy shop's catalogue, prices and stock into the core, and compare both.

    Run it as often as you like: it goes on where it was stopped, and changes nothing that is
    equal already. Exit status: 0 all equal, 1 a difference or an error, 3 all equal but for
    rows that could not be read and are parked.

    Example: banyan backfill --from sqlite:///var/legacy/oscar.sqlite3
    """
    import asyncio

    from legacy_adapters.app.serving import run_backfill
    from legacy_adapters.cli.presenting import RichProgress, SilentProgress, as_line, print_report
    from legacy_adapters.errors import AdapterError
    from new_core.errors import CoreError
    from new_core.settings import CoreSettings

    settings = CoreSettings()
    if database:
        settings = settings.model_copy(update={"core_database": database})
    progress = SilentProgress() if as_json or not sys.stderr.isatty() else RichProgress()
    try:
        with progress:
            work = run_backfill(settings, source, progress, page_size=page_size, restart=restart)
            report = asyncio.run(work)
    except (AdapterError, CoreError, OSError) as exc:
        raise _fail("backfill", str(exc)) from exc
    except KeyboardInterrupt:
        raise _fail("backfill", "stopped; run it again to go on", status=130) from None
    if as_json:
        typer.echo(as_line(report))
    else:
        print_report(report)
    raise typer.Exit(_status(report))


def _status(report: Report) -> int:
    if not report.check.equal:
        return _DIFFERS
    return _PARKED if report.parked_count else 0


def _listener(address: str) -> socket.socket:
    """An open socket, so that a port in use is told before anything else starts."""
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise _fail("core", f"--listen {address}: expected host:port")
    try:
        family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen(512)
    except OSError as exc:
        raise _fail("core", f"cannot listen on {address}: {exc.strerror or exc}") from exc
    listener.set_inheritable(True)
    return listener


def _fail(command: str, problem: str, *, status: int = 1) -> typer.Exit:
    line = " ".join(problem.split())
    typer.echo(f"banyan {command}: {line}", err=True)
    return typer.Exit(status)
