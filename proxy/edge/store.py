"""Connections to a store."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from proxy.core.answer import Answer, BadAnswerError, Framing, read_answer
from proxy.core.fields import FieldError, FieldReader, passed_trailers
from proxy.core.framing import Body, ChunkedBody, EndlessBody, FramingError, LengthBody

_HEAD_END = b"\r\n\r\n"
_MAX_INTERIM = 16
_SWITCHING = 101
_KNOWN_BYTES = 2_048
_LAST_WORDS_S = 5.0


class Keeper(Protocol):
    """The pool, as its connections see it.

    Attributes:
        head_bytes: longest head of an answer.
        reader: reads the fields of answers.
    """

    head_bytes: int
    reader: FieldReader

    def opened(self, connection: StoreConnection) -> None:
        """A connection was made."""
        ...

    def closed(self, connection: StoreConnection) -> None:
        """A connection ended."""
        ...


class Asker(Protocol):
    """Who sent the request and gets the answer. Called from `data_received`, in order:
    interim answers, one answer, pieces, the end; or at any time `on_lost` instead. After
    a change of protocol that was asked for: `on_switch`, then `on_tunnel` until `on_lost`.

    Attributes:
        upgrade: the protocol that was asked for, b"" for none.
        wants_trailers: whether trailers are of use.
    """

    method: str
    upgrade: bytes
    wants_trailers: bool

    def on_interim(self, answer: Answer) -> None:
        """A 1xx answer."""
        ...

    def on_switch(self, answer: Answer) -> None:
        """The store speaks the protocol that was asked for from now on."""
        ...

    def on_tunnel(self, data: bytes) -> None:
        """Bytes of that protocol."""
        ...

    def on_answer(self, answer: Answer) -> None:
        """The final answer's head."""
        ...

    def on_pieces(self, pieces: list[bytes]) -> None:
        """Some of its body."""
        ...

    def on_end(self, trailer: bytes) -> None:
        """The body is complete; `trailer` holds lines that may be passed on."""
        ...

    def on_turn(self) -> None:
        """That was all that came in this turn of the loop, and there is more to come."""
        ...

    def on_lost(self, problem: str, *, answered: bool) -> None:
        """The connection ended or sent nonsense; `answered`: after bytes of an answer."""
        ...

    def on_store_full(self, *, is_full: bool) -> None:
        """The store takes the request's body slower than it comes, or takes it again."""
        ...


class StoreConnection:
    """One connection: idle, or working for one asker. Implements asyncio's Protocol.

    Bytes that come while it is idle are nobody's answer. A pool that kept them would
    give them to the next shopper; so such a connection is closed.
    """

    def __init__(self, pool: Keeper) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._asker: Asker | None = None
        self._buffer = b""
        self._answer: Answer | None = None
        # The last answer's head, and what it meant to which method.
        self._known_head = b""
        self._known_method = ""
        self._known: Answer | None = None
        self._body: Body | None = None
        self._interim = 0
        self._has_bytes = False
        self._is_paused = False
        self._is_tunnel = False
        self.idle_since = 0.0
        self.is_fresh = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._pool.opened(self)

    def begin(self, asker: Asker, head: bytes) -> None:
        """Send a request's head; its answer goes to `asker`."""
        self._asker = asker
        self._answer = self._body = None
        self._interim = 0
        self._has_bytes = False
        if self._transport is not None:
            self._transport.write(head)

    def send(self, data: bytes) -> None:
        """Send bytes of the request's body, framed, or of a tunnel."""
        if self._transport is not None:
            self._transport.write(data)

    def pause(self, *, is_paused: bool) -> None:
        """Stop or go on reading: the client takes the answer slower than it comes."""
        transport = self._transport
        if transport is None or transport.is_closing() or is_paused is self._is_paused:
            return
        self._is_paused = is_paused
        if is_paused:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def is_open(self) -> bool:
        """Whether it could take a request."""
        return self._transport is not None and not self._transport.is_closing()

    def abort(self) -> None:
        """Give the exchange up: the store sees the connection end."""
        self._asker = None
        if self._transport is not None:
            self._transport.abort()

    def end(self) -> None:
        """Let the store have what is still on its way to it, for a few seconds, then end."""
        self._asker = None
        transport = self._transport
        if transport is not None:
            transport.close()
            asyncio.get_running_loop().call_later(_LAST_WORDS_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        asker = self._asker
        if asker is None:
            self.abort()
            return
        if self._is_tunnel:
            asker.on_tunnel(data)
            return
        self._has_bytes = True
        try:
            if self._answer is None:
                data = self._take_head(data)
            if self._answer is not None and self._asker is not None:
                self._take_body(data)
            if self._asker is not None:
                self._asker.on_turn()
        except (BadAnswerError, FramingError, FieldError) as exc:
            self._lose(str(exc))

    def eof_received(self) -> bool:
        asker = self._asker
        if asker is not None and isinstance(self._body, EndlessBody):
            self._asker = None
            asker.on_end(b"")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._pool.closed(self)
        self._lose("the connection broke" if exc else "the store closed the connection")

    def pause_writing(self) -> None:
        if self._asker is not None:
            self._asker.on_store_full(is_full=True)

    def resume_writing(self) -> None:
        if self._asker is not None:
            self._asker.on_store_full(is_full=False)

    def _lose(self, problem: str) -> None:
        asker, self._asker = self._asker, None
        if self._transport is not None:
            self._transport.abort()
        if asker is not None:
            asker.on_lost(problem, answered=self._has_bytes)

    def _take_head(self, data: bytes) -> bytes:
        """Read heads up to the final answer's; return what comes behind it."""
        asker = self._asker
        if self._buffer:
            data = self._buffer + data
        known = self._known
        if (
            known is not None
            and asker is not None
            and data.startswith(self._known_head)
            and asker.method == self._known_method
            and not asker.wants_trailers
        ):
            # Byte for byte what this store said before, so it means the same.
            data = data[len(self._known_head) :]
            self._begin_answer(known, asker)
            return data
        pool = self._pool
        while asker is not None:
            end = data.find(_HEAD_END) + len(_HEAD_END)
            if end < len(_HEAD_END) or end > pool.head_bytes:
                if len(data) > pool.head_bytes:
                    raise BadAnswerError("the answer's head is too long")
                break
            head, data = data[:end], data[end:]
            answer = read_answer(head, pool.reader, asker.method, trailers=asker.wants_trailers)
            if answer.status >= 200:
                if len(head) <= _KNOWN_BYTES and not asker.wants_trailers:
                    self._known_head, self._known_method = head, asker.method
                    self._known = answer
                self._begin_answer(answer, asker)
                return data
            if answer.status == _SWITCHING:
                self._switch(answer, asker, data)
                return b""
            self._interim += 1
            if self._interim > _MAX_INTERIM:
                raise BadAnswerError("there are too many interim answers")
            asker.on_interim(answer)
            asker = self._asker
        self._buffer = data
        return b""

    def _begin_answer(self, answer: Answer, asker: Asker) -> None:
        self._buffer = b""
        self._answer = answer
        self._body = _body(answer)
        asker.on_answer(answer)

    def _switch(self, answer: Answer, asker: Asker, data: bytes) -> None:
        if not asker.upgrade or answer.upgrade.lower() != asker.upgrade.lower():
            raise BadAnswerError("it changes to a protocol that nobody asked for")
        self._is_tunnel = True
        self._buffer = b""
        asker.on_switch(answer)
        if data:
            asker.on_tunnel(data)

    def _take_body(self, data: bytes) -> None:
        asker, body = self._asker, self._body
        if asker is None:
            return
        if body is not None and not body.is_done:
            pieces, data = body.feed(data) if data else ([], b"")
            if pieces:
                asker.on_pieces(pieces)
        is_whole = body is None or body.is_done
        if not is_whole or self._asker is None:
            return
        trailer = b""
        if body is not None and body.trailer:
            trailer = passed_trailers(body.trailer)
            if not asker.wants_trailers:
                trailer = b""
        self._asker = None
        if data:
            # More than was asked for: the answer is complete, the connection is not to
            # be trusted with another.
            self.abort()
        asker.on_end(trailer)

    @property
    def can_go_on(self) -> bool:
        """After an answer: whether the store takes another request here."""
        return self._answer is not None and self._answer.keep_alive and self.is_open()


def _body(answer: Answer) -> Body | None:
    if answer.framing == Framing.LENGTH:
        return LengthBody(answer.length)
    if answer.framing == Framing.CHUNKED:
        return ChunkedBody()
    return EndlessBody() if answer.framing == Framing.CLOSE else None
