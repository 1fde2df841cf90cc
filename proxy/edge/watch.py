"""What an observer wants to know of an exchange, gathered while it happens."""

from __future__ import annotations

import time

from proxy.core.head import Request
from proxy.edge.observer import ExchangeFacts, Observer, Trace
from proxy.routing import Decision


class Watch:
    """One exchange's facts. Only made when somebody observes.

    Attributes:
        bytes_in: of the request's body.
        bytes_out: of the answer's body.
        is_retried: it was sent again.
        is_fallback: legacy answered in the core's place.
    """

    def __init__(
        self, observer: Observer, request: Request, request_id: bytes, peer: bytes
    ) -> None:
        """Begin; where traces are recorded, the request's lines get their new parent."""
        self._observer = observer
        self._request = request
        self._request_id = request_id
        self._peer = peer
        self._began_ns = time.time_ns()
        self._asked_ns = time.monotonic_ns()
        self._upstream_us = -1
        self._held_ns = 0
        self._trace: Trace | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        self.is_retried = False
        self.is_fallback = False
        if observer.is_tracing:
            self._trace = observer.began(request.lines)
            if self._trace is not None:
                request.lines = self._trace.lines

    def held(self, nanoseconds: int) -> None:
        """It waited in a hold."""
        self._held_ns += nanoseconds

    def asked(self) -> None:
        """The request has gone to a store."""
        self._asked_ns = time.monotonic_ns()

    def answered(self) -> None:
        """The store's answer has begun."""
        self._upstream_us = (time.monotonic_ns() - self._asked_ns) // 1_000

    def ended(self, decision: Decision, status: int, ended: str, elapsed_us: int) -> None:
        """Tell the observer."""
        request = self._request
        self._observer.ended(
            ExchangeFacts(
                request_id=self._request_id.decode("ascii"),
                method=request.method,
                target=request.target,
                decision=decision,
                status=status,
                peer=self._peer,
                began_ns=self._began_ns,
                elapsed_us=elapsed_us,
                upstream_us=self._upstream_us,
                bytes_in=self.bytes_in,
                bytes_out=self.bytes_out,
                held_us=self._held_ns // 1_000,
                is_retried=self.is_retried,
                is_fallback=self.is_fallback,
                ended=ended,
                trace=self._trace,
            )
        )
