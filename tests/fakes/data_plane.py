"""A worker's data plane without sockets: its loop, clients and stores move when a test says."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, cast

from typing_extensions import override

from proxy.core.hold import HoldLimits
from proxy.core.limits import CaptureLimits, Limits, Timeouts
from proxy.edge.capture import CaptureQueue
from proxy.edge.client import ClientConnection
from proxy.edge.context import Context
from proxy.edge.counters import Counters
from proxy.edge.dial import Dialer, DialError
from proxy.edge.hold import Holds
from proxy.edge.observer import ExchangeFacts, Trace
from proxy.edge.rules import RulesMaker
from proxy.edge.tasks import Tasks
from proxy.routing import RoutingTable, Side

if TYPE_CHECKING:
    from proxy.storage import Account

ProtocolT = TypeVar("ProtocolT")
_TURNS = 12


class HandLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test moves; it never waits."""

    def __init__(self) -> None:
        self.clock_s = 1_000.0
        self.defects: list[BaseException] = []
        super().__init__(selectors.SelectSelector())
        self.set_exception_handler(self._note)

    @override
    def time(self) -> float:
        return self.clock_s

    def settle(self) -> None:
        """Run what is ready, and what becomes ready by that."""
        for _ in range(_TURNS):
            self.call_soon(self.stop)
            self.run_forever()

        if self.defects:
            raise self.defects.pop(0)

    def act(self, what: Callable[..., object], *args: object) -> None:
        """Do something on the loop. What it raises there is raised here."""
        self.call_soon(what, *args)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock_s += seconds
        self.settle()

    def _note(self, _loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        self.defects.append(told.get("exception") or RuntimeError(told["message"]))


class LoudTasks(Tasks):
    """Tasks that hand their crashes to the test."""

    def __init__(self, loop: HandLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def _ended(self, task: asyncio.Task[None]) -> None:
        super()._ended(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.defects.append(error)


class _Socket:
    def setsockopt(self, *_: object) -> None:
        pass


class Wire:
    """One end of a connection, as asyncio's transport gives it to a protocol. What the
    protocol writes is in `out`; what the other side sends is delivered while it reads.
    """

    def __init__(self, loop: HandLoop, protocol: object, *, high_bytes: int = 1 << 30) -> None:
        self.out = b""
        self.is_reset = False
        self.has_eof = False
        self.wrongs: list[str] = []
        self.unread_bytes = 0
        self._loop = loop
        self._high_bytes = high_bytes
        self._protocol = cast("asyncio.Protocol", protocol)
        self._is_closing = False
        self._is_lost = False
        self._is_full = False
        self._is_reading = True
        self._is_slow = False
        self._coming: list[bytes] = []
        self._protocol.connection_made(cast("asyncio.BaseTransport", self))

    # As the protocol sees it.

    def write(self, data: bytes) -> None:
        if self.has_eof:
            self.wrongs.append(f"write after eof: {data[:60]!r}")
            return
        if self._is_closing or self._is_lost:
            return
        self.out += data
        if self._is_slow:
            self.unread_bytes += len(data)
            if self.unread_bytes > self._high_bytes and not self._is_full:
                self._is_full = True
                self._protocol.pause_writing()

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_eof = True

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._end()

    def abort(self) -> None:
        self.is_reset = True
        self._end()

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._loop.call_soon(self._deliver)

    def get_extra_info(self, name: str) -> object:
        return {"peername": ("192.0.2.7", 5), "socket": _Socket()}.get(name)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast("asyncio.Protocol", protocol)

    # As the other side does it.

    @property
    def is_ended(self) -> bool:
        return self._is_closing or self._is_lost

    def serves(self, protocol: object) -> bool:
        """Whether it is the connection of this protocol."""
        return self._protocol is protocol

    @property
    def is_paused(self) -> bool:
        return not self._is_reading

    def send(self, data: bytes) -> None:
        """Bytes come; a protocol that does not read gets them when it does again."""
        self._coming.append(data)
        self._loop.act(self._deliver)

    def eof(self) -> None:
        """The other side closes."""
        if not self.is_ended:
            self._loop.act(self._take_eof)

    def lose(self) -> None:
        """The connection breaks."""
        self._loop.act(self._lost, ConnectionResetError())

    def break_off(self) -> None:
        """The connection breaks at this moment, on the loop."""
        self._lost(ConnectionResetError())

    def read_slowly(self) -> None:
        """What is written from now on stays in the buffer, which becomes full."""
        self._is_slow = True

    def read_all(self) -> None:
        """Read what is in the buffer."""
        self.unread_bytes = 0
        if self._is_full:
            self._is_full = False
            self._loop.act(self._protocol.resume_writing)

    def _take_eof(self) -> None:
        self._protocol.eof_received()
        self._end()

    def _deliver(self) -> None:
        while self._coming and self._is_reading and not self.is_ended:
            self._protocol.data_received(self._coming.pop(0))

    def _end(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._lost, None)

    def _lost(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self._protocol.connection_lost(error)


class HandDialer:
    """Dials a store: each attempt waits until the test takes or refuses it."""

    def __init__(self, loop: HandLoop) -> None:
        self.takes_all = True
        self.closes_at_once = False
        self.wires: list[Wire] = []
        self.attempts: list[asyncio.Future[bool]] = []
        self._loop = loop

    @property
    def open_wires(self) -> list[Wire]:
        return [wire for wire in self.wires if not wire.is_ended]

    async def dial(self, factory: Callable[[], ProtocolT]) -> ProtocolT:
        if not self.takes_all:
            attempt = self._loop.create_future()
            self.attempts.append(attempt)
            if not await attempt:
                raise DialError("refused", "Connection refused")
        protocol = factory()
        wire = Wire(self._loop, protocol)
        self.wires.append(wire)
        if self.closes_at_once:
            wire.break_off()
        return protocol

    def answer(self, *, takes: bool) -> None:
        """Take or refuse the oldest attempt."""
        attempts, self.attempts = self.attempts, []
        for n, attempt in enumerate(attempts):
            if n:
                self.attempts.append(attempt)
            elif not attempt.done():
                attempt.set_result(takes)
        self._loop.settle()


class MemoryAccount:
    """Counters in a list."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.names: dict[str, int] = {}

    def slot(self, name: str) -> int:
        if name not in self.names:
            self.names[name] = len(self.values)
            self.values.append(0)
        return self.names[name]

    def total(self, kind: str) -> int:
        """Sum over all counters of a kind."""
        return sum(
            self.values[slot] for name, slot in self.names.items() if name.split("|")[0] == kind
        )


class Ends:
    """An observer that remembers how each exchange ended."""

    def __init__(self) -> None:
        self.is_tracing = False
        self.facts: list[ExchangeFacts] = []

    def began(self, lines: bytes) -> Trace | None:
        del lines
        return None

    def ended(self, facts: ExchangeFacts) -> None:
        self.facts.append(facts)


class Plane:
    """A worker's context over hand-moved stores. `close` it."""

    def __init__(
        self,
        table: RoutingTable,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        holds: HoldLimits | None = None,
    ) -> None:
        self.loop = HandLoop()
        self.account = MemoryAccount()
        self.ends = Ends()
        self.tasks = LoudTasks(self.loop)
        counters = Counters(cast("Account", self.account))
        limits, timeouts = limits or Limits(), timeouts or Timeouts()
        self._maker = RulesMaker(b"k" * 32, limits, self.loop.time, timeouts=timeouts)
        self.dialers: dict[Side, HandDialer] = {}
        self.context = Context(
            rules=self._maker.make(table),
            limits=limits,
            timeouts=timeouts,
            counters=counters,
            captures=CaptureQueue(CaptureLimits(), counters),
            tasks=self.tasks,
            now=self.loop.time,
            holds=Holds(holds or HoldLimits(), self.loop.time, self.loop.call_later),
            ticket_key=b"t" * 32,
            observer=self.ends,
            _id_prefix=b"test",
            _ids=count(),
        )
        self._hand_dialers()

    def swap(self, table: RoutingTable) -> None:
        """Another table comes into force."""
        self.context.rules = self._maker.make(table)
        self._hand_dialers()

    def _hand_dialers(self) -> None:
        for side, target in self.context.rules.stores.items():
            dialer = self.dialers.setdefault(side, HandDialer(self.loop))
            target.pool.dialer = cast("Dialer", dialer)

    @property
    def in_flight(self) -> int:
        return sum(pool.in_flight for pool in self._maker.pools.values())

    @property
    def wires(self) -> list[Wire]:
        """All connections to both stores, of each store in the order they were made."""
        return [wire for dialer in self.dialers.values() for wire in dialer.wires]

    def client(self, *, high_bytes: int = 64 * 1024) -> Wire:
        """A client connects."""
        return Wire(self.loop, ClientConnection(self.context), high_bytes=high_bytes)

    def sweep(self) -> None:
        """What the worker does twice a second."""
        for client in tuple(self.context.clients):
            self.loop.act(client.sweep, self.context.now())

    def release(self, domain: str) -> None:
        """A hold ends."""
        self.loop.act(self.context.holds.release, domain)

    def close(self) -> None:
        for client in tuple(self.context.clients):
            client.abort()
        self.loop.settle()
        self.loop.run_until_complete(self.tasks.cancel_all())
        self.loop.close()
