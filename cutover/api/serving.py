"""Puts the room together and serves it until told to stop."""

from __future__ import annotations

import asyncio
import secrets
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import uvicorn
import uvloop
from fastapi import FastAPI

from cutover.api.adminparts import AdminParts
from cutover.api.delivering import DeliveryWatch
from cutover.api.files import age_asker
from cutover.api.gate import Room
from cutover.api.identity import Identity
from cutover.api.live import Board
from cutover.api.meters import Meters
from cutover.api.oidc import Issuer
from cutover.api.outletfigures import OutletFigures
from cutover.api.sampling import sampling
from cutover.api.sources import Places, Sources, clock_s, open_sources
from cutover.api.stream import Seats
from cutover.api.visiting import session_of_visitor
from cutover.api.whole import whole_app
from cutover.api.writing import Doorkeeper
from cutover.core.claims import Terms
from cutover.errors import CutoverError
from cutover.service.hands import Hands
from cutover.settings import COURSE_FILE
from cutover.storage.loadtests import LoadFiles
from cutover.storage.people_file import PeopleFile
from cutover.storage.room_files import EndedSessions, RoomKey, SignIns
from shadow_compare.app import open_keeper
from shadow_compare.core.confidence import lower_bound_ppm
from shadow_compare.core.parity import DEFAULT_CONFIDENCE_BP

_THREADS = 40


class CannotServe(CutoverError):
    """The address to serve on cannot be had."""


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """Where the room listens and where it reads.

    Attributes:
        places: of its sources.
        legacy: URL of the legacy's database; "" where there is none.
        names: host names that it goes by besides those of loopback and `host`.
        read_only: mismatch groups cannot be moved from its pages.
        beside: what runs while the room does.
        hands: what acts for people; None where nothing may be done from here.
        admin: what the admin API works with; None for a room without one.
        var: folder of the room's own files: people, key, ended sessions.
        terms: of an OpenID issuer; None for none.
        is_open: while nobody is known whoever comes may do everything. What serves this
            machine alone is so anyway.
        behind: addresses of proxies whose word on the asker's address and scheme holds.
    """

    host: str
    port: int
    places: Places
    legacy: str = ""
    names: tuple[str, ...] = ()
    read_only: bool = False
    beside: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()
    hands: Hands | None = None
    admin: AdminParts | None = None
    var: Path = Path("var")
    terms: Terms | None = None
    is_open: bool = False
    behind: tuple[str, ...] = ("127.0.0.1", "::1")

    @property
    def people(self) -> PeopleFile:
        """Who may use the room."""
        return PeopleFile(self.var / "people.json")


def serve_room(options: RoomOptions, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        CannotServe: somebody else listens there, or the address is not this machine's, or
            other machines would be served although nobody is known.
        CannotRead: the file of people is damaged.
        EvidenceUnavailable: the database URL names no supported database.
    """
    try:
        listener = socket.create_server((options.host, options.port), backlog=128)
    except OSError as exc:
        place = f"{options.host}:{options.port}"
        reason = (exc.strerror or str(exc)).partition(" (while")[0]
        raise CannotServe(f"cannot listen on {place}: {reason}") from exc
    with listener:
        address = listener.getsockname()[0]
        is_loopback = ip_address(address.partition("%")[0]).is_loopback
        options = replace(options, is_open=options.is_open or is_loopback)
        _must_know_whom_it_serves(options, address)
        uvloop.run(_serve(options, listener, on_ready))


def _must_know_whom_it_serves(options: RoomOptions, address: str) -> None:
    """Raises CannotServe, CannotRead."""
    if options.is_open or options.terms is not None or options.people.book():
        return
    raise CannotServe(
        f"cannot serve {address}: nobody is known to this room, so whoever reaches it could do"
        " everything. Add somebody first (banyan people add NAME --role admin), listen on"
        " 127.0.0.1, or say --open if something else asks who comes"
    )


async def _serve(
    options: RoomOptions, listener: socket.socket, on_ready: Callable[[str], None]
) -> None:
    host, port = listener.getsockname()[:2]
    # An apply waits in a thread for its turn; pages and rollbacks must find others free.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    stopped: list[uvicorn.Server] = []
    async with room_app(options, stopping=lambda: any(s.should_exit for s in stopped)) as app:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=3,
                forwarded_allow_ips=list(options.behind),
            )
        )
        stopped.append(server)
        on_ready(f"http://{host}:{port}/")
        await server.serve(sockets=[listener])


@asynccontextmanager
async def _running(
    beside: Sequence[Callable[[], Coroutine[None, None, None]]],
) -> AsyncIterator[None]:
    """Run these until the block ends."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one()) for one in beside]
        try:
            yield
        finally:
            for one in running:
                one.cancel()


async def _load_bounds() -> None:
    """The first bound of a process loads what it is computed by: no page need wait for that."""
    await asyncio.to_thread(lower_bound_ppm, 1, 1, DEFAULT_CONFIDENCE_BP)


@asynccontextmanager
async def _beside(options: RoomOptions, sources: Sources) -> AsyncIterator[DeliveryWatch]:
    """What the room looks at though nobody watches.

    By its first look at delivery figures a room that just began reads the whole ledger once
    for all its pages.
    """
    delivered = DeliveryWatch(options.places.revisions, sources.history, clock_s)
    watching = (delivered.keep_looking, sources.gatherer.keep_reading, _load_bounds)
    async with _running((*options.beside, *watching)):
        yield delivered


@asynccontextmanager
async def room_app(
    options: RoomOptions, *, stopping: Callable[[], bool] = lambda: False
) -> AsyncIterator[FastAPI]:
    """The app over real sources, which are closed when the block ends."""
    async with (
        open_sources(options.places) as sources,
        open_keeper(options.places.database) as keeper,
        sampling(options.places.core, options.legacy, sources.door.state),
        _beside(options, sources) as delivered,
    ):
        seats = Seats()
        steered_ago_s = age_asker(options.places.revisions.parent / COURSE_FILE, clock_s)
        meters = Meters(seats, steered_ago_s, lambda: delivered.found)
        meters.add(OutletFigures(options.places.revisions.parent, clock_s))
        board = Board(
            sources.gatherer,
            boot=uuid.uuid4().hex[:8],
            data=sources.data,
            on_draw=meters.drawn,
        )
        names = frozenset((options.host, *options.names))
        doorkeeper = Doorkeeper(secrets.token_bytes(32), names, session_of_visitor)
        loads = LoadFiles(options.places.revisions.parent / "loadtests")
        async with _identity(options) as identity:
            yield whole_app(
                board,
                Room(identity, doorkeeper, board.renderer),
                loads,
                keeper=None if options.read_only else keeper,
                hands=options.hands,
                admin=options.admin,
                meters=meters,
                seats=seats,
                stopping=stopping,
            )


@asynccontextmanager
async def _identity(options: RoomOptions) -> AsyncIterator[Identity]:
    """Who is who, by the room's own files and the issuer.

    Raises CannotRead, CannotWrite: rather now than when somebody wants to sign in.
    """
    async with aiohttp.ClientSession() as session:
        issuer = None if options.terms is None else Issuer(options.terms, session, clock_s)
        key = RoomKey(options.var / "room.key")
        ended = EndedSessions(options.var / "ended-sessions.json")
        identity = Identity(
            options.people,
            key,
            ended,
            SignIns(options.var / "sign-ins.json"),
            clock_s,
            issuer,
            may_be_open=options.is_open,
        )
        if not identity.is_open():
            identity.seal()
        yield identity
