"""`banyan room`: the control room."""

from __future__ import annotations

from dataclasses import replace
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
    core: Annotated[
        str | None, typer.Option(help="URL of the core's database; default: BANYAN_CORE_DATABASE.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name that the room goes by, behind a proxy; may be repeated."),
    ] = None,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only", help="Nothing can be moved from its pages; it neither steers nor sends."
        ),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(help="Where people open it, for links in notices; default: BANYAN_ROOM_URL."),
    ] = None,
    watch: Annotated[
        Path | None,
        typer.Option(help="Plan and apply this file whenever its content changes (GitOps)."),
    ] = None,
    watch_actor: Annotated[
        str, typer.Option(help="Who the ledger names for what the watched file changed.")
    ] = "gitops",
    open_to_all: Annotated[
        bool,
        typer.Option(
            "--open",
            help="Serve other machines even while nobody is known: whoever comes may do all.",
        ),
    ] = False,
    behind: Annotated[
        list[str] | None,
        typer.Option(help="Address of a proxy in front; may be repeated. Default: this machine."),
    ] = None,
    steer: Annotated[
        bool, typer.Option(help="Follow the rollback and ramp of domains, as banyan steer does.")
    ] = True,
) -> None:
    """Serve the control room until Ctrl-C. Any source may be away.

    Example: banyan room --listen 127.0.0.1:8081 --config var/applied.yaml
    """
    from functools import partial

    from cutover import app
    from cutover.api.admin import parts_in
    from cutover.api.serving import RoomOptions, serve_room
    from cutover.api.sources import Places
    from cutover.app.hands import hands
    from cutover.app.notifying import notify
    from cutover.app.steering import log_what_was_done
    from cutover.app.steering import steer as steering
    from cutover.app.watching import watch as watching
    from cutover.core.claims import read_terms
    from cutover.settings import load_settings

    address, _, port = listen.rpartition(":")
    if not address or not (port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise typer.BadParameter(f"{listen} is not ADDRESS:PORT", param_hint="--listen")
    if watch is not None and read_only:
        raise typer.BadParameter("a read-only room applies nothing", param_hint="--watch")
    settings = load_settings()
    door = side_door or settings.side_door
    door = door if "://" in door else f"http://{door}"
    settings = replace(
        settings, side_door=door, evidence_database=database or settings.evidence_database
    )
    by_itself = partial(steering, settings, log_what_was_done)
    telling = partial(notify, settings, url or settings.room_url)
    beside = [] if read_only else [telling, *([by_itself] if steer else [])]
    if watch is not None:
        beside.append(partial(watching, settings, watch, watch_actor))
    acting = None if read_only else hands(settings)
    options = RoomOptions(
        host=address.strip("[]"),
        port=int(port),
        places=Places(
            config=config or settings.applied,
            database=settings.evidence_database,
            side_door=door,
            revisions=settings.revisions,
            core=core or settings.core_database,
            order_routes=settings.order_routes,
        ),
        legacy=settings.environment.get("BANYAN_LEGACY_DATABASE", ""),
        names=tuple(name.lower() for name in host or ()),
        read_only=read_only,
        beside=tuple(beside),
        hands=acting,
        admin=parts_in(settings, app.books(settings), acting),
        var=settings.var,
        terms=read_terms(settings.environment),
        is_open=open_to_all,
        behind=tuple(behind) if behind else ("127.0.0.1", "::1"),
    )
    if open_to_all and options.terms is None and not options.people.book():
        warning = "banyan: warning: --open: whoever reaches the room may do everything"
        typer.echo(warning, err=True)
    serve_room(options, lambda url: typer.echo(f"The control room is at {url}"))
