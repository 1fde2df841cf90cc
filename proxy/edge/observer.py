"""What an exchange tells whoever watches: once, when it is over."""

from __future__ import annotations

from typing import Protocol

import msgspec

from proxy.core.trace_context import TraceParent
from proxy.routing import Decision


class Trace(msgspec.Struct, frozen=True, gc=False):
    """An exchange's place in a trace.

    Attributes:
        lines: field lines that go to the store in place of the request's.
        span: the exchange's own span; it names the parent of the store's.
        parent_span_id: 0 when the trace begins here.
        call_span_id: of the call to the store; 0 when the span is not recorded.
    """

    lines: bytes
    span: TraceParent
    parent_span_id: int = 0
    call_span_id: int = 0


class ExchangeFacts(msgspec.Struct, frozen=True, gc=False):
    """An exchange that is over. Times are integers: ns since 1970, and microseconds.

    Attributes:
        method, target: as received; empty when the head could not be read.
        decision: None for a request that was refused before routing.
        status: what the client got, or 0 when it got none (it left, or was cut off).
        peer: the client's address.
        bytes_in, bytes_out: of the request's and the answer's body.
        elapsed_us: from the head to the answer's last byte.
        upstream_us: from the head sent to a store to its answer's head, -1 without one.
        held_us: how long it waited in a hold, 0 when it did not.
        is_retried: it was sent again on another connection.
        is_fallback: legacy answered in place of the core.
        ended: "answered", "refused", "cut_off", "client_gone" or what else ended it.
        trace: what `began` gave, or None.
    """

    request_id: str
    method: str
    target: bytes
    decision: Decision | None
    status: int
    peer: bytes
    began_ns: int
    elapsed_us: int
    upstream_us: int = -1
    bytes_in: int = 0
    bytes_out: int = 0
    held_us: int = 0
    is_retried: bool = False
    is_fallback: bool = False
    ended: str = "answered"
    trace: Trace | None = None


class Observer(Protocol):
    """Watches exchanges. Called on the event loop: never blocks, never raises.

    Attributes:
        is_tracing: `began` wants to be asked.
    """

    is_tracing: bool

    def began(self, lines: bytes) -> Trace | None:
        """Give an exchange its place in a trace, or None: then its lines stay as they are.

        Only called when `is_tracing`.

        Args:
            lines: the request's field lines, each with its CRLF.
        """
        ...

    def ended(self, facts: ExchangeFacts) -> None:
        """Take note of an exchange that is over; called once for each."""
        ...
