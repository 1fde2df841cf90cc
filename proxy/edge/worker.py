"""One worker process: accepts, forwards, captures, by the table that it is handed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import msgspec
import uvloop

from proxy.compiled import is_enabled
from proxy.core.address import AddressError, parse_networks
from proxy.core.hold import HoldEnd
from proxy.edge.capture import CaptureQueue, SpoolThread
from proxy.edge.client import ClientConnection
from proxy.edge.context import Context
from proxy.edge.control import (
    Channel,
    Closed,
    Command,
    Done,
    Drain,
    Held,
    Hold,
    Killed,
    LetGo,
    Mind,
    Ready,
    Release,
    TakeKill,
    TakeTable,
    TellHolds,
    Took,
)
from proxy.edge.counters import (
    CAPTURE_QUEUE,
    CLIENTS,
    HELD,
    HOLD_WAITING,
    HOLDS_ENDED,
    RELOADS,
    TUNNELS,
    Counters,
)
from proxy.edge.doors import OWN, Doors
from proxy.edge.entry import EntryHall
from proxy.edge.hold import Holds
from proxy.edge.keeper import read_handed
from proxy.edge.kill import KillSwitch
from proxy.edge.logs import log_to_stderr
from proxy.edge.orders import WorkerOrders
from proxy.edge.rules import RulesMaker
from proxy.edge.tasks import Tasks
from proxy.edge.watching import Watching
from proxy.errors import RoutingFileError
from proxy.routing import RoutingTable, killed, parse_kill
from proxy.storage import SpoolLimits, SpoolWriter, redaction_key, sealing_key
from proxy.storage.tables import parse_routing

log = logging.getLogger(__name__)

_SWEEP_S = 0.5
_DRAIN_POLL_S = 0.02
_NOTE_CHARS = 1_500
_NOTE_SCOPES = 15
_COLLECT_AFTER = 100_000
_SWITCH_INTERVAL_S = 0.000_2


class Worker:
    """Owns what a worker's connections share, from start to drained end."""

    def __init__(self, orders: WorkerOrders) -> None:
        loop = asyncio.get_running_loop()
        capture, directory = orders.capture, Path(orders.spool)
        self._orders = orders
        self._writer = SpoolWriter(
            directory,
            orders.run,
            SpoolLimits(segment_bytes=capture.segment_bytes, total_bytes=capture.spool_bytes),
        )
        self._counters = Counters(self._writer.account)
        captures = CaptureQueue(capture, self._counters)
        self._thread = SpoolThread(captures, self._writer, orders.run)
        key = orders.redaction_key or redaction_key(directory)
        self._maker = RulesMaker(
            key,
            orders.limits,
            loop.time,
            timeouts=orders.timeouts,
            counters=self._counters,
            base=Path(orders.config).parent,
        )
        self._maker.kept = orders.handed.pems
        self._maker.sealing_key = orders.sealing_key or sealing_key(directory)
        self._taking = asyncio.Lock()
        self._problem: str | None = None
        self._stop = asyncio.Event()
        self._is_last = False
        self._measured_holds: frozenset[str] = frozenset()
        self._channel: Channel | None = None
        self._kill = KillSwitch(
            Path(orders.kill_file), parse_kill(orders.told_kill), self._rule, self._on_unwritten
        )
        # The latest that loaded; a store of it may be unusable, and another be in force.
        self._latest = self._table = parse_routing(orders.handed.table, orders.config)
        self._watching = Watching(orders.watch, self._writer.account)
        self._context = Context(
            rules=self._maker.make(self._killed(), is_first=True),
            limits=orders.limits,
            timeouts=orders.timeouts,
            counters=self._counters,
            captures=captures,
            tasks=Tasks(),
            now=loop.time,
            holds=Holds(orders.hold_limits, time.monotonic, loop.call_later, self._on_hold),
            ticket_key=key,
            trusted=parse_networks(orders.trusted_peers),
            observer=self._watching.observer,
        )
        self._hall = EntryHall(
            orders.entrance, self._context, self._newcomer, kept=orders.handed.pems
        )
        self._doors = Doors(self._hall)
        for domain, until_s in orders.holds.items():
            self._context.holds.hold(domain, until_s)

    async def run(self, lifeline: socket.socket) -> None:
        """Serve until told to drain, then drain. `lifeline` leads to the supervisor."""
        loop = asyncio.get_running_loop()
        context = self._context
        self._channel = channel = Channel(lifeline, Command, self.obey, self._on_orphaned)
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, self._kill.pull, context.tasks)
        self._thread.start()
        self._watching.start()
        await self._doors.open(OWN, self._orders.listen_fd)
        context.tasks.spawn(self._kill.run(), "kill watcher")
        context.tasks.spawn(self._sweep(), "sweeper")
        self._report()
        channel.say(Ready())
        try:
            await self._stop.wait()
        finally:
            context.is_draining = True
            await self._doors.close_all(is_last=self._is_last)
            channel.say(Closed())
            await self._drain()
            await context.tasks.cancel_all()
            self._maker.retire()
            self._measure()
            self._thread.stop(timeout_s=5.0)
            self._watching.stop(timeout_s=2.0)
            channel.close()

    def _newcomer(self, peer: str | None, scheme: bytes) -> asyncio.Protocol:
        # ClientConnection implements asyncio's Protocol without being one.
        made = ClientConnection(self._context, peer=peer, scheme=scheme)
        return cast("asyncio.Protocol", made)

    def stop(self, *, is_last: bool = False) -> None:
        """Drain and end. `is_last`: nobody listens on the port afterwards."""
        self._is_last = is_last
        self._stop.set()

    def obey(self, command: Command) -> None:
        """Do what the supervisor says, and answer."""
        holds = self._context.holds
        match command:
            case Drain():
                self.stop(is_last=command.is_last)
            case TakeKill():
                self._kill.tell(parse_kill(" ".join(command.told)))
                self._context.tasks.spawn(self._take_kill(command.id), "kill")
            case Hold():
                holds.hold(command.domain, command.until_s)
                self._answer(command.id)
            case Release():
                self._answer(command.id, released=holds.release(command.domain))
            case TellHolds():
                self._answer(command.id)
            case TakeTable():
                self._spawn(self._take_table(command.number, self._fd()), "table")
            case Mind():
                self._spawn(self._doors.open(command.seat, self._fd()), "minding")
            case LetGo():
                self._spawn(self._doors.close(command.seat), "minding")

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._context.tasks.spawn(coroutine, name)

    def _fd(self) -> int:
        assert self._channel is not None  # noqa: S101 - commands come by it
        return self._channel.take_fd()

    def _on_orphaned(self) -> None:
        """The supervisor is gone, however it went: a worker that nobody looks after
        finishes what it has, and ends too.
        """
        if not self._stop.is_set():
            log.error("the supervisor is gone; this worker finishes what it has and ends")
            self.stop(is_last=True)

    async def _take_kill(self, number: int) -> None:
        await self._kill.look()
        self._answer(number)

    def _on_unwritten(self) -> None:
        self._say(Killed(self._kill.kill.scopes))

    def _answer(self, number: int, *, released: bool = False) -> None:
        holds = self._context.holds.waiting()
        held = {
            domain: Held(room.requests, room.waiting_bytes, self._writes(domain))
            for domain, room in holds.items()
        }
        self._say(Done(number, os.getpid(), self._kill.kill.scopes, held, released))

    def _say(self, answer: msgspec.Struct) -> None:
        if self._channel is not None:
            self._channel.say(answer)

    def _writes(self, domain: str) -> int:
        """Writes of a domain that are on their way to a store. Asked for rarely, so it is
        looked up when asked: counting would cost every request.
        """
        clients = self._context.clients
        return sum(client.writing == domain for client in clients)

    def _on_hold(self, domain: str, how: str) -> None:
        self._counters.add(HOLDS_ENDED if how in tuple(HoldEnd)[:2] else HELD, domain, how)

    def _killed(self) -> RoutingTable:
        kill = self._kill.kill
        return killed(self._table, kill) if kill else self._table

    def _rule(self) -> None:
        """Let the table be in force as far as the kill leaves it."""
        self._context.rules = self._maker.make(self._killed())
        self._report()

    async def _take_table(self, number: int, paper: int) -> None:
        # One at a time: a large table that came first must not be in force last.
        async with self._taking:
            try:
                handed = read_handed(paper)
                table = await asyncio.to_thread(parse_routing, handed.table, self._orders.config)
            except RoutingFileError as exc:  # this code may be newer than the supervisor's
                self._refuse(str(exc))
            else:
                self._maker.kept = handed.pems
                self._on_table(table)
        self._say(Took(number, self._problem))

    def _on_table(self, table: RoutingTable) -> None:
        self._latest = table
        before, self._table = self._table, table
        try:
            self._context.rules = self._maker.make(self._killed())
        except AddressError as exc:
            self._table = before
            self._refuse(str(exc))
        else:
            self._problem = None
            self._counters.add(RELOADS, "loaded")
            self._report()

    def _refuse(self, problem: str) -> None:
        self._problem = problem
        self._counters.add(RELOADS, "failed")
        self._report()

    def _report(self) -> None:
        """Say in the account what is in force; the side door reads it there."""
        kill = self._kill.kill
        problem = self._problem or self._maker.problem
        note = {
            "pid": os.getpid(),
            "revision": self._table.revision,
            "problem": problem and problem[:_NOTE_CHARS],
            "kill": kill.scopes[:_NOTE_SCOPES],
            "compiled": is_enabled(),
            "strangers": kill.strangers(self._table.domains)[:_NOTE_SCOPES],
        }
        self._writer.account.note(json.dumps(note))

    async def _sweep(self) -> None:
        context = self._context
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = context.now()
            for client in tuple(context.clients):
                client.sweep(now)
            self._hall.tend()
            if self._maker.tend(context.tasks) is not None:
                self._on_table(self._latest)
            self._measure()

    def _measure(self) -> None:
        counters, context = self._counters, self._context
        self._maker.measure(counters)
        counters.set(len(context.clients), CLIENTS)
        counters.set(len(context.captures), CAPTURE_QUEUE)
        counters.set(context.tunnels, TUNNELS)
        waiting = context.holds.waiting()
        for domain in self._measured_holds.union(waiting):
            held = waiting.get(domain)
            counters.set(held.requests if held else 0, HOLD_WAITING, domain)
        self._measured_holds = frozenset(waiting)

    async def _drain(self) -> None:
        """Wait for what is in flight; close who asks nothing; then cut what is left.

        An idle connection is not closed at once:
        1. a client takes its kept connection and sends a request, 2. we close that
        connection, 3. the request meets a closed end, and the shopper an error.
        So it is left open for a while: its next request is answered, and told to close.
        """
        context = self._context
        timeouts, began = context.timeouts, time.monotonic()
        while context.clients:
            now = time.monotonic()
            # What is held was sent to nobody yet and cannot end before the hold does.
            held_until = max(context.holds.until().values(), default=0.0)
            if now >= max(began + timeouts.drain_s, held_until + min(2.0, timeouts.drain_s)):
                break
            if now >= began + min(timeouts.drain_idle_s, timeouts.drain_s):
                for client in tuple(context.clients):
                    client.drain()
            await asyncio.sleep(_DRAIN_POLL_S)
        for client in tuple(context.clients):
            client.abort()
        await asyncio.sleep(0)  # let the aborted connections end their exchanges


async def _main(orders: WorkerOrders, lifeline: socket.socket) -> None:
    await Worker(orders).run(lifeline)


def main() -> int:
    """Run a worker on the orders in the file whose descriptor is the last argument; standard
    input is its channel to the supervisor.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the supervisor decides
    # A closed terminal, or one signal for the whole group: that is the supervisor's matter.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    lifeline = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    with open(int(sys.argv[-1]), "rb") as paper:  # noqa: PTH123 - a descriptor
        paper.seek(0)
        orders = msgspec.json.decode(paper.read(), type=WorkerOrders)
    log_to_stderr(orders.log_level)
    # The writing thread hands the interpreter back within a fifth of a millisecond, so that a
    # frame being redacted does not keep a shopper waiting.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # What is loaded now lives as long as the process: the collector need not look at it.
    gc.collect()
    gc.freeze()
    # Captures wait in the queue by the thousand and look like a leak to the collector,
    # which then looks through all of them again and again. Exchanges make no cycles.
    gc.set_threshold(_COLLECT_AFTER)
    with contextlib.suppress(asyncio.CancelledError):
        uvloop.run(_main(orders, lifeline))
    return 0
