"""Puts the room together and serves it until told to stop."""

from __future__ import annotations

import secrets
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvicorn
import uvloop
from fastapi import FastAPI

from cutover.api.files import ledger_asker, table_asker
from cutover.api.gather import Asks, Gatherer
from cutover.api.live import Board
from cutover.api.meters import Meters
from cutover.api.sidedoor import SideDoor, probe_store
from cutover.api.stream import Seats
from cutover.api.web import create_app
from cutover.api.writing import Doorkeeper
from cutover.errors import CutoverError
from shadow_compare.app import open_evidence, open_keeper

_CONNECT_S, _ANSWER_S = 0.5, 1.0


class CannotServe(CutoverError):
    """The address to serve on cannot be had."""


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """Where the room listens and where it reads.

    Attributes:
        config: the table in force.
        database: async SQLAlchemy URL of the evidence.
        side_door: URL of the proxy's side door.
        revisions: folder of the ledger.
        names: host names that it goes by besides those of loopback and `host`.
        read_only: mismatch groups cannot be moved from its pages.
    """

    host: str
    port: int
    config: Path
    database: str
    side_door: str
    revisions: Path
    names: tuple[str, ...] = ()
    read_only: bool = False


def serve_room(options: RoomOptions, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        CannotServe: somebody else listens there, or the address is not this machine's.
        EvidenceUnavailable: the database URL names no supported database.
    """
    try:
        listener = socket.create_server((options.host, options.port), backlog=128)
    except OSError as exc:
        place = f"{options.host}:{options.port}"
        reason = (exc.strerror or str(exc)).partition(" (while")[0]
        raise CannotServe(f"cannot listen on {place}: {reason}") from exc
    with listener:
        uvloop.run(_serve(options, listener, on_ready))


async def _serve(
    options: RoomOptions, listener: socket.socket, on_ready: Callable[[str], None]
) -> None:
    host, port = listener.getsockname()[:2]
    stopped: list[uvicorn.Server] = []
    async with room_app(options, stopping=lambda: any(s.should_exit for s in stopped)) as app:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=3,
            )
        )
        stopped.append(server)
        on_ready(f"http://{host}:{port}/")
        await server.serve(sockets=[listener])


@asynccontextmanager
async def room_app(
    options: RoomOptions, *, stopping: Callable[[], bool] = lambda: False
) -> AsyncIterator[FastAPI]:
    """The app over real sources, which are closed when the block ends."""
    clock_s = time.time  # noqa: TID251 - the edge's clock
    timeout = aiohttp.ClientTimeout(total=_ANSWER_S, connect=_CONNECT_S)
    async with (
        open_evidence(options.database) as evidence,
        open_keeper(options.database) as keeper,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        asks = Asks(
            table=table_asker(options.config),
            proxy=SideDoor(session, options.side_door).state,
            probe=lambda store: probe_store(session, store),
            revisions=ledger_asker(options.revisions),
            evidence=evidence,
        )
        seats = Seats()
        meters = Meters(seats)
        board = Board(Gatherer(asks, clock_s), boot=uuid.uuid4().hex[:8], on_draw=meters.drawn)
        doorkeeper = Doorkeeper(secrets.token_bytes(32), frozenset((options.host, *options.names)))
        yield create_app(
            board,
            clock_s,
            meters=meters,
            seats=seats,
            stopping=stopping,
            writing=None if options.read_only else (keeper, doorkeeper),
        )
