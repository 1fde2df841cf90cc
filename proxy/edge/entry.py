"""What comes before HTTP on a client's connection: the PROXY header, then TLS."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Protocol, cast

from typing_extensions import override

from proxy.core.address import AddressError, is_trusted
from proxy.core.entrance import Entrance
from proxy.core.proxy_protocol import ProxyHeaderError, ProxyMode, read_proxy_header
from proxy.edge.context import Context
from proxy.edge.counters import CERTIFICATE_RELOADS, LISTENER_REFUSED
from proxy.edge.tls import ListenerTls, Pems

log = logging.getLogger(__name__)

# What a client may send ahead while its handshake is not finished.
_AHEAD_BYTES = 64 * 1024


class Adopting(Protocol):
    """A client's connection that begins on a transport which is already there."""

    def adopt(self, transport: asyncio.Transport, pending: bytes) -> None:
        """Go on from here, in place of `connection_made`: the transport is the
        connection's, and these bytes came on it already.
        """
        ...


# Makes a connection for a peer (None: take the transport's) and a scheme.
Newcomer = Callable[[str | None, bytes], asyncio.Protocol]


class EntryHall:
    """Makes the first protocol of each connection, and keeps the certificate.

    Attributes:
        tls: None for a listener without.
        mode: which connections begin with a PROXY header.
    """

    def __init__(
        self,
        entrance: Entrance,
        context: Context,
        newcomer: Newcomer,
        *,
        kept: Pems | None = None,
    ) -> None:
        """Read the certificate files.

        Args:
            entrance: what connections have to show.
            context: of the worker.
            newcomer: makes what speaks HTTP; it must also be `Adopting`.
            kept: contents of certificate files that were good before.

        Raises:
            AddressError: the options do not fit each other, or (as TlsFileError) a
                certificate file cannot be used.
        """
        self._newcomer = newcomer
        self.context = context
        self.mode = entrance.proxy_protocol
        self.tls = open_entrance(
            entrance,
            has_trusted=bool(context.trusted),
            count=lambda result: context.counters.add(CERTIFICATE_RELOADS, result),
            kept=kept,
        )
        self._is_open = entrance.is_open

    def __call__(self) -> asyncio.Protocol:
        """The factory for `create_server`."""
        return self._newcomer(None, b"http") if self._is_open else Entry(self)

    def tend(self) -> None:
        """Look whether the certificate changed. To be called by the sweeper."""
        if self.tls is not None:
            self.tls.reload()

    def newcomer(self, peer: str | None) -> Adopting:
        """What takes a connection over."""
        made = self._newcomer(peer, b"http" if self.tls is None else b"https")
        return cast("Adopting", made)


class _Stage(Enum):
    """HEADER: a PROXY header is read. AHEAD: TLS is about to begin; bytes of it that come
    already are kept. HANDSHAKE: TLS has the transport; what comes here is decrypted.
    """

    HEADER = 0
    AHEAD = 1
    HANDSHAKE = 2


class Entry(asyncio.Protocol):
    """Reads the PROXY header, does the handshake, hands the connection over. All of that
    within the deadline of a request's head. Belongs to the event loop.
    """

    def __init__(self, hall: EntryHall) -> None:
        self._hall = hall
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._peer: str | None = None
        self._deadline_s = 0.0
        self._stage = _Stage.HEADER

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        hall, context = self._hall, self._hall.context
        self._transport = cast("asyncio.Transport", transport)
        self._deadline_s = context.now() + context.timeouts.head_s
        context.clients.add(self)
        if len(context.clients) > context.limits.clients:
            self._refuse("too_many", "")
            return
        name = transport.get_extra_info("peername")
        peer = str(name[0]) if name else "unknown"
        is_known = is_trusted(peer, context.trusted)
        if hall.mode is ProxyMode.REQUIRE and not is_known:
            self._refuse("proxy_header", f"{peer} is none of the trusted peers")
        elif hall.mode is ProxyMode.OFF or not is_known:
            self._go_on()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._stage is not _Stage.HEADER:
            # A client need not wait for us to say that we are ready.
            if len(self._buffer) > _AHEAD_BYTES:
                self.abort()
            return
        try:
            header = read_proxy_header(self._buffer)
        except ProxyHeaderError as exc:
            self._refuse("proxy_header", str(exc))
            return
        if header is not None:
            self._peer = header.peer
            self._buffer = self._buffer[header.size_bytes :]
            self._go_on()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._hall.context.clients.discard(self)

    # What the worker asks for.

    @property
    def writing(self) -> str | None:
        """Nothing was asked yet."""
        return None

    def sweep(self, now: float) -> None:
        """Act on a deadline that has passed. A handshake has its own clock."""
        if now >= self._deadline_s and self._stage is _Stage.HEADER:
            self._refuse("deadline", "")

    def drain(self) -> None:
        """End: nothing was asked yet."""
        self.abort()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()

    def _go_on(self) -> None:
        """The peer is known: TLS comes next, or HTTP."""
        transport, tls = self._transport, self._hall.tls
        if transport is None:
            return
        if tls is None:
            self._hand_over(transport)
        else:
            self._stage = _Stage.AHEAD
            self._hall.context.tasks.spawn(self._handshake(transport, tls.context), "handshake")

    async def _handshake(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        left_s = max(0.1, self._deadline_s - self._hall.context.now())
        starting = loop.create_task(
            loop.start_tls(transport, self, context, server_side=True, ssl_handshake_timeout=left_s)
        )
        # 1. the client's first TLS bytes came already, with its PROXY header or before this
        # task ran; 2. the task above runs first and puts its own protocol before the
        # transport; 3. we run next and give it those bytes, before the loop reads more.
        await asyncio.sleep(0)
        ahead, self._buffer = self._buffer, b""
        self._stage = _Stage.HANDSHAKE
        if ahead:
            loop.call_soon(_feed, transport, ahead)
        try:
            made = await starting
        except (OSError, asyncio.CancelledError) as exc:
            self._leave()
            transport.abort()
            if isinstance(exc, asyncio.CancelledError):
                raise
            self._count("tls")
            log.info("a TLS handshake failed: %s", exc)
            return
        if made is None or made.is_closing():
            self._leave()
            return
        self._transport = made
        self._hand_over(made)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        self._leave()
        connection = self._hall.newcomer(self._peer)
        transport.set_protocol(cast("asyncio.BaseProtocol", connection))
        connection.adopt(transport, self._buffer)

    def _leave(self) -> None:
        self._transport = None
        self._hall.context.clients.discard(self)

    def _refuse(self, reason: str, detail: str) -> None:
        self._count(reason)
        if detail:
            log.info("a connection was closed: %s", detail)
        self.abort()

    def _count(self, reason: str) -> None:
        self._hall.context.counters.add(LISTENER_REFUSED, reason)


def _feed(transport: asyncio.Transport, data: bytes) -> None:
    protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
    while data and not transport.is_closing():
        buffer = memoryview(cast("bytearray", protocol.get_buffer(len(data))))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]


def open_entrance(
    entrance: Entrance,
    *,
    has_trusted: bool,
    count: Callable[[str], None] = lambda _result: None,
    kept: Pems | None = None,
) -> ListenerTls | None:
    """Check the options and read the certificate files; None for a listener without TLS.

    Files that cannot be used are replaced by what was `kept` of them.

    Raises:
        AddressError: the options do not fit each other, or (as TlsFileError) a
            certificate file cannot be used; the text says what is missing.
    """
    if entrance.proxy_protocol is not ProxyMode.OFF and not has_trusted:
        raise AddressError(
            "BANYAN_PROXY_PROXY_PROTOCOL needs the load balancers' addresses"
            " in BANYAN_PROXY_TRUSTED_PEERS"
        )
    if entrance.tls_certificate is None:
        for name, value in (("KEY", entrance.tls_key), ("CLIENT_CA", entrance.tls_client_ca)):
            if value is not None:
                raise AddressError(
                    f"BANYAN_PROXY_TLS_{name} needs BANYAN_PROXY_TLS_CERTIFICATE beside it"
                )
        return None
    return ListenerTls(
        Path(entrance.tls_certificate),
        _path(entrance.tls_key),
        _path(entrance.tls_client_ca),
        count=count,
        kept=kept,
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
