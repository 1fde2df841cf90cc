"""How a request finds its store: the table, its body where the table wants it, a hold, the
store's guards, and legacy in the core's place.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from proxy.core.answer import Answer, Framing
from proxy.core.head import Request
from proxy.core.hold import HoldEnd
from proxy.core.retry import SAFE_METHODS, may_fall_back
from proxy.core.store_head import retarget
from proxy.edge.asking import Asking
from proxy.edge.choice import LookAhead, Operation, choose, hide_ticket, look_ahead
from proxy.edge.context import Context
from proxy.edge.counters import FALLBACK, NO_DOMAIN, REFUSED, UNMATCHED
from proxy.edge.hold import HoldPlace
from proxy.edge.mirror import Mirror
from proxy.edge.pool import Pool
from proxy.edge.rules import StoreTarget
from proxy.edge.store import StoreConnection
from proxy.edge.treatment import Admission
from proxy.edge.watch import Watch
from proxy.routing import Decision, Refusal, Side

_HELD_BYTES: Final = 64 * 1024
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Placing:
    """The first half of an exchange; `Exchange` is the second, which moves the bytes."""

    def __init__(self, client: Asking, context: Context, request: Request) -> None:
        self._client = client
        self._context = context
        self.request = request
        self.method = request.method
        self.upgrade = request.upgrade
        self.wants_trailers = request.wants_trailers
        if request.request_id is None:
            self._id_bytes = context.new_request_id()
        else:
            self._id_bytes = request.request_id
        self._rules = context.rules
        nobody: Decision = self._rules.table.nobody.fixed
        self.decision = nobody
        self._target: StoreTarget | None = None
        self._pool: Pool | None = None
        self._connection: StoreConnection | None = None
        self._answer: Answer | None = None
        self._framing = Framing.NONE
        self._head = b""
        self._out: list[bytes] = []
        self._waiting: list[bytes] = []
        self._attempts = 0
        self._is_waiting = True
        self._is_begun = False
        self._is_over = False
        self._is_sent = not request.has_body
        self._is_tunnel = False
        self._is_fallback = False
        self._keep_alive = False
        self._started_ns = time.monotonic_ns()
        self._must_end_s = 0.0
        self._began_s = 0.0
        # What only some exchanges need.
        self._early: LookAhead | None = None
        self._operation: Operation = None
        self._place: HoldPlace | None = None
        self._held_ns = 0
        self._mirror: Mirror | None = None
        self._watch: Watch | None = None

    @property
    def request_id(self) -> str:
        """The client's, or a new one."""
        return self._id_bytes.decode("ascii")

    @property
    def writing(self) -> str | None:
        """The domain that a store may be changing for this request; None for none."""
        is_write = self.method not in SAFE_METHODS or self.decision.has_writes
        return self.decision.domain if is_write and self._pool is not None else None

    def start(self) -> None:
        """Find out who answers, and send the request there."""
        context = self._context
        if context.observer is not None:
            self._watch = Watch(context.observer, self.request, self._id_bytes, self._client.peer)
        self._early = look_ahead(self._rules.table, self.request)
        if self._early is None:
            self._place_request()
        else:
            if self.request.expects:
                self._client.write([_GO_ON])
            self._client.touch(context.timeouts.body_idle_s)

    # Where the request goes.

    def _place_request(self) -> None:
        context, table, request = self._context, self._rules.table, self.request
        decision = self.decision = choose(context, table, request, self._id_bytes, self._operation)
        if decision.domain is None:
            context.counters.add(UNMATCHED)
        if decision.path is not None and not self._respell(decision.path):
            return
        if table.uses_tickets:
            hide_ticket(request)
        if (
            context.holds.is_active
            and decision.domain is not None
            and (self.method not in SAFE_METHODS or decision.has_writes)
            and self._is_held(decision.domain)
        ):
            return
        if decision.shadow is not None:
            self._mirror = Mirror(context.captures, self._rules.redactor, self._rules.sealer)
        self._send_to(decision.side)

    def _respell(self, path: str | Refusal) -> bool:
        """Take over the one form in which the path goes on; False when there is none."""
        if isinstance(path, Refusal):
            self._context.counters.add(REFUSED, "400")
            self._over(400, "refused")
            self._client.refused(400, path.reason)
            return False
        retarget(self.request, path)
        return True

    def _is_held(self, domain: str) -> bool:
        request = self.request
        size_bytes = len(request.lines) + (request.length or 0) + sum(map(len, self._waiting))
        place = self._context.holds.join(domain, self._on_hold_end, size_bytes)
        if place is None:
            return False
        if not place.is_over:
            self._place = place
            self._held_ns = time.monotonic_ns()
            # A small body is taken in whole: a client that leaves is noticed while its
            # connection is read, and makes room.
            is_small = not request.is_chunked and (request.length or 0) <= _HELD_BYTES
            self._client.hold(is_held=not is_small)
            self._client.touch(self._context.timeouts.hold_s)
        return True

    def _on_hold_end(self, end: HoldEnd) -> None:
        self._place = None
        if self._watch is not None and self._held_ns:
            self._watch.held(time.monotonic_ns() - self._held_ns)
        if end is HoldEnd.OVERFLOW:
            self._over(503, "refused")
            self._client.refused(503, "Too many requests wait for this domain to move.")
            return
        # Decided anew, with the table that is in force now: that may be the other side.
        self._rules = self._context.rules
        self._client.hold(is_held=False)
        self._place_request()

    def _turned_away(self, side: Side, pool: Pool, admission: Admission) -> None:
        """The store's guards let nobody in: legacy may answer, or nobody."""
        if self._fall_back(admission.value):
            return
        self._over(503, "refused")
        detail = {
            Admission.BUSY: f"Too many requests wait for {side}.",
            Admission.BROKEN: f"{side} keeps failing and is left alone for a moment.",
            Admission.UNHEALTHY: f"{side} is not healthy.",
        }.get(admission, f"{side} takes no requests.")
        self._client.refused(503, detail, pool.retry_after_s(admission))

    def _may_fall_back(self) -> bool:
        decision = self.decision
        return not self._is_fallback and may_fall_back(
            self.method,
            is_allowed=decision.fallback and decision.side is Side.CORE,
            answered=self._is_begun,
            has_body=self.request.has_body,
        )

    def _fall_back(self, reason: str) -> bool:
        """Ask legacy in the core's place, where that is allowed; the core's failure is counted."""
        if not self._may_fall_back():
            return False
        decision = self.decision
        self._is_fallback = True
        self._context.counters.add(FALLBACK, decision.domain or NO_DOMAIN, reason)
        self._drop_capture("upstream_error")
        # Legacy's answer pins nobody to the core.
        self.decision = msgspec.structs.replace(decision, side=Side.LEGACY, ticket=None)
        self._answer = None
        self._out = []
        self._attempts = 0
        self._is_waiting = True
        self._send_to(Side.LEGACY)
        return True

    def _look_at_body(self, *, is_whole: bool) -> None:
        """Decide with what came of the body, and send it behind the head."""
        early, self._early = self._early, None
        if early is None:
            return
        self._operation = early.operation(self._rules.table, self.request, is_whole=is_whole)
        self._place_request()
        if not self._is_over and early.pieces:
            self.on_request_pieces(early.pieces)

    def _drop_capture(self, reason: str) -> None:
        mirror, self._mirror = self._mirror, None
        if mirror is not None:
            mirror.lose(self.decision, reason)

    # What the second half does.

    def _send_to(self, side: Side) -> None:
        """Send the request to a store, or find it shut."""
        raise NotImplementedError

    def _over(self, status: int, ended: str) -> int:
        """End: counted once, told once. Returns the microseconds it took."""
        raise NotImplementedError

    def on_request_pieces(self, pieces: list[bytes]) -> None:
        """Pass pieces of the request's body on."""
        raise NotImplementedError
