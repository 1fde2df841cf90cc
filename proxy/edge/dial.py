"""Makes connections to one store: name lookup, the race between its addresses, TLS."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from itertools import chain, zip_longest
from typing import TypeVar, cast

from proxy.core.address import StoreAddress
from proxy.errors import ProxyError

log = logging.getLogger(__name__)

Resolve = Callable[[str, int], Awaitable[list[str]]]
# Implements asyncio's Protocol, but need not be one by name.
ProtocolT = TypeVar("ProtocolT")

# How long an address may take before the next one is tried beside it (RFC 8305, 5).
_STAGGER_S = 0.25
_MAX_ADDRESSES = 8
_FRESH_S = 5.0
# With addresses of an earlier lookup at hand, a slow resolver is not waited for longer.
_LOOKUP_S = 0.5


class DialError(ProxyError):
    """No connection was made; nothing was sent.

    Attributes:
        reason: "refused", "lookup", "tls" or "other", for metrics.
    """

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


class Dialer:
    """Dials one host and port. Belongs to the event loop.

    A name's addresses are kept for five seconds; when the resolver fails or is slow, the
    last ones it gave are used. Of several addresses the first that takes the connection
    wins and is tried first from then on.
    """

    def __init__(
        self,
        address: StoreAddress,
        context: ssl.SSLContext | None = None,
        *,
        server_name: str | None = None,
        problem: str | None = None,
        resolve: Resolve | None = None,
        receive_bytes: int | None = None,
    ) -> None:
        """Prepare.

        Args:
            address: of the store.
            context: for https.
            server_name: name in the store's certificate; None takes the URL's host.
            problem: why no connection can be made, such as a certificate file that
                cannot be read; each dial fails with it.
            resolve: None asks the system.
            receive_bytes: how much the kernel may take before it is read; None lets it
                choose, which is megabytes where a store sends fast.
        """
        self._host, self._port = address.host, address.port
        self._context = context
        self._server_name = (server_name or address.host) if context else None
        self._problem = problem
        self._resolve = resolve or _ask_system
        self._receive_bytes = receive_bytes
        self._addresses: tuple[str, ...] = (address.host,) if _is_literal(address.host) else ()
        self._is_fixed = bool(self._addresses)
        self._fresh_until_s = 0.0
        self._lookup: asyncio.Task[None] | None = None
        self._lookup_problem = ""

    async def dial(self, factory: Callable[[], ProtocolT]) -> ProtocolT:
        """Connect. Deadlines are the caller's: cancel it.

        Raises:
            DialError: no address took the connection.
        """
        if self._problem is not None:
            raise DialError("tls", self._problem)
        if not self._is_fixed:
            await self._look_up()
        addresses = self._addresses
        if not addresses:
            raise DialError("lookup", self._lookup_problem)
        if len(addresses) == 1:
            return (await self._attempt(addresses[0], factory))[1]
        return await self._race(addresses, factory)

    async def _look_up(self) -> None:
        if asyncio.get_running_loop().time() < self._fresh_until_s:
            return
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.get_running_loop().create_task(self._refresh())
        # One lookup serves all who wait; it goes on when one of them gives up.
        await asyncio.wait((self._lookup,), timeout=_LOOKUP_S if self._addresses else None)

    async def _refresh(self) -> None:
        try:
            found = await self._resolve(self._host, self._port)
        except (OSError, UnicodeError) as exc:
            problem = getattr(exc, "strerror", None) or str(exc)
            self._lookup_problem = f"no address for {self._host}: {problem}"
            if self._addresses:
                log.warning("%s; its last addresses are used", self._lookup_problem)
            return
        fresh = _alternating(found)[:_MAX_ADDRESSES]
        first = self._addresses[:1]
        # The one that worked last stays in front, as long as the name still stands for it.
        self._addresses = tuple(sorted(fresh, key=lambda address: address not in first))
        self._fresh_until_s = asyncio.get_running_loop().time() + _FRESH_S

    async def _race(
        self, addresses: tuple[str, ...], factory: Callable[[], ProtocolT]
    ) -> ProtocolT:
        loop = asyncio.get_running_loop()
        left = list(addresses)
        running: set[asyncio.Task[tuple[asyncio.BaseTransport, ProtocolT]]] = set()
        problem: DialError | None = None
        try:
            while left or running:
                if left:
                    running.add(loop.create_task(self._attempt(left.pop(0), factory)))
                done, running = await asyncio.wait(
                    running,
                    timeout=_STAGGER_S if left else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                won = next((task for task in done if task.exception() is None), None)
                if won is not None:
                    running |= done - {won}
                    return won.result()[1]
                for task in done:
                    error = task.exception()
                    if isinstance(error, DialError):
                        problem = problem or error
                    else:
                        task.result()  # a defect; let it be seen
        finally:
            for task in running:
                _give_up(task)
        assert problem is not None  # noqa: S101 - no address won, so the first one failed
        raise problem

    async def _attempt(
        self, address: str, factory: Callable[[], ProtocolT]
    ) -> tuple[asyncio.BaseTransport, ProtocolT]:
        loop = asyncio.get_running_loop()
        try:
            made = await loop.create_connection(
                cast("Callable[[], asyncio.BaseProtocol]", factory),
                address,
                self._port,
                ssl=self._context,
                server_hostname=self._server_name,
            )
        except OSError as exc:
            raise self._told(exc) from exc
        if not self._is_fixed and self._addresses[:1] != (address,):
            others = (other for other in self._addresses if other != address)
            self._addresses = (address, *others)
        transport, protocol = made
        if self._receive_bytes is not None:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        return transport, cast("ProtocolT", protocol)

    def _told(self, exc: OSError) -> DialError:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return DialError("tls", f"its certificate is not accepted: {exc.verify_message}")
        if isinstance(exc, ssl.SSLError):
            reason = (exc.reason or str(exc)).replace("_", " ").lower()
            hint = ", so that port may not speak TLS" if "wrong version" in reason else ""
            return DialError("tls", f"the TLS handshake failed: {reason}{hint}")
        if isinstance(exc, ConnectionRefusedError):
            return DialError("refused", exc.strerror or "Connection refused")
        if self._context is not None and isinstance(exc, ConnectionError):
            return DialError("tls", "the connection ended during the TLS handshake")
        return DialError("other", exc.strerror or str(exc) or "no connection")


async def _ask_system(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _alternating(addresses: list[str]) -> list[str]:
    """The resolver's order, but with the two families in turn (RFC 8305, 4)."""
    unique = list(dict.fromkeys(addresses))
    is_first_v6 = ":" in unique[0]
    same = [address for address in unique if (":" in address) is is_first_v6]
    others = [address for address in unique if (":" in address) is not is_first_v6]
    pairs = chain.from_iterable(zip_longest(same, others))
    return [address for address in pairs if address is not None]


def _give_up(task: asyncio.Task[tuple[asyncio.BaseTransport, ProtocolT]]) -> None:
    """Cancel an attempt; when it comes through all the same, close what it made."""
    task.cancel()
    task.add_done_callback(_close)


def _close(task: asyncio.Task[tuple[asyncio.BaseTransport, ProtocolT]]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result()[0].close()
