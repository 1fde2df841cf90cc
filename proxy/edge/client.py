"""A client's connection: requests in, one after the other; answers out, in the same order."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from typing import Final, cast

from proxy.core.address import is_trusted
from proxy.core.framing import Body, ChunkedBody, FramingError, LengthBody
from proxy.core.head import Fields, RefusedError, Request, check_beginning, read_request
from proxy.core.problem import problem_answer
from proxy.core.store_head import asker_lines
from proxy.edge.context import Context
from proxy.edge.counters import REFUSED
from proxy.edge.exchange import Exchange
from proxy.edge.observer import ExchangeFacts

_HEAD_END = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"(?:\r\n)*")
_RESET = struct.pack("ii", 1, 0)
_PIPELINED_BYTES = 64 * 1024
# Up to here a copy costs less than a gathering write.
_JOINED_BYTES = 16 * 1024


class _State:
    """Constants, which compile to numbers.

    IDLE: between requests. HEAD: a head has begun. BUSY: an exchange is on its way.
    TUNNEL: another protocol has begun. LINGER: refused or cut short; what still comes is
    read and thrown away, so that the client can read its answer before the connection
    ends.
    """

    IDLE: Final = 0
    HEAD: Final = 1
    BUSY: Final = 2
    TUNNEL: Final = 3
    LINGER: Final = 4


class ClientConnection:
    """Implements asyncio's Protocol, and Asking for its exchanges. At most one exchange at
    a time: requests that come meanwhile wait as bytes, at most 64 KiB beyond what one
    read brings.
    """

    def __init__(
        self, context: Context, *, peer: str | None = None, scheme: bytes = b"http"
    ) -> None:
        """Take the true peer where a PROXY header told it, and the scheme the client used."""
        self._context = context
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._state: int = _State.IDLE
        self._exchange: Exchange | None = None
        self._fields: Fields | None = None
        self._body: Body | None = None
        self._body_bytes = 0
        self._is_advancing = False
        self._is_held = False
        self._is_full = False
        self._is_trusted = False
        self._deadline = 0.0
        self._peer = peer
        self.scheme = scheme
        self.peer = b""
        self.asker = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        context = self._context
        self._transport = cast("asyncio.Transport", transport)
        peer = self._peer
        if peer is None:
            name = transport.get_extra_info("peername")
            peer = str(name[0]) if name else "unknown"
        self.peer = peer.encode("ascii", "replace")
        self.asker = asker_lines(self.peer, self.scheme)
        self._is_trusted = is_trusted(peer, context.trusted)
        context.clients.add(self)
        self.touch(context.timeouts.idle_s)
        if len(context.clients) > context.limits.clients:
            self._refuse(503, "Too many clients are connected.")

    def adopt(self, transport: asyncio.Transport, pending: bytes) -> None:
        """Take over a connection whose first bytes somebody else has read."""
        transport.set_protocol(cast("asyncio.BaseProtocol", self))
        self.connection_made(transport)
        if pending:
            self.data_received(pending)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._context.clients.discard(self)
        self._leave()

    def eof_received(self) -> bool:
        # A client that closes its half is taken for gone, as other proxies do: it cannot
        # be told from one that closed both. In the middle of a head it may still listen.
        self._leave()
        if self._state == _State.HEAD:
            self._refuse(400, "The request broke off in its head.")
            self._close()
            return True
        return False

    def data_received(self, data: bytes) -> None:
        if self._body is not None:
            self._take_body(data)
            return
        exchange = self._exchange
        if exchange is None:
            if self._state == _State.LINGER:
                return
            self._buffer = self._buffer + data if self._buffer else data
            self._advance()
            if self._is_full:
                self._set_reading()
        elif self._state == _State.TUNNEL:
            exchange.on_client_tunnel(data)
        else:
            self._buffer = self._buffer + data if self._buffer else data
            self._set_reading()

    def pause_writing(self) -> None:
        self._is_full = True
        if self._exchange is not None:
            self._exchange.on_client_full(is_full=True)

    def resume_writing(self) -> None:
        self._is_full = False
        if self._exchange is not None:
            self._exchange.on_client_full(is_full=False)
        elif self._state != _State.LINGER:
            self._set_reading()
            self._advance()

    # What an exchange asks for.

    def write(self, parts: list[bytes]) -> None:
        """Send bytes, in one system call as far as the socket takes them."""
        transport = self._transport
        if transport is None or not parts:
            return
        if len(parts) == 1:
            transport.write(parts[0])
        elif sum(map(len, parts)) < _JOINED_BYTES:
            transport.write(b"".join(parts))
        else:
            transport.writelines(parts)

    def touch(self, seconds: float) -> None:
        """Something moved: the next must move within this time."""
        self._deadline = self._context.now() + seconds

    def hold(self, *, is_held: bool) -> None:
        """Stop or go on taking the request's body."""
        self._is_held = is_held
        self._set_reading()

    def tunnel(self) -> None:
        """What comes from now on is not HTTP."""
        self._state = _State.TUNNEL
        self._set_reading()

    def tunnelled(self) -> bytes:
        """What the client sent early, behind its request, for the tunnel."""
        data, self._buffer = self._buffer, b""
        return data

    def ended(self, *, keep_alive: bool) -> None:
        """The exchange's answer was written whole."""
        self._exchange = None
        if self._body is not None:
            self._linger()
        elif not keep_alive or self._context.is_draining:
            self._close()
        else:
            self._state = _State.IDLE
            self._deadline = self._context.now() + self._context.timeouts.idle_s
            if self._is_held or self._buffer:
                self.hold(is_held=False)
                self._advance()

    def refused(self, status: int, detail: str, retry_after_s: int = 1) -> None:
        """The exchange has no answer but this one."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        is_whole = self._body is None and exchange.request.keep_alive
        # A client that breaks the rules is not asked what it meant with what follows.
        is_fair = status not in (400, 408)
        keep_alive = is_whole and is_fair and not self._context.is_draining
        answer = problem_answer(
            status,
            detail,
            exchange.request_id,
            keep_alive=keep_alive,
            is_head=exchange.method == "HEAD",
            retry_after_s=retry_after_s,
        )
        self.write([answer])
        if not keep_alive:
            self._linger()
            return
        self.ended(keep_alive=True)

    def cut_off(self) -> None:
        """Reset the connection in the middle of an answer."""
        self._exchange = None
        self._state = _State.LINGER
        if self._transport is not None:
            # An end without a reset is how an HTTP/1.0 answer ends when it is whole.
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    # What the worker asks for.

    @property
    def writing(self) -> str | None:
        """The domain that an unsafe request of this client is changing at this moment."""
        return None if self._exchange is None else self._exchange.writing

    def sweep(self, now: float) -> None:
        """Act on a deadline that has passed."""
        if now < self._deadline or self._transport is None:
            return
        if self._exchange is not None:
            self._exchange.on_deadline()
        elif self._state == _State.HEAD:
            self._refuse(408, "The request's head did not come in time.")
        elif self._state == _State.IDLE:
            self._close()
        else:
            self._transport.abort()

    def drain(self) -> None:
        """End when nothing is in flight."""
        if self._exchange is None and self._state == _State.IDLE:
            self._close()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()

    def _advance(self) -> None:
        """Begin exchanges as long as whole heads wait and none is on its way."""
        # An exchange may end while it starts (503). Its `ended` comes back here; the
        # loop that is already running goes on, so that a thousand pipelined requests
        # are a loop and not a recursion.
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while (
                self._buffer
                and self._exchange is None
                and not self._is_full
                and self._state != _State.LINGER
            ):
                if not self._take_head():
                    break
        finally:
            self._is_advancing = False

    def _take_head(self) -> bool:
        """Begin one exchange. False when the head is not whole, or was refused."""
        buffer = self._buffer
        if buffer[:2] == b"\r\n":  # some clients end a body with one too many
            end = cast("re.Match[bytes]", _EMPTY_LINES.match(buffer)).end()
            buffer = self._buffer = buffer[end:]
        context = self._context
        end = buffer.find(_HEAD_END) + len(_HEAD_END)
        try:
            if end < len(_HEAD_END) or end > context.limits.head_bytes:
                self._wait_for_head()
                return False
            if end == len(buffer):
                head, self._buffer = buffer, b""
            else:
                head, self._buffer = buffer[:end], buffer[end:]
            request = read_request(
                head,
                context.rules.fields,
                context.limits,
                is_trusted=self._is_trusted,
                before=self._fields,
            )
        except RefusedError as refused:
            self._refuse(refused.status, refused.detail)
            return False
        self._fields = request.fields
        self._state = _State.BUSY
        exchange = self._exchange = Exchange(self, context, request)
        if request.has_body:
            self._begin_body(request)
        exchange.start()
        if self._body is not None and self._exchange is exchange and self._buffer:
            data, self._buffer = self._buffer, b""
            self._take_body(data)
        return True

    def _begin_body(self, request: Request) -> None:
        self._body = ChunkedBody() if request.is_chunked else LengthBody(request.length or 0)
        self._body_bytes = 0

    def _wait_for_head(self) -> None:
        limits, buffer = self._context.limits, self._buffer
        if len(buffer) > limits.head_bytes:
            raise RefusedError(431, f"The head has more than {limits.head_bytes} bytes.")
        if b"\r\n" not in buffer and len(buffer) > limits.target_bytes + 64:
            raise RefusedError(414, f"The target has more than {limits.target_bytes} bytes.")
        # Refused at once, for otherwise a head that ends in bare LFs never ends.
        check_beginning(buffer)
        if self._state == _State.IDLE and buffer:
            self._state = _State.HEAD
            self.touch(self._context.timeouts.head_s)

    def _take_body(self, data: bytes) -> None:
        exchange, body = self._exchange, self._body
        if exchange is None or body is None:
            return
        try:
            pieces, rest = body.feed(data)
        except FramingError as exc:
            exchange.on_request_broken(400, f"The body is not framed rightly: {exc}.")
            return
        self._body_bytes += sum(map(len, pieces))
        bound = self._context.limits.body_bytes
        if bound and self._body_bytes > bound:
            exchange.on_request_broken(413, f"The body has more than {bound} bytes.")
            return
        if pieces:
            exchange.on_request_pieces(pieces)
        if body.is_done and self._exchange is exchange:
            self._body = None
            self._buffer = rest
            exchange.on_request_end(body.trailer)

    def _set_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        is_busy = self._is_full or self._exchange is not None
        is_waiting = is_busy and len(self._buffer) > _PIPELINED_BYTES
        # Reading goes on while an exchange without a body waits for its connection:
        # that is how a client that leaves is noticed.
        takes_more = self._body is not None or self._state == _State.TUNNEL
        if is_waiting or (self._is_held and takes_more):
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer a request that does not become an exchange, and end the connection."""
        context = self._context
        context.counters.add(REFUSED, str(status))
        request_id = context.new_request_id().decode("ascii")
        if context.observer is not None:
            context.observer.ended(
                ExchangeFacts(
                    request_id=request_id,
                    method="",
                    target=b"",
                    decision=None,
                    status=status,
                    peer=self.peer,
                    began_ns=time.time_ns(),
                    elapsed_us=0,
                    ended="refused",
                )
            )
        self.write([problem_answer(status, detail, request_id, keep_alive=False)])
        self._linger()

    def _linger(self) -> None:
        # Closed at once, with bytes of the request still unread, the kernel would send a
        # reset, and that may overtake the answer.
        self._state = _State.LINGER
        self._body = None
        self._buffer = b""
        self.touch(self._context.timeouts.linger_s)
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.resume_reading()
            if transport.can_write_eof():
                transport.write_eof()
            else:  # TLS says goodbye with the close
                transport.close()

    def _close(self) -> None:
        """Close when everything was written, or when the client does not take it in time."""
        self._state = _State.LINGER
        self.touch(self._context.timeouts.body_idle_s)
        if self._transport is not None:
            self._transport.close()

    def _leave(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.on_client_gone()
