"""Asks stores questions that no shopper asked, over kept connections of their own.

It stands on what forwards shoppers' requests (dialer, pool, connection), and shares no
connection, bound or guard with it.

client = StoreClient(stores, ClientLimits(), base=Path("var"))
answer = await client.ask(Side.CORE, Question("GET", "/products/", (("Host", "shop"),)))
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from proxy.core.address import AddressError, StoreAddress, parse_store_url
from proxy.core.answer import Answer, Framing
from proxy.core.frame import Headers
from proxy.core.retry import IDEMPOTENT_METHODS, may_retry
from proxy.edge.dial import Dialer
from proxy.edge.pool import Pool
from proxy.edge.rules import store_files
from proxy.edge.store import StoreConnection
from proxy.edge.tls import Stamp, TlsFileError
from proxy.edge.treatment import Treatment
from proxy.errors import ProxyError, UpstreamError
from proxy.routing.model import Side, Store, StoreTls

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"/[\x21-\x7e\x80-\xff]*")
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_LINES = re.compile(
    r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\x00-\x08\x0a-\x1f\x7f\u0100-\U0010ffff]*\r\n)*"
)


class NoAnswer(StrEnum):
    """Why there is no answer.

    timeout: it was not complete in time. unreachable: no connection, or it ended before a
    byte of an answer. broken: it ended in the middle, or what came is no HTTP/1.
    too_large: the body is longer than is read; the rest of it is refused at once.
    """

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"
    TOO_LARGE = "too_large"


class NoAnswerError(ProxyError):
    """A store gave no answer of use. `why` says whose fault that is."""

    def __init__(self, why: NoAnswer, problem: str) -> None:
        super().__init__(problem)
        self.why = why


class QuestionError(ProxyError):
    """The question cannot be written as HTTP/1.1; nothing was sent."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What one question may take.

    Attributes:
        timeout_s: from the first attempt to connect to the answer's last byte.
        body_bytes: of an answer's body, as it comes over the wire.
        idle: connections that are kept for the next question, per store.
        idle_s: for how long.
        receive_bytes: what the kernel takes of an answer before it is read: so much, and
            not megabytes, a store can send that nobody wants.
    """

    timeout_s: float = 5.0
    body_bytes: int = 1024 * 1024
    idle: int = 16
    idle_s: float = 30.0
    head_bytes: int = 65_536
    receive_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """A request without what belongs to one connection: framing is added when it is sent.

    Attributes:
        target: path and query, without the prefix of the store's URL.
        headers: Host is the store's own where it is not among them.
    """

    method: str
    target: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """A complete answer. The body is still encoded as its headers say.

    `lines` are its header lines, each with its CRLF, without those of the connection;
    `elapsed_us` runs from the request's last byte to the answer's last byte.
    """

    status: int
    lines: bytes
    body: bytes
    elapsed_us: int


class StoreClient:
    """Asks the stores of a table. Belongs to one event loop.

    Certificates are read again when their files change, within a second.
    """

    def __init__(self, stores: Mapping[Side, Store], limits: ClientLimits, base: Path) -> None:
        """Begin without connections.

        Args:
            stores: as for `use`.
            limits: of every question.
            base: folder that relative names of certificate files start from.

        Raises:
            AddressError: a store's URL is none.
        """
        self._limits = limits
        self._base = base
        self._now = asyncio.get_running_loop().time
        self._targets: dict[Side, _Target] = {}
        self._stores = stores
        self._looked_s = self._now()
        self._deadlines = _Deadlines()
        self.use(stores)

    def use(self, stores: Mapping[Side, Store]) -> None:
        """Ask these stores from now on. One that did not move keeps its connections.

        A store whose certificate files cannot be used keeps its last good ones; without
        any, its questions fail until the files are mended.

        Raises:
            AddressError: a store's URL is none; nothing changed.
        """
        made = {side: self._made(side, store) for side, store in stores.items()}
        for side, target in self._targets.items():
            if made[side].pool is not target.pool:
                target.pool.retire()
        self._stores, self._targets = stores, made

    def close(self) -> None:
        """End all connections, those at work too."""
        self._deadlines.close()
        for target in self._targets.values():
            target.pool.retire()
            for connection in tuple(target.pool.connections):
                connection.abort()

    async def ask(self, side: Side, question: Question) -> StoreAnswer:
        """Send a question and read its answer.

        A kept connection that the store closed meanwhile costs nothing: where twice is
        once, the question is sent again on a new one.

        Raises:
            NoAnswerError: there is no answer.
            QuestionError: it cannot be sent.
        """
        self._look_after()
        target = self._targets[side]
        head = _head(question, target.address)
        return await self._asked(target.pool, question, head)

    async def _asked(self, pool: Pool, question: Question, head: bytes) -> StoreAnswer:
        is_sure = question.method in IDEMPOTENT_METHODS and not question.body
        deadline_s = self._now() + self._limits.timeout_s
        attempts = 0
        while True:
            attempts += 1
            kept = pool.take(self._limits.idle_s) if is_sure else None
            connection = kept or await _opened(pool, deadline_s)
            heard = _Listener(question.method, self._limits.body_bytes, connection)
            began_s = self._now()
            try:
                connection.begin(heard, head + question.body)
                self._deadlines.add(heard, deadline_s)
                end = await heard.ended
            except BaseException:
                connection.abort()
                raise
            finally:
                self._deadlines.remove(heard)
            if end is None and heard.answer is not None:
                if connection.can_go_on:
                    pool.give_back(connection)
                else:
                    connection.abort()
                elapsed_us = round((self._now() - began_s) * 1_000_000)
                answer = heard.answer
                return StoreAnswer(answer.status, answer.lines, b"".join(heard.body), elapsed_us)
            is_late = end is not None and end.why is NoAnswer.TIMEOUT
            if (
                kept is None
                or is_late
                or not may_retry(
                    question.method,
                    sent_bytes=len(head),
                    answered=heard.is_answered,
                    has_body=bool(question.body),
                    attempts=attempts,
                )
            ):
                raise end or NoAnswerError(NoAnswer.BROKEN, "the answer has no head")

    def _look_after(self) -> None:
        now_s = self._now()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        for target in self._targets.values():
            target.pool.expire(self._limits.idle_s)
        if any(target.stamp != self._stamp(side) for side, target in self._targets.items()):
            self.use(self._stores)

    def _stamp(self, side: Side) -> Stamp:
        return store_files(side, self._stores[side], self._base).stamp()

    def _made(self, side: Side, store: Store) -> _Target:
        address = parse_store_url(store.url)
        files = store_files(side, store, self._base)
        stamp, before = files.stamp(), self._targets.get(side)
        is_same = before is not None and (before.address, before.tls) == (address, store.tls)
        if before is not None and is_same and before.stamp == stamp:
            return before
        context, problem = None, None
        try:
            if address.is_tls:
                context = files.context()
            elif store.tls != StoreTls():
                raise AddressError(f"stores.{side}.tls: {store.url} is not https")
        except TlsFileError as exc:
            log.error("%s; %s is asked with the last good files, if any", exc, side)  # noqa: TRY400 - a wrong file
            problem = str(exc)
            if before is not None and is_same:
                return _Target(address, store.tls, stamp, before.pool)
        dialer = Dialer(
            address,
            context,
            server_name=store.tls.server_name,
            problem=problem,
            receive_bytes=self._limits.receive_bytes,
        )
        return _Target(
            address, store.tls, stamp, Pool(str(side), dialer, self._treatment(), now=self._now)
        )

    def _treatment(self) -> Treatment:
        limits = self._limits
        return Treatment(
            bound=1_000_000,  # who asks holds back itself
            idle=limits.idle,
            head_bytes=limits.head_bytes,
            connect_s=limits.timeout_s,
            first_byte_s=limits.timeout_s,
        )


@dataclass(frozen=True, slots=True)
class _Target:
    """A store made ready. `stamp` is of the files that its pool was made of, or refused."""

    address: StoreAddress
    tls: StoreTls
    stamp: Stamp
    pool: Pool


class _Listener:
    """Implements store.Asker: gathers one answer, up to a bound."""

    def __init__(self, method: str, room: int, connection: StoreConnection) -> None:
        self.method = method
        self.upgrade = b""
        self.wants_trailers = False
        self.answer: Answer | None = None
        self.body: list[bytes] = []
        self.is_answered = False
        self.ended: asyncio.Future[NoAnswerError | None] = (
            asyncio.get_running_loop().create_future()
        )
        self._room = room
        self._connection = connection

    def on_interim(self, _answer: Answer) -> None:
        self.is_answered = True

    def on_switch(self, _answer: Answer) -> None:
        pass  # never asked for

    def on_tunnel(self, _data: bytes) -> None:
        pass

    def on_answer(self, answer: Answer) -> None:
        self.answer = answer
        self.is_answered = True
        if answer.framing == Framing.LENGTH and answer.length > self._room:
            self._refuse(f"its body has {answer.length} bytes")

    def on_pieces(self, pieces: list[bytes]) -> None:
        self.body += pieces
        self._room -= sum(map(len, pieces))
        if self._room < 0:
            self._refuse("its body does not end in time")

    def on_end(self, _trailer: bytes) -> None:
        self._end(None)

    def on_turn(self) -> None:
        pass

    def on_lost(self, problem: str, *, answered: bool) -> None:
        self.is_answered = self.is_answered or answered
        why = NoAnswer.BROKEN if self.is_answered else NoAnswer.UNREACHABLE
        self._end(NoAnswerError(why, problem))

    def on_store_full(self, *, is_full: bool) -> None:
        pass  # questions are small, and lie in memory anyhow

    def on_late(self) -> None:
        """Its time is over."""
        self._connection.abort()
        self.body = []
        self._end(NoAnswerError(NoAnswer.TIMEOUT, "no answer in time"))

    def _refuse(self, problem: str) -> None:
        # Closed with bytes unread, so that the store's next write fails.
        self._connection.abort()
        self.body = []
        self._end(NoAnswerError(NoAnswer.TOO_LARGE, problem))

    def _end(self, end: NoAnswerError | None) -> None:
        if not self.ended.done():
            self.ended.set_result(end)


class _Deadlines:
    """Ends questions whose time is over. One timer does for all of them: a timer of its own
    costs each more than writing its head.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due_s: dict[_Listener, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_s = 0.0

    def add(self, listener: _Listener, deadline_s: float) -> None:
        self._due_s[listener] = deadline_s
        if self._timer is None or deadline_s < self._looks_s:
            self._look_at(deadline_s)

    def remove(self, listener: _Listener) -> None:
        # The timer stays as it is: it finds out by itself that there is nothing to end.
        self._due_s.pop(listener, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look_at(self, when_s: float) -> None:
        self.close()
        self._looks_s = when_s
        self._timer = self._loop.call_at(when_s, self._look)

    def _look(self) -> None:
        self._timer = None
        for listener, deadline_s in tuple(self._due_s.items()):
            if deadline_s <= self._looks_s:
                del self._due_s[listener]
                listener.on_late()
        if self._due_s:
            self._look_at(min(self._due_s.values()))


async def _opened(pool: Pool, deadline_s: float) -> StoreConnection:
    """A new connection.

    Raises:
        NoAnswerError: there is none in time, or none at all.
    """
    try:
        async with asyncio.timeout_at(deadline_s):
            return await pool.open()
    except TimeoutError as exc:
        raise NoAnswerError(NoAnswer.TIMEOUT, "no answer in time") from exc
    except UpstreamError as exc:
        raise NoAnswerError(NoAnswer.UNREACHABLE, str(exc)) from exc


def _lines(headers: Headers) -> bytes:
    """Header lines, each with its CRLF, all of them looked at in one go.

    Raises:
        QuestionError: one of them would be read as something else.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if headers and not (
        _LINES.fullmatch(lines)
        and lines.count("\r\n") == len(headers)
        and _TOKEN.fullmatch("".join([name for name, _ in headers]))
    ):
        for name, value in headers:
            if not _TOKEN.fullmatch(name) or _NO_VALUE.search(value):
                raise QuestionError(f"the header {name!r} cannot be sent")
    return lines.encode("latin-1")


def _head(question: Question, address: StoreAddress) -> bytes:
    """The head that goes to the store.

    Raises:
        QuestionError: a part of it would be read as something else.
    """
    if not _TOKEN.fullmatch(question.method) or not _TARGET.fullmatch(question.target):
        raise QuestionError(f"{question.method} {question.target!r} is no request")
    lines = _lines(question.headers)
    has_host = "host" in [name.lower() for name, _ in question.headers]
    start = b"%b %b%b HTTP/1.1\r\n" % (
        question.method.encode("ascii"),
        address.prefix,
        question.target.encode("latin-1"),
    )
    parts = [start]
    if not has_host:
        parts += (b"Host: ", address.authority, b"\r\n")
    parts.append(lines)
    if question.body:
        parts.append(b"Content-Length: %d\r\n" % len(question.body))
    elif question.method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
        parts.append(b"Content-Length: 0\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
