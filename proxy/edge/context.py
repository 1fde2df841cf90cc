"""What all connections of a worker share."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from proxy.core.address import Network
from proxy.core.limits import Limits, Timeouts
from proxy.edge.capture import CaptureQueue
from proxy.edge.counters import Counters
from proxy.edge.hold import Holds
from proxy.edge.observer import Observer
from proxy.edge.rules import Rules
from proxy.edge.tasks import Tasks


class Connected(Protocol):
    """A client's connection, as the worker looks after it."""

    def sweep(self, now: float) -> None:
        """Act on a deadline that has passed."""
        ...

    @property
    def writing(self) -> str | None:
        """The domain that a store may be changing for this client, or None."""
        ...

    def drain(self) -> None:
        """End when nothing is in flight."""
        ...

    def abort(self) -> None:
        """End now."""
        ...


@dataclass(slots=True)
class Context:
    """Everything that a connection needs and does not own.

    Attributes:
        rules: in force for requests that begin now; replaced whole.
        now: monotonic seconds, cheap and coarse.
        is_draining: no connection is kept after its current exchange.
        tunnels: connections that speak another protocol now.
        holds: domains whose writes wait.
        ticket_key: secret that signs tickets.
        observer: who is told of exchanges that ended; None when nobody asked for it.
    """

    rules: Rules
    limits: Limits
    timeouts: Timeouts
    counters: Counters
    captures: CaptureQueue
    tasks: Tasks
    now: Callable[[], float]
    holds: Holds
    ticket_key: bytes = b""
    trusted: tuple[Network, ...] = ()
    clients: set[Connected] = field(default_factory=set)
    is_draining: bool = False
    tunnels: int = 0
    observer: Observer | None = None
    _id_prefix: bytes = field(default_factory=lambda: secrets.token_hex(6).encode())
    _ids: count[int] = field(default_factory=count)

    def new_visitor(self) -> str:
        """A name for a client that nobody can guess."""
        return secrets.token_urlsafe(12)

    def now_s(self) -> int:
        """Seconds since 1970."""
        return time.time_ns() // 1_000_000_000

    def new_request_id(self) -> bytes:
        """Unique for ever: random per worker life, then counted."""
        return b"%b-%06x" % (self._id_prefix, next(self._ids))
