"""`banyan room`: the control room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def room(
    listen: Annotated[
        str, typer.Option(help="Address and port to serve on; port 0 takes a free one.")
    ] = "127.0.0.1:8081",
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The table in force; default: applied.yaml in var."),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="URL of the evidence; default: BANYAN_EVIDENCE_DATABASE.")
    ] = None,
    side_door: Annotated[
        str | None, typer.Option(help="URL of the proxy's side door; default: BANYAN_SIDE_DOOR.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name that the room goes by, behind a proxy; may be repeated."),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Mismatch groups cannot be moved from its pages.")
    ] = False,
) -> None:
    """Serve the control room until Ctrl-C. Any source may be away.

    Example: banyan room --listen 127.0.0.1:8081 --config var/applied.yaml
    """
    from cutover.api.serving import RoomOptions, serve_room
    from cutover.settings import load_settings

    address, _, port = listen.rpartition(":")
    if not address or not (port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise typer.BadParameter(f"{listen} is not ADDRESS:PORT", param_hint="--listen")
    settings = load_settings()
    door = side_door or settings.side_door
    options = RoomOptions(
        host=address.strip("[]"),
        port=int(port),
        config=config or settings.applied,
        database=database or settings.evidence_database,
        side_door=door if "://" in door else f"http://{door}",
        revisions=settings.revisions,
        names=tuple(name.lower() for name in host or ()),
        read_only=read_only,
    )
    serve_room(options, lambda url: typer.echo(f"The control room is at {url}"))
