"""Whoever watches a worker's exchanges, put together."""

from __future__ import annotations

import msgspec

from proxy.edge.access_log import AccessLog, Addresses
from proxy.edge.behind import Behind
from proxy.edge.observer import ExchangeFacts, Observer, Trace
from proxy.edge.tracing import Tracing
from proxy.storage import Account

# Some 20 MB of facts: minutes of a busy worker's log, seconds of its spans.
_LINES_BOUND = 50_000
_SPANS_BOUND = 4_096


class WatchOrders(msgspec.Struct, frozen=True):
    """What is watched.

    Attributes:
        access_log: a path, or "-" for standard output; empty for none.
        addresses: how much of client addresses the access log keeps.
        is_tracing: spans are made and sent.
    """

    access_log: str = ""
    addresses: Addresses = Addresses.MASKED
    is_tracing: bool = False


class Watching:
    """Owns the threads that write lines and send spans.

    Attributes:
        observer: for the context; None when nobody watches.
    """

    def __init__(self, orders: WatchOrders, account: Account) -> None:
        """Prepare what is asked for; nothing runs before `start`."""
        self._log: Behind | None = None
        self._spans: Behind | None = None
        self._tracing: Tracing | None = None
        if orders.access_log:
            log = AccessLog(orders.access_log, orders.addresses)
            self._log = Behind("access_log", log.take, account, bound=_LINES_BOUND)
        if orders.is_tracing:
            self._tracing = Tracing()
            self._spans = Behind("spans", self._tracing.take, account, bound=_SPANS_BOUND)
        self.is_tracing = orders.is_tracing
        self.observer: Observer | None = self if self._log or self._spans else None

    def began(self, lines: bytes) -> Trace | None:
        """An exchange's place in a trace."""
        return self._tracing.began(lines) if self._tracing is not None else None

    def ended(self, facts: ExchangeFacts) -> None:
        """Keep the facts of an exchange for the threads."""
        if self._log is not None:
            self._log.put(facts)
        if self._spans is not None and facts.trace is not None and facts.trace.span.is_sampled:
            self._spans.put(facts)

    def start(self) -> None:
        """Start the threads."""
        for behind in (self._log, self._spans):
            if behind is not None:
                behind.start()

    def stop(self, timeout_s: float) -> None:
        """Write and send what waits, for at most this long each."""
        for behind in (self._log, self._spans):
            if behind is not None:
                behind.stop(timeout_s)
        if self._tracing is not None:
            self._tracing.close()
