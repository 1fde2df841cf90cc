"""One request and its answer, from the head's last byte to the answer's last byte."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from typing_extensions import override

from proxy.core.answer import Answer, Framing, client_head, switching_head
from proxy.core.breaker import FAILING_STATUSES
from proxy.core.fields import FieldError, passed_trailers
from proxy.core.framing import chunk, last_chunk
from proxy.core.retry import IDEMPOTENT_METHODS, may_retry
from proxy.core.store_head import store_head
from proxy.edge.choice import (
    ticket_line,
)
from proxy.edge.counters import (
    CLIENT_GONE,
    EARLY_ANSWERS,
    NO_DOMAIN,
    STORE_ERRORS,
    STORE_OPENED,
    STORE_RETRIES,
    TICKETS,
    UPGRADES,
)
from proxy.edge.placing import Placing
from proxy.edge.pool import Pool
from proxy.edge.store import StoreConnection
from proxy.errors import UpstreamError
from proxy.routing import Side

# How long a connection may have waited to carry a request that cannot be sent twice: a
# store that closes idle connections would lose the request in the moment of closing.
_SURE_S: Final = 1.0
_HELD_BYTES: Final = 64 * 1024
_BY_CLIENT: Final = frozenset(("client_slow", "request_broken"))
_SWITCHING: Final = 101
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange(Placing):
    """Belongs to the event loop. Ends exactly once: `_over` counts it, tells the observer,
    and gives its place in flight back.

    Its way: the table decides (after a look at the body where it wants one); a held write
    waits; a store is chosen, or legacy in its place; then bytes go both ways. Until the
    first byte of an answer has gone to the client, another store may still be asked.
    """

    @override
    def _send_to(self, side: Side) -> None:
        context, request = self._context, self.request
        target = self._target = self._rules.stores[side]
        pool = target.pool
        if pool.is_shut or pool.in_flight >= pool.bound:
            admission = pool.admission()
            if not admission.is_let_in:
                self._turned_away(side, pool, admission)
                return
        pool.in_flight += 1
        self._pool = pool
        address = target.address
        self._head = store_head(
            request, address.prefix, address.authority, self._id_bytes, self._client.asker
        )
        if self._watch is not None:
            self._watch.asked()
        self._must_end_s = 0.0 if pool.total_s is None else context.now() + pool.total_s
        if self._is_sent:
            self._touch(pool.first_byte_s)
            is_sure = self.method in IDEMPOTENT_METHODS
        else:
            self._touch(context.timeouts.body_idle_s)
            is_sure = False
        if pool.watches:
            self._began_s = time.monotonic()
        self._attempts += 1
        kept = pool.take(context.timeouts.store_idle_s if is_sure else _SURE_S)
        if kept is None:
            self._open()
        else:
            self._is_waiting = False
            self._connection = kept
            kept.begin(self, self._head)
            self._send_waiting(kept)

    # The request's body, from the client.

    @override
    def on_request_pieces(self, pieces: list[bytes]) -> None:
        """Pass pieces of the request's body on."""
        if self._early is not None:
            if self._early.is_filled_by(pieces):
                self._look_at_body(is_whole=False)
            return
        if self._mirror is not None and not self._mirror.keep(pieces, is_answer=False):
            self._drop_capture("body_too_large")
        if self._watch is not None:
            self._watch.bytes_in += sum(map(len, pieces))
        if self.request.is_chunked:
            pieces = [part for piece in pieces for part in chunk(piece)]
        self._send(pieces)
        if self._place is None:
            self._touch(self._context.timeouts.body_idle_s)

    def on_request_end(self, trailer: list[bytes]) -> None:
        """The request's body is complete; `trailer`: its trailer lines, unread."""
        if self._early is not None:
            self._look_at_body(is_whole=True)
            if self._is_over:
                return
        passed = b""
        if trailer:
            try:
                passed = passed_trailers(trailer)
            except FieldError as exc:
                self.on_request_broken(400, f"The trailer cannot be read: {exc}")
                return
        self._is_sent = True
        self._started_ns = time.monotonic_ns()
        if self._watch is not None:
            self._watch.asked()
        if self.request.is_chunked:
            self._send([last_chunk(passed)])
        if self._answer is None and self._pool is not None:
            self._touch(self._pool.first_byte_s)

    def on_request_broken(self, status: int, detail: str) -> None:
        """The request's body breaks its framing or its bound."""
        self._fail(status, detail, "request_broken")

    # The answer, from the store.

    def on_interim(self, answer: Answer) -> None:
        """Pass a 1xx answer on, to clients that know them."""
        if self.request.minor and self._answer is None:
            self._out += (answer.line, answer.lines, b"\r\n")

    def on_answer(self, answer: Answer) -> None:
        """Pass the answer's head on."""
        pool, request = self._pool, self.request
        if pool is not None and pool.watches:
            self._judge(pool, answer.status)
        if answer.status in FAILING_STATUSES and self._may_fall_back():
            side = self.decision.side
            self._context.counters.add(STORE_ERRORS, str(side), "status")
            self._give_up()
            if self._fall_back("status"):
                return
        self._answer = answer
        context = self._context
        if self._watch is not None:
            self._watch.answered()
        if not self._is_sent:
            context.counters.add(EARLY_ANSWERS, str(self.decision.side))
        target = self._target
        head, self._framing, self._keep_alive = client_head(
            answer,
            self._id_bytes,
            b"" if target is None else target.label,
            minor=request.minor,
            keep_alive=request.keep_alive and self._is_sent and not context.is_draining,
        )
        ticket = self.decision.ticket
        if ticket is not None and (answer.status < 400 or not self.decision.ticket_on_success):
            is_secure = request.is_secure or self._client.scheme == b"https"
            line = ticket_line(context, self._rules.table, ticket, is_secure=is_secure)
            head = head[:-2] + line + b"\r\n"
            context.counters.add(TICKETS, self.decision.domain or NO_DOMAIN)
        self._out.append(head)

    def _judge(self, pool: Pool, status: int) -> None:
        if status in FAILING_STATUSES:
            pool.failed("status", self._began_s)
        else:
            pool.succeeded(self._began_s)

    def on_pieces(self, pieces: list[bytes]) -> None:
        """Pass pieces of the answer's body on."""
        if self._mirror is not None and not self._mirror.keep(pieces, is_answer=True):
            self._drop_capture("body_too_large")
        if self._watch is not None:
            self._watch.bytes_out += sum(map(len, pieces))
        if self._framing == Framing.CHUNKED:
            pieces = [part for piece in pieces for part in chunk(piece)]
        self._out += pieces

    def on_turn(self) -> None:
        """Write what came in one turn of the loop at once: one system call, not three."""
        self._client.write(self._out)
        self._out = []
        if self._answer is not None:
            self._is_begun = True
            self._touch(self._context.timeouts.body_idle_s)

    def on_end(self, trailer: bytes) -> None:
        """The answer is complete."""
        if self._framing == Framing.CHUNKED:
            self._out.append(last_chunk(trailer))
        answer, connection, pool = self._answer, self._connection, self._pool
        assert answer is not None  # noqa: S101 - a connection tells heads before ends
        # Counted before the last bytes go: a worker that is killed in between must not
        # have given an answer that nobody knows of.
        elapsed_us = self._over(answer.status, "answered")
        if self._mirror is not None:
            self._mirror.end(
                self.decision, self.request, self._id_bytes, self._head, answer, elapsed_us
            )
        self._client.write(self._out)
        if connection is not None and pool is not None:
            if self._is_sent and connection.can_go_on:
                pool.give_back(connection)
            else:
                connection.abort()
        self._client.ended(keep_alive=self._keep_alive)

    def on_lost(self, problem: str, *, answered: bool) -> None:
        """The store's connection ended early or sent nonsense."""
        connection, self._connection = self._connection, None
        if self._is_tunnel:
            self._end_tunnel()
            return
        # A connection that waited may have been closed by the store while the request
        # was on its way: nothing was read of it. Sent again only where twice is once.
        if (
            connection is not None
            and not connection.is_fresh
            and may_retry(
                self.method,
                sent_bytes=len(self._head),
                answered=answered,
                has_body=self.request.has_body,
                attempts=self._attempts,
            )
        ):
            self._attempts += 1
            self._context.counters.add(STORE_RETRIES, str(self.decision.side))
            self._open()
            return
        self._fail(502, f"{self.decision.side} gave no usable answer: {problem}.", "broken")

    def on_store_full(self, *, is_full: bool) -> None:
        """The store takes what the client sends slower than it comes."""
        self._client.hold(is_held=is_full)

    # A tunnel, once both sides have changed to another protocol.

    def on_switch(self, answer: Answer) -> None:
        """The store has changed to the protocol that the client asked for."""
        target = self._target
        self._answer = answer
        self._is_begun = self._is_tunnel = True
        self._context.tunnels += 1
        self._drop_capture("upgraded")
        if self._pool is not None and self._pool.watches:
            self._pool.succeeded(self._began_s)
        if self._watch is not None:
            self._watch.answered()
        self._context.counters.add(UPGRADES, self.decision.domain or NO_DOMAIN)
        label = b"" if target is None else target.label
        self._client.write([switching_head(answer, self._id_bytes, label)])
        self._client.tunnel()
        self._client.touch(self._context.timeouts.tunnel_idle_s)
        if early := self._client.tunnelled():
            self._send([early])

    def on_tunnel(self, data: bytes) -> None:
        """Bytes from the store."""
        self._client.write([data])
        self._client.touch(self._context.timeouts.tunnel_idle_s)

    def on_client_tunnel(self, data: bytes) -> None:
        """Bytes from the client."""
        self._send([data])
        self._client.touch(self._context.timeouts.tunnel_idle_s)

    def _end_tunnel(self) -> None:
        if not self._is_over:
            self._over(_SWITCHING, "tunnel_ended")
            self._client.ended(keep_alive=False)

    # Ends from the client's side.

    def on_client_full(self, *, is_full: bool) -> None:
        """The client takes the answer slower than the store sends it."""
        if self._connection is not None:
            self._connection.pause(is_paused=is_full)
        if self._is_tunnel:
            self._client.touch(self._context.timeouts.tunnel_idle_s)
        else:
            self._touch(self._context.timeouts.body_idle_s)

    def on_client_gone(self) -> None:
        """Nobody waits for the answer: stop the store's work too."""
        if self._is_over:
            return
        if self._place is not None:
            self._place.leave()
            self._place = None
        if not self._is_tunnel:
            self._context.counters.add(CLIENT_GONE, self.decision.domain or NO_DOMAIN)
        self._drop_capture("client_gone")
        self._over(_SWITCHING if self._is_tunnel else 0, "client_gone")
        self._give_up()

    def on_deadline(self) -> None:
        """Nothing moved for too long."""
        if self._is_tunnel:
            self._end_tunnel()
            self._give_up()
        elif self._place is not None:
            # The hold ends by itself, and bounded: this is only a second rope.
            self._place.leave()
            self._place = None
            self._fail(503, "The domain's move took too long.", "hold")
        elif not self._is_sent and self._answer is None:
            self._fail(408, "The request's body did not come in time.", "client_slow")
        elif self._answer is None:
            self._fail(504, f"{self.decision.side} did not answer in time.", "timeout")
        else:
            self._fail(504, "The answer stopped in the middle.", "stalled")

    def _touch(self, seconds: float) -> None:
        if self._must_end_s:
            seconds = min(seconds, max(0.0, self._must_end_s - self._context.now()))
        self._client.touch(seconds)

    # The connection to a store.

    def _open(self) -> None:
        self._is_waiting = True
        self._client.hold(is_held=True)
        self._context.tasks.spawn(self._connect(), name=f"connect {self.decision.side}")

    async def _connect(self) -> None:
        pool, side = self._pool, self.decision.side
        if pool is None:
            return
        try:
            connection = await self._connected(pool)
        except TimeoutError:
            if self._pool is pool:  # else legacy has stepped in meanwhile
                self._fail(504, f"{side} did not take the connection in time.", "connect")
            return
        except UpstreamError as exc:
            if self._pool is pool:
                self._fail(502, f"{side} cannot be reached: {exc.args[0]}.", "connect")
            return
        if self._is_over or self._pool is not pool:
            pool.give_back(connection)
            return
        self._context.counters.add(STORE_OPENED, str(side))
        self._is_waiting = False
        self._connection = connection
        if not connection.is_open():
            # 1. the store took the connection, 2. it closed it, 3. this task came to its
            # turn: nobody would tell the exchange any more.
            self.on_lost("the store closed the connection", answered=False)
            return
        connection.begin(self, self._head)
        self._send_waiting(connection)
        self._client.hold(is_held=False)

    async def _connected(self, pool: Pool) -> StoreConnection:
        try:
            return await pool.open()
        except UpstreamError:
            # Nothing was sent yet, so once more costs nothing; a store that is being
            # restarted is back after a moment.
            await asyncio.sleep(0.05)
            return await pool.open()

    def _send_waiting(self, connection: StoreConnection) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for data in waiting:
                connection.send(data)

    def _send(self, parts: list[bytes]) -> None:
        if self._is_waiting:
            self._waiting += parts
        elif self._connection is not None:
            for part in parts:
                self._connection.send(part)

    def _fail(self, status: int, detail: str, kind: str) -> None:
        if self._is_over:
            return
        if self._place is not None:
            self._place.leave()
            self._place = None
        by_client = kind in _BY_CLIENT
        pool, began = self._pool, self._is_begun
        if not by_client and pool is not None:
            self._context.counters.add(STORE_ERRORS, str(self.decision.side), kind)
            if pool.watches and kind != "stalled":
                pool.failed(kind, self._began_s)
        self._give_up()
        if not by_client and self._fall_back(kind):
            return
        self._drop_capture("client_gone" if by_client else "upstream_error")
        if began:
            self._over(0, "cut_off")
            self._client.cut_off()
        else:
            self._over(status, "refused" if by_client else "failed")
            self._client.refused(status, detail)

    def _give_up(self) -> None:
        """Let go of the store: it sees its connection end."""
        connection, self._connection = self._connection, None
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.in_flight -= 1
        if connection is None:
            return
        if self._is_tunnel:
            # What a client said last is often its goodbye, or an order.
            connection.end()
        else:
            connection.abort()

    @override
    def _over(self, status: int, ended: str) -> int:
        """End: counted once, told once. Returns the microseconds it took."""
        self._is_over = True
        if self._is_tunnel:
            self._context.tunnels -= 1
        pool = self._pool
        if pool is not None:
            pool.in_flight -= 1
            self._pool = None
        elapsed_us = (time.monotonic_ns() - self._started_ns) // 1_000
        if status:
            self._context.counters.answered(self.decision, self.method, status, elapsed_us)
        if self._watch is not None:
            self._watch.is_retried = self._attempts > 1
            self._watch.is_fallback = self._is_fallback
            self._watch.ended(self.decision, status, ended, elapsed_us)
        return elapsed_us
