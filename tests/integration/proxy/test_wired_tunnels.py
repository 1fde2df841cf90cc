"""Connections that change to another protocol, through a whole proxy."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from tests.integration.proxy.harness import (
    Client,
    Connection,
    Origin,
    Proxy,
    eventually,
    get,
    origin,
    proxy,
    routing,
)

pytestmark = pytest.mark.integration
UPGRADE = get("/api/products/1/", "Connection: Upgrade", "Upgrade: websocket")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
Handle = Callable[[ServerConnection], None]


@contextlib.contextmanager
def websocket_store(handle: Handle) -> Iterator[str]:
    with serve(handle, "127.0.0.1", 0, max_size=None, compression=None) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            serving.join(10)


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


def send_all(socket: ClientConnection, messages: list[bytes]) -> None:
    for message in messages:
        socket.send(message)


def opened(shop: Proxy) -> ClientConnection:
    url = f"ws://127.0.0.1:{shop.port}/api/products/1/"
    return connect(url, max_size=None, compression=None, proxy=None)


@pytest.fixture(scope="module")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with (
        websocket_store(echo) as url,
        proxy(tmp_path_factory.mktemp("echo"), routing(url, url)) as shop,
    ):
        yield shop


def test_messages_come_back_as_they_went(echoing: Proxy) -> None:
    before = echoing.metric("banyan_upgrades_total", domain="catalog")
    with opened(echoing) as socket:
        for message in ("hello", b"\x00\xff", "", "ü" * 1_000):
            socket.send(message)
            assert socket.recv(10) == message

    assert echoing.metric("banyan_upgrades_total", domain="catalog") == before + 1


def test_large_messages_pass_in_both_directions_though_nobody_reads_for_a_while(
    echoing: Proxy,
) -> None:
    # The client writes all before it reads anything: the store's echoes fill every buffer
    # on the way back, and then those on the way there.
    messages = [bytes([n]) * (2 << 20) for n in range(8)]
    with opened(echoing) as socket:
        sending = threading.Thread(target=send_all, args=(socket, messages))
        sending.start()
        got = [socket.recv(30) for _ in messages]
        sending.join(30)

    assert got == messages


def test_many_tunnels_at_the_same_time_stay_apart(echoing: Proxy) -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(opened(echoing)) for _ in range(10)]
        for n, socket in enumerate(sockets):
            socket.send(f"tunnel {n}")
        assert [socket.recv(10) for socket in sockets] == [f"tunnel {n}" for n in range(10)]


def test_the_stores_code_of_closing_reaches_the_client(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.recv()
        connection.close(4_001, "enough")

    with (
        websocket_store(handle) as url,
        proxy(tmp_path_factory.mktemp("closing"), routing(url, url)) as shop,
    ):
        with opened(shop) as socket:
            socket.send("x")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(10)
        ended = eventually(lambda: shop.metric("banyan_requests_total", status_class="1xx") == 1)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4_001, "enough")
    assert ended


def test_the_clients_code_of_closing_reaches_the_store(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    codes: list[int] = []
    told = threading.Event()

    def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            connection.recv()
        codes.append(connection.close_code or 0)
        told.set()

    with (
        websocket_store(handle) as url,
        proxy(tmp_path_factory.mktemp("closed"), routing(url, url)) as shop,
    ):
        with opened(shop) as socket:
            socket.close(4_002, "bye")
        assert told.wait(10)

    assert codes == [4_002]


def test_an_upgrade_that_the_store_declines_leaves_an_ordinary_connection(
    shop: Proxy, legacy: Origin
) -> None:
    with Client(shop) as client:
        first = client.ask(UPGRADE)
        second = client.ask(get())

    assert (first.status, second.status) == (200, 200)
    assert legacy.seen[0].values("upgrade") == ["websocket"]
    assert legacy.seen[1].values("upgrade") == []


def test_a_change_that_nobody_asked_for_is_a_502(shop: Proxy, legacy: Origin) -> None:
    legacy.reset(legacy.answering(SWITCH))
    with Client(shop) as client:
        client.send(get())
        head = client.read_head()

    assert head.startswith(b"HTTP/1.1 502 ")


def test_bytes_right_behind_both_heads_are_the_tunnels(shop: Proxy, legacy: Origin) -> None:
    got: list[bytes] = []

    def script(connection: Connection) -> None:
        connection.read_until(b"\r\n\r\n")
        connection.send(SWITCH + b"from the store;")
        got.append(connection.read_until(b";"))
        connection.send(b"bye;")

    legacy.reset(script)
    with Client(shop) as client:
        client.send(UPGRADE + b"from the client;")
        head = client.read_head()
        rest = client.rest()

    assert head.startswith(b"HTTP/1.1 101 ")
    assert rest == b"from the store;bye;"
    assert got == [b"from the client;"]


def test_legacy_does_not_take_over_a_tunnel_that_began(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def script(connection: Connection) -> None:
        connection.read_until(b"\r\n\r\n")
        connection.send(SWITCH + b"one;")

    with origin() as old, origin() as new:
        new.reset(script)
        text = routing(old.url, new.url, "core")
        text = text.replace("stage: core", "stage: core\n    fallback: legacy")
        with proxy(tmp_path_factory.mktemp("tunnel"), text) as shop, Client(shop) as client:
            client.send(UPGRADE)
            head = client.read_head()
            rest = client.rest()
            fallbacks = shop.metric("banyan_fallback_total")

        assert head.startswith(b"HTTP/1.1 101 ")
        assert rest == b"one;"
        assert fallbacks == 0
        assert old.connections == 0
