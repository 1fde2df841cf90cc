"""What comes before HTTP on the listener: PROXY headers, TLS, certificates that change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from typing_extensions import override

from proxy.core.address import AddressError, parse_networks
from proxy.core.entrance import Entrance
from proxy.core.hold import HoldLimits
from proxy.core.limits import CaptureLimits, Limits, Timeouts
from proxy.core.proxy_protocol import ProxyMode
from proxy.edge.capture import CaptureQueue
from proxy.edge.context import Context
from proxy.edge.counters import Counters
from proxy.edge.entry import EntryHall
from proxy.edge.hold import Holds
from proxy.edge.rules import RulesMaker
from proxy.edge.tasks import Tasks
from proxy.edge.tls import TlsFileError
from proxy.routing import RoutingTable
from proxy.storage import Account
from tests.integration.proxy.asked import on_uvloop, until
from tests.integration.proxy.certificates import LONG_AGO, Authority, Files
from tests.support.routing_tables import STORES

pytestmark = pytest.mark.integration

V1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 49152 443\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\xc0\x00\x01\xbb"


class Greeter(asyncio.Protocol):
    """Stands for a client's connection: says whom it was told it talks to, then echoes."""

    def __init__(self, peer: str | None, scheme: bytes) -> None:
        self._greeting = b"%s over %s: " % ((peer or "socket").encode(), scheme)
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.adopt(cast("asyncio.Transport", transport), b"")

    def adopt(self, transport: asyncio.Transport, pending: bytes) -> None:
        self._transport = transport
        transport.write(self._greeting)
        if pending:
            self.data_received(pending)

    @override
    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


class House:
    """An entry hall behind a listening socket."""

    def __init__(self, folder: Path, entrance: Entrance, trusted: str, **bounds: Any) -> None:
        loop = asyncio.get_running_loop()
        self.account = Account.create(folder / "account")
        counters = Counters(self.account)
        table = RoutingTable(revision="r", stores=STORES, domains=(), shopper=())
        self.context = Context(
            rules=RulesMaker(b"k" * 16, Limits(), loop.time).make(table),
            limits=Limits(clients=bounds.get("clients", 100)),
            timeouts=Timeouts(head_s=bounds.get("head_s", 5.0)),
            counters=counters,
            captures=CaptureQueue(CaptureLimits(), counters),
            tasks=Tasks(),
            now=loop.time,
            holds=Holds(HoldLimits(), loop.time, loop.call_later),
            trusted=parse_networks(trusted),
        )
        self.hall = EntryHall(entrance, self.context, Greeter)
        self.port = 0

    def refused(self, reason: str) -> int:
        return int(self.account.values[self.account.slot(f"listener_refused|{reason}")])

    async def connect(
        self, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = "127.0.0.1" if context else None
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname=name
        )


@contextlib.asynccontextmanager
async def house(
    folder: Path, entrance: Entrance, trusted: str = "127.0.0.0/8", **bounds: Any
) -> AsyncIterator[House]:
    subject = House(folder, entrance, trusted, **bounds)
    server = await asyncio.get_running_loop().create_server(subject.hall, "127.0.0.1", 0)
    subject.port = server.sockets[0].getsockname()[1]
    try:
        yield subject
    finally:
        server.close()
        for client in tuple(subject.context.clients):
            client.abort()
        await subject.context.tasks.cancel_all()
        await asyncio.sleep(0.01)
        subject.account.close()


async def said(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: bytes = b"hello"
) -> bytes:
    """What the house says up to `end`; the connection ends."""
    try:
        return await reader.readuntil(end)
    finally:
        writer.transport.abort()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the connection ends and nothing was said."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def in_house(
    folder: Path,
    entrance: Entrance,
    story: Callable[[House], Awaitable[None]],
    trusted: str = "127.0.0.0/8",
    **bounds: Any,
) -> None:
    async def run() -> None:
        async with house(folder, entrance, trusted, **bounds) as subject:
            await story(subject)

    on_uvloop(run())


def with_tls(files: Files, **more: Any) -> Entrance:
    return Entrance(tls_certificate=str(files.certificate), tls_key=str(files.key), **more)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_without_options_connections_go_straight_to_http(tmp_path: Path) -> None:
    async def story(subject: House) -> None:
        assert isinstance(subject.hall(), Greeter)
        reader, writer = await subject.connect()
        writer.write(b"hello")
        assert await said(reader, writer) == b"socket over http: hello"

    in_house(tmp_path, Entrance(), story, trusted="")


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("mode", [ProxyMode.TRUSTED, ProxyMode.REQUIRE])
@pytest.mark.parametrize("cut", [0, 1, 11, 20])
def test_a_proxy_header_names_the_client(
    tmp_path: Path, header: bytes, mode: ProxyMode, cut: int
) -> None:
    async def story(subject: House) -> None:
        reader, writer = await subject.connect()
        writer.write(header[:cut])
        await asyncio.sleep(0.01)
        writer.write(header[cut:] + b"hello")
        assert await said(reader, writer) == b"192.0.2.7 over http: hello"
        assert subject.context.clients == set()

    in_house(tmp_path, Entrance(proxy_protocol=mode), story)


def test_others_come_without_a_header_where_only_trusted_peers_send_one(tmp_path: Path) -> None:
    async def story(subject: House) -> None:
        reader, writer = await subject.connect()
        writer.write(V1 + b"hello")
        # Taken for what it is: the client's own bytes.
        assert await said(reader, writer) == b"socket over http: " + V1 + b"hello"

    in_house(tmp_path, Entrance(proxy_protocol=ProxyMode.TRUSTED), story, trusted="10.0.0.0/8")


def test_others_are_not_let_in_where_a_header_is_required(tmp_path: Path) -> None:
    async def story(subject: House) -> None:
        reader, writer = await subject.connect()
        writer.write(V1 + b"hello")
        assert await is_closed(reader)
        assert subject.refused("proxy_header") == 1
        writer.transport.abort()

    in_house(tmp_path, Entrance(proxy_protocol=ProxyMode.REQUIRE), story, trusted="10.0.0.0/8")


@pytest.mark.parametrize("mode", [ProxyMode.TRUSTED, ProxyMode.REQUIRE])
def test_who_does_not_begin_with_a_header_is_closed(tmp_path: Path, mode: ProxyMode) -> None:
    async def story(subject: House) -> None:
        reader, writer = await subject.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await is_closed(reader)
        assert subject.refused("proxy_header") == 1
        assert subject.context.clients == set()
        writer.transport.abort()

    in_house(tmp_path, Entrance(proxy_protocol=mode), story)


def test_a_header_that_does_not_come_is_not_waited_for_long(tmp_path: Path) -> None:
    async def story(subject: House) -> None:
        reader, writer = await subject.connect()
        writer.write(V2[:15])
        await until(lambda: bool(subject.context.clients))

        for client in tuple(subject.context.clients):
            client.sweep(subject.context.now() + 4.9)
            client.sweep(subject.context.now() + 5.1)

        assert await is_closed(reader)
        assert subject.refused("deadline") == 1
        writer.transport.abort()

    in_house(tmp_path, Entrance(proxy_protocol=ProxyMode.REQUIRE), story)


def test_too_many_newcomers_are_closed(tmp_path: Path) -> None:
    async def story(subject: House) -> None:
        connections = [await subject.connect() for _ in range(3)]
        assert await is_closed(connections[2][0])
        assert subject.refused("too_many") == 1
        for _, writer in connections:
            writer.transport.abort()

    in_house(tmp_path, Entrance(proxy_protocol=ProxyMode.REQUIRE), story, clients=2)


def test_the_listener_speaks_tls(tmp_path: Path, authority: Authority) -> None:
    async def story(subject: House) -> None:
        assert subject.hall.tls is not None
        assert subject.hall.tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
        reader, writer = await subject.connect(authority.client())
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(b"hello")
        assert await said(reader, writer) == b"socket over https: hello"

    in_house(tmp_path, with_tls(authority.issue("shop")), story, trusted="")


class Wrapped:
    """A TLS client whose bytes are sent by hand."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")

    def step(self) -> bool:
        """One step of the handshake; whether it is done."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("cut", [0, 5, 42, 60, 10_000])
def test_tls_comes_after_the_header_also_in_the_same_packet(
    tmp_path: Path, authority: Authority, header: bytes, cut: int
) -> None:
    async def story(subject: House) -> None:
        client = Wrapped(authority.client())
        assert not client.step()
        first = header + client.outgoing.read()
        reader, writer = await subject.connect()
        writer.write(first[:cut])
        await asyncio.sleep(0.01)
        writer.write(first[cut:])
        while not client.step():
            client.incoming.write(await reader.read(65_536))
        # The end of the handshake and the request come in one packet, too.
        client.tls.write(b"hello")
        writer.write(client.outgoing.read())
        got = b""
        while b"hello" not in got:
            client.incoming.write(await reader.read(65_536))
            with contextlib.suppress(ssl.SSLWantReadError):
                while True:
                    got += client.tls.read()
        assert got == b"192.0.2.7 over https: hello"
        writer.transport.abort()

    entrance = with_tls(authority.issue("shop"), proxy_protocol=ProxyMode.REQUIRE)
    in_house(tmp_path, entrance, story)


def test_plain_http_to_the_tls_port_is_closed(tmp_path: Path, authority: Authority) -> None:
    async def story(subject: House) -> None:
        reader, writer = await subject.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.read()
        await until(lambda: subject.refused("tls") == 1)
        assert subject.context.clients == set()
        writer.transport.abort()

    in_house(tmp_path, with_tls(authority.issue("shop")), story, trusted="")


def test_a_handshake_that_hangs_is_not_waited_for_long(
    tmp_path: Path, authority: Authority
) -> None:
    async def story(subject: House) -> None:
        reader, writer = await subject.connect()
        await until(lambda: bool(subject.context.clients))
        await until(lambda: subject.refused("tls") == 1)
        assert await is_closed(reader)
        assert subject.context.clients == set()
        writer.transport.abort()

    in_house(tmp_path, with_tls(authority.issue("shop")), story, trusted="", head_s=0.3)


def test_a_client_that_leaves_in_the_handshake_is_forgotten(
    tmp_path: Path, authority: Authority
) -> None:
    async def story(subject: House) -> None:
        _, writer = await subject.connect()
        await until(lambda: bool(subject.context.clients))
        writer.transport.abort()
        await until(lambda: not subject.context.clients)

    in_house(tmp_path, with_tls(authority.issue("shop")), story, trusted="")


def test_clients_must_show_a_certificate_where_one_is_demanded(
    tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path, "stranger")

    async def story(subject: House) -> None:
        known = authority.client(authority.issue("staff", "staff.example"))
        reader, writer = await subject.connect(known)
        writer.write(b"hello")
        assert await said(reader, writer) == b"socket over https: hello"

        for context in (
            authority.client(),
            authority.client(stranger.issue("spy", "staff.example")),
        ):
            with contextlib.suppress(ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
                reader, writer = await subject.connect(context)
                got = await said(reader, writer)
                pytest.fail(f"was let in: {got!r}")
        await until(lambda: subject.refused("tls") == 2)

    entrance = with_tls(authority.issue("shop"), tls_client_ca=str(authority.certificate))
    in_house(tmp_path, entrance, story, trusted="")


def touch(path: Path) -> None:
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 5 * 10**9))


async def shown(subject: House, authority: Authority) -> str:
    """Common name of the certificate that a new connection sees."""
    _, writer = await subject.connect(authority.client())
    found = dict(pair[0] for pair in writer.get_extra_info("peercert")["subject"])
    writer.transport.abort()
    return str(found["commonName"])


def test_a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    tmp_path: Path, authority: Authority
) -> None:
    files = authority.issue("shop")

    async def story(subject: House) -> None:
        assert await shown(subject, authority) == "shop"
        reader, writer = await subject.connect(authority.client())
        writer.write(b"before")
        assert await reader.readuntil(b"before")

        renewed = authority.issue("renewed")
        files.certificate.write_bytes(renewed.certificate.read_bytes())
        files.key.write_bytes(renewed.key.read_bytes())
        touch(files.certificate)
        subject.hall.tend()

        assert await shown(subject, authority) == "renewed"
        writer.write(b"after")
        assert await said(reader, writer, b"after") == b"after"

    in_house(tmp_path, with_tls(files), story, trusted="")


def test_connections_that_come_while_certificates_change_all_get_in(
    tmp_path: Path, authority: Authority
) -> None:
    files = authority.issue("shop")

    async def story(subject: House) -> None:
        is_over = asyncio.Event()

        async def keep_coming() -> int:
            served = 0
            while not is_over.is_set():
                reader, writer = await subject.connect(authority.client())
                writer.write(b"hello")
                assert (await said(reader, writer)).endswith(b"hello")
                served += 1
            return served

        async with asyncio.TaskGroup() as group:
            clients = [group.create_task(keep_coming()) for _ in range(4)]
            for _ in range(10):
                authority.issue("shop")
                touch(files.certificate)
                subject.hall.tend()
                await asyncio.sleep(0.02)
            is_over.set()
        assert sum(client.result() for client in clients) >= 4
        assert subject.refused("tls") == 0

    in_house(tmp_path, with_tls(files), story, trusted="")


def test_a_key_that_does_not_fit_leaves_the_old_certificate_in_force(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    files = authority.issue("shop")

    async def story(subject: House) -> None:
        files.key.write_bytes(authority.issue("other").key.read_bytes())
        touch(files.key)

        subject.hall.tend()
        subject.hall.tend()

        assert await shown(subject, authority) == "shop"
        told = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
        assert len(told) == 1
        assert "keeps its last good certificate: BANYAN_PROXY_TLS_KEY" in told[0]
        assert "does not belong to the certificate" in told[0]

    in_house(tmp_path, with_tls(files), story, trusted="")


@pytest.mark.parametrize(
    ("ends", "words"), [(LONG_AGO.replace(year=2002), "has expired"), (None, None)]
)
def test_an_expired_certificate_is_used_and_told(
    tmp_path: Path,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    ends: Any,
    words: str | None,
) -> None:
    async def story(subject: House) -> None:
        assert subject.hall.tls is not None

    in_house(tmp_path, with_tls(authority.issue("shop", ends=ends)), story, trusted="")

    assert [words in r.getMessage() for r in caplog.records if words] == [True] * bool(words)
    assert bool(caplog.records) is bool(words)


def test_options_that_do_not_fit_each_other_are_refused(
    tmp_path: Path, authority: Authority
) -> None:
    files = authority.issue("shop")
    cases = [
        (Entrance(tls_key=str(files.key)), "TLS_KEY needs BANYAN_PROXY_TLS_CERTIFICATE"),
        (Entrance(tls_client_ca="ca.pem"), "TLS_CLIENT_CA needs BANYAN_PROXY_TLS_CERTIFICATE"),
        (Entrance(proxy_protocol=ProxyMode.REQUIRE), "in BANYAN_PROXY_TRUSTED_PEERS"),
        (Entrance(tls_certificate=str(tmp_path / "none.pem")), "none.pem: No such file"),
        (Entrance(tls_certificate=str(files.certificate)), "holds no PEM private key"),
    ]

    async def nothing(_subject: House) -> None:
        pytest.fail("nobody gets in")

    for number, (entrance, problem) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(AddressError, match=problem):
            in_house(folder, entrance, nothing, trusted="")

    assert issubclass(TlsFileError, AddressError)
