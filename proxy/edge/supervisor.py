"""The parent of the workers: starts, watches, restarts, replaces, hands over, drains."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from aiohttp import web

from proxy.edge.collector import Snapshot
from proxy.edge.control import Killed, LetGo, Mind
from proxy.edge.counters import RELOADS
from proxy.edge.crew import Crew, Hand
from proxy.edge.handover import HandoverError, hand_over
from proxy.edge.keeper import TableKeeper
from proxy.edge.listening import plug, unplug
from proxy.edge.orders import WorkerOrders
from proxy.edge.sidedoor import SideDoor
from proxy.edge.switchboard import Reloaded, Switchboard
from proxy.edge.tasks import Tasks
from proxy.edge.tls import ListenerTls
from proxy.edge.totals import Totals
from proxy.routing import killed
from proxy.storage.kill_file import ALL, KillWatcher

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.05
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_HEALTHY_S = 10.0
_COMING_UP_S = 60.0
# Behind the drain: to write captures, lines and spans that wait.
_ENDING_S = 10.0


@dataclass(slots=True)
class _Seat:
    """A worker's place: its socket outlives it, so that connections which wait in the
    backlog when it dies are served by another, and then by the next.

    Attributes:
        coming: replaces `hand` when it is ready.
        minder: another seat's worker that accepts from this socket, since `hand` died.
    """

    number: int
    listener: socket.socket
    hand: Hand | None = None
    coming: Hand | None = None
    minder: Hand | None = None
    deaths: int = 0
    start_at: float = 0.0


class Supervisor:
    """Runs workers and the side door until it is told to stop."""

    def __init__(
        self,
        orders: WorkerOrders,
        listeners: list[socket.socket],
        tls: ListenerTls | None = None,
        *,
        is_guest: bool = False,
    ) -> None:
        """Take the orders for each worker, but for what changes from one to the next.

        Args:
            orders: the same for all workers.
            listeners: one for each worker.
            tls: the listener's certificate, to be kept for workers that start.
            is_guest: another proxy serves on these sockets until this one does.

        Raises:
            RoutingFileError: the routing file does not load.
            AddressError: one of its stores cannot be used.
        """
        self._orders = orders
        self._seats = [_Seat(number, listener) for number, listener in enumerate(listeners)]
        self._totals = Totals(Path(orders.spool))
        self._keeper = TableKeeper(
            Path(orders.config), tls, lambda result: self._totals.count(RELOADS, result)
        )
        self._kill_watcher = KillWatcher(Path(orders.kill_file))
        self._kill_file = self._kill_watcher.read()
        self._restarts = 0
        self._replaced = 0
        self._is_draining = False
        self._is_guest = is_guest
        self._is_handed_over = False
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._wants_fresh = asyncio.Event()
        self._tasks = Tasks()
        self._crew = Crew(self._on_killed, self._wake.set)
        self._board = Switchboard(
            self._crew, Path(orders.kill_file), orders.hold_limits, lambda: self._keeper.table
        )
        self._door_socket: socket.socket | None = None
        self._is_handing_over = False

    async def run(self, side_door: socket.socket, on_up: Callable[[], None]) -> None:
        """Serve until `stop`; return when the workers have drained.

        Args:
            side_door: a listening socket.
            on_up: called once when every worker serves for the first time.
        """
        self._door_socket = side_door
        door = SideDoor(self.snapshot, lambda: self._is_draining, self._board, self.reload)
        runner = web.AppRunner(door.app(), access_log=None, handle_signals=False)
        await runner.setup()
        site = web.SockSite(runner, side_door, shutdown_timeout=1.0)
        if not self._is_guest:
            await site.start()
        self._tasks.spawn(self._keeper.run(self._spread_table), "table keeper")
        self._tasks.spawn(self._replace_when_asked(), "replacing")
        is_up = False
        try:
            while not self._stop.is_set():
                self._look_after()
                if not is_up and all(seat.hand and seat.hand.is_ready for seat in self._seats):
                    is_up = True
                    if self._is_guest:
                        self._is_guest = False
                        await site.start()
                    on_up()
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _LOOK_EVERY_S)
        finally:
            if self._is_handed_over:
                await runner.cleanup()  # the new proxy's side door is to answer from now on
            await self._drain()
            await self._tasks.cancel_all()
            await runner.cleanup()
            self._keeper.close()

    # What signals ask for.

    def stop(self) -> None:
        """Drain and end."""
        self._stop.set()
        self._wake.set()

    def replace_workers(self) -> None:
        """Replace every worker by a fresh one, one after the other."""
        self._wants_fresh.set()

    def kill_all(self) -> None:
        """Send everything to legacy."""
        log.warning("a signal sends everything to legacy")
        self._tasks.spawn(self._kill_all(), "kill")

    def upgrade(self) -> None:
        """Start this program anew on the same sockets, and leave when it serves."""
        if not self._is_handing_over:
            self._is_handing_over = True
            self._tasks.spawn(self._upgrade(), "upgrade")

    async def reload(self) -> Reloaded:
        """Look at the routing file at once, and wait until every worker goes by it."""
        if await self._keeper.look():
            self._spread_table()
        silent = await self._crew.taken(self._keeper.number)
        return Reloaded(self._keeper.table.revision, self._keeper.problem, silent)

    def snapshot(self) -> Snapshot:
        """All that the side door tells."""
        if self._kill_watcher.is_due():
            self._kill_file = self._kill_watcher.read()
        sums, notes = self._totals.read()
        seated = {seat.hand.run for seat in self._seats if seat.hand is not None}
        notes = {run: note for run, note in notes.items() if run in seated}
        problems = (note.problem for note in notes.values() if note.problem)
        kill = self._kill_file.kill | self._board.told
        table = self._keeper.table
        return Snapshot(
            sums=sums,
            notes=notes,
            table=table,
            in_force=killed(table, kill) if kill else table,
            kill=kill,
            problem=self._keeper.problem or next(problems, None),
            kill_problem=self._kill_file.problem,
            workers=sum(seat.hand is not None for seat in self._seats),
            restarts=self._restarts,
            replaced=self._replaced,
            spool=Path(self._orders.spool),
        )

    def _look_after(self) -> None:
        for hand in [hand for hand in self._crew.hands if hand.process.poll() is not None]:
            self._bury(hand, hand.process.returncode)
        now = time.monotonic()
        for hand in self._crew.hands:
            if hand.leaves_by is not None and now > hand.leaves_by:
                log.error("worker %s did not drain in time and was killed", hand.run)
                hand.process.kill()
            hand.complain()
        self._spread_table()
        for seat in self._seats:
            self._mind(seat)
            is_free = seat.hand is None and seat.coming is None
            if is_free and now >= seat.start_at:
                seat.hand = self._start(seat)

    def _spread_table(self) -> None:
        for hand in self._crew.hands:
            hand.give_table(self._keeper.number, self._keeper.paper)

    def _mind(self, seat: _Seat) -> None:
        """Let another worker accept from the socket of one that died, until the next serves:
        the kernel goes on giving it its share of new connections.
        """
        is_served = seat.hand is not None and seat.hand.serves
        staying = [other.hand for other in self._seats if other.hand and other.hand.serves]
        if seat.minder is not None and (is_served or seat.minder not in staying):
            if seat.minder.channel is not None:
                seat.minder.channel.say(LetGo(seat.number))
            seat.minder = None
        was_served = seat.deaths > 0 or (seat.hand is not None and seat.hand.is_ready)
        if not is_served and was_served and seat.minder is None and staying:
            minder = staying[0]
            if minder.channel and minder.channel.say(Mind(seat.number), seat.listener.fileno()):
                seat.minder = minder

    def _bury(self, hand: Hand, code: int) -> None:
        self._totals.ended(hand.run)
        self._crew.bury(hand)
        for seat in self._seats:
            if seat.coming is hand:
                seat.coming = None
            if seat.hand is hand:
                self._died(seat, hand, code)

    def _died(self, seat: _Seat, hand: Hand, code: int) -> None:
        seat.hand = None
        self._restarts += 1
        now = time.monotonic()
        seat.deaths = 1 if now - hand.started_at > _HEALTHY_S else seat.deaths + 1
        # The first death may be anybody's fault; only one who dies again and again waits.
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (seat.deaths - 2))
        if seat.deaths == 1:
            pause_s = 0.0
        seat.start_at = now + pause_s
        log.error("worker %s ended with %d; the next starts in %.1f s", hand.run, code, pause_s)

    def _start(self, seat: _Seat) -> Hand | None:
        """Start a worker; None when the system has no room for one, for a while."""
        # An old proxy that died while it handed over may have left its plug in the socket.
        unplug(seat.listener)
        orders = msgspec.structs.replace(
            self._orders,
            run=_new_run(),
            listen_fd=seat.listener.fileno(),
            handed=self._keeper.handed,
            told_kill=" ".join(self._board.told.scopes),
            holds=self._board.holds,
        )
        try:
            hand = self._crew.start(seat.listener, orders)
        except OSError as exc:
            log.error("a worker cannot be started: %s", exc)  # noqa: TRY400
            seat.start_at = time.monotonic() + _LONGEST_PAUSE_S
            return None
        hand.told = hand.took = self._keeper.number
        self._totals.began(hand.run)
        return hand

    # Replacing workers, and this process.

    async def _replace_when_asked(self) -> None:
        while True:
            await self._wants_fresh.wait()
            self._wants_fresh.clear()
            for seat in self._seats:
                if self._is_draining:
                    return
                if not await self._replace(seat):
                    log.error("a new worker does not come up; the old ones stay")
                    break

    async def _replace(self, seat: _Seat) -> bool:
        """Both accept from one socket until the old one stops: nobody waits, nobody is lost."""
        coming = seat.coming = self._start(seat)
        if coming is None:
            return False
        end = time.monotonic() + _COMING_UP_S
        while not coming.is_ready and time.monotonic() < end and coming in self._crew.hands:
            coming.changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(coming.changed.wait(), 1.0)
        if seat.coming is not coming or not coming.is_ready:
            seat.coming = None
            coming.process.kill()
            return False
        leaving, seat.hand, seat.coming = seat.hand, coming, None
        self._replaced += 1
        if leaving is not None:
            leaving.leaves_by = time.monotonic() + self._drain_bound_s()
            leaving.drain(is_last=False)
        return True

    async def _upgrade(self) -> None:
        # What is kept in memory alone would be lost.
        kept = [f"{domain} is held" for domain in self._board.holds]
        if self._board.told:
            kept.append("a kill could not be written to its file")
        assert self._door_socket is not None  # noqa: S101 - signals come when it is bound
        try:
            if not kept:
                await hand_over([seat.listener for seat in self._seats], self._door_socket)
        except HandoverError as exc:
            kept.append(str(exc))
        if kept:
            log.error("the upgrade did not happen, this proxy goes on: %s", ", ".join(kept))
            self._is_handing_over = False
            for seat in self._seats:
                unplug(seat.listener)
            return
        self._is_handed_over = True
        self.stop()

    async def _drain(self) -> None:
        """Stop accepting, let what is in flight end, and see every worker off."""
        self._is_draining = True
        is_last = not self._is_handed_over and not self._is_guest
        if is_last:
            for seat in self._seats:
                plug(seat.listener)
        hands = list(self._crew.hands)
        for hand in hands:
            hand.drain(is_last=is_last)
        now = time.monotonic()
        bound_s = self._drain_bound_s()
        is_open = True
        while any(hand.process.poll() is None for hand in hands):
            # The sockets go when nobody waits in them any more.
            done = all(hand.is_closed or hand.process.poll() is not None for hand in hands)
            if is_open and (done or time.monotonic() > now + 4.0):
                is_open = False
                self._close_listeners()
            if time.monotonic() > now + bound_s:
                log.error("a worker did not drain in time and was killed")
                for hand in hands:
                    hand.process.kill()
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        self._close_listeners()
        for hand in hands:
            hand.process.wait()
            self._crew.bury(hand)

    def _drain_bound_s(self) -> float:
        held_s = self._orders.hold_limits.longest_s if self._board.holds else 0.0
        return self._orders.timeouts.drain_s + _ENDING_S + held_s

    def _close_listeners(self) -> None:
        for seat in self._seats:
            seat.listener.close()

    # What changes by itself.

    async def _kill_all(self) -> None:
        await self._board.kill(ALL)

    def _on_killed(self, told: Killed) -> None:
        self._board.on_killed(told)
        self._tasks.spawn(self._board.spread(), "kill")


def _new_run() -> str:
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]  # noqa: TID251 - names only
    return f"{at}-{secrets.token_hex(3)}"
