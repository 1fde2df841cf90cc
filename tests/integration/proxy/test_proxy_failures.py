"""Stores that are down, slow, lying or gone, and shoppers that leave or dawdle."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from loadtests.ports import free_port
from tests.integration.proxy.harness import (
    OK,
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

QUICK = {
    "BANYAN_PROXY_CONNECT_TIMEOUT_S": "0.5",
    "BANYAN_PROXY_FIRST_BYTE_TIMEOUT_S": "0.7",
    "BANYAN_PROXY_BODY_IDLE_TIMEOUT_S": "1",
    "BANYAN_PROXY_HEAD_TIMEOUT_S": "0.7",
    "BANYAN_PROXY_IDLE_TIMEOUT_S": "1",
    "BANYAN_PROXY_MAX_IN_FLIGHT": "2",
    "BANYAN_PROXY_MAX_BODY_BYTES": "1000",
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
POST = b"POST /basket/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(scope="module")
def _impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Origin]]:
    dead = f"http://127.0.0.1:{free_port()}"
    with origin() as store:
        text = routing(store.url, dead)
        with proxy(tmp_path_factory.mktemp("impatient"), text, env=QUICK) as running:
            yield running, store


@pytest.fixture
def store(_impatient: tuple[Proxy, Origin]) -> Origin:
    _impatient[1].reset()
    return _impatient[1]


@pytest.fixture
def impatient(_impatient: tuple[Proxy, Origin], store: Origin) -> Proxy:
    """A proxy with short deadlines and small bounds, before one store."""
    return _impatient[0]


def silent(connection: Connection) -> None:
    """Read a request and never answer."""
    connection.read_request()
    connection.read_until(b"never")


def test_a_store_that_is_down_is_a_502_that_names_the_request(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    with proxy(tmp_path_factory.mktemp("down"), routing(dead, dead)) as running:
        with Client(running) as client:
            first = client.ask(get("/api/products/1/", "X-Request-ID: abc"))
            second = client.ask(POST)
        errors = running.metric("banyan_upstream_errors_total", side="legacy", kind="connect")
        answers = running.metric("banyan_requests_total", status_class="5xx")

    problem = json.loads(first.body)
    assert (first.status, second.status) == (502, 502)
    assert (problem["status"], problem["request_id"]) == (502, "abc")
    assert first.value("content-type") == "application/problem+json"
    assert (errors, answers) == (2, 2)


def test_a_store_that_does_not_answer_is_a_504_and_loses_the_connection(
    impatient: Proxy, store: Origin
) -> None:
    store.reset(silent)
    started = time.monotonic()

    with Client(impatient) as client:
        answer = client.ask(get())
    took_s = time.monotonic() - started

    assert answer.status == 504
    assert took_s > 0.6
    assert store.ended.wait(5)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"half",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
    ids=["short", "no last chunk"],
)
def test_an_answer_that_breaks_off_is_never_made_to_look_whole(
    answer: bytes, impatient: Proxy, store: Origin
) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(answer)

    store.reset(script)

    with Client(impatient) as client:
        client.send(get())
        with pytest.raises(ConnectionResetError):
            client.read()


def test_an_endless_answer_that_is_reset_is_cut_off_too(impatient: Proxy, store: Origin) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nsome of it")
        time.sleep(0.2)
        linger = struct.pack("ii", 1, 0)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.sock.close()

    store.reset(script)

    with Client(impatient) as client:
        client.send(get())
        with pytest.raises(ConnectionResetError):
            client.read()


def test_an_answer_that_stalls_is_cut_off(impatient: Proxy, store: Origin) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(HEAD + b"half")
        connection.read_until(b"never")

    store.reset(script)

    with Client(impatient) as client:
        client.send(get())
        with pytest.raises(ConnectionResetError):
            client.read()
    assert store.ended.wait(5)


NONSENSE = {
    "no HTTP": b"220 mail.example ESMTP\r\n\r\n",
    "bad status": b"HTTP/1.1 20 OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and coding": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "other coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
    "folded": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "split": b"HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: c\r\nContent-Length: 0\r\n\r\n",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n0123456789",
    "unasked upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "broken chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"),
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000,
    "nothing": b"",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_from_a_store_is_a_502(name: str, impatient: Proxy, store: Origin) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(NONSENSE[name])

    store.reset(script)

    with Client(impatient) as client:
        answer = client.ask(get())

    assert answer.status == 502


def test_a_kept_connection_that_the_store_closed_costs_nobody_a_request(
    impatient: Proxy, store: Origin
) -> None:
    def script(connection: Connection) -> None:
        # Answers once; reads the next request and closes, as a store does whose idle
        # time ends in that moment.
        store.seen.append(connection.read_request())
        connection.send(OK)
        store.seen.append(connection.read_request())

    store.reset(script)

    with Client(impatient) as client:
        answers = [client.ask(get()) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert store.connections == 2


def test_a_request_that_cannot_be_sent_twice_is_sent_once(impatient: Proxy, store: Origin) -> None:
    def script(connection: Connection) -> None:
        store.seen.append(connection.read_request())
        connection.send(OK)
        store.seen.append(connection.read_request())

    store.reset(script)

    with Client(impatient) as client:
        first = client.ask(get())
        second = client.ask(POST)

    assert (first.status, second.status) == (200, 502)
    assert [seen.line for seen in store.seen] == [
        "GET /api/products/1/ HTTP/1.1",
        "POST /basket/ HTTP/1.1",
    ]


def test_a_connection_that_waited_long_carries_no_request_that_cannot_be_sent_twice(
    impatient: Proxy, store: Origin
) -> None:
    with Client(impatient) as client:
        client.ask(get())
    time.sleep(1.2)

    with Client(impatient) as client:
        answer = client.ask(POST)

    assert answer.status == 200
    assert store.connections == 2


def test_bytes_on_an_idle_connection_are_nobodys_answer(impatient: Proxy, store: Origin) -> None:
    planted = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(OK)
        time.sleep(0.1)
        connection.send(planted)
        connection.read_until(b"never")

    store.reset(script)

    with Client(impatient) as client:
        first = client.ask(get())
        time.sleep(0.3)
        second = client.ask(get())

    assert (first.body, second.body) == (b"ok", b"ok")
    assert store.connections == 2


def test_bytes_behind_an_answer_are_nobodys_answer(impatient: Proxy, store: Origin) -> None:
    planted = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send((OK if store.connections == 1 else chunked) + planted)
        connection.read_until(b"never")

    store.reset(script)

    with Client(impatient) as client:
        bodies = [client.ask(get()).body for _ in range(4)]

    assert bodies == [b"ok"] * 4
    assert store.connections == 4


def test_a_shopper_that_leaves_ends_the_stores_work(impatient: Proxy, store: Origin) -> None:
    got = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        got.set()
        connection.read_until(b"never")

    store.reset(script)
    before = impatient.metric("banyan_client_gone_total")

    with Client(impatient) as client:
        client.send(get())
        assert got.wait(5)

    assert store.ended.wait(0.6)  # well before the store's own deadline
    assert eventually(lambda: impatient.metric("banyan_client_gone_total") == before + 1)
    assert eventually(lambda: impatient.metric("banyan_in_flight") == 0)


def test_a_shopper_that_leaves_in_the_middle_of_an_upload_ends_it(
    impatient: Proxy, store: Origin
) -> None:
    store.reset(silent)

    with Client(impatient) as client:
        client.send(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nabc")
        assert eventually(lambda: store.connections == 1)

    assert store.ended.wait(5)


def test_more_than_the_bound_in_flight_is_a_503_that_says_when_to_come_back(
    impatient: Proxy, store: Origin
) -> None:
    store.reset(silent)
    clients = [Client(impatient) for _ in range(3)]
    try:
        for client in clients[:2]:
            client.send(get())
        assert eventually(lambda: store.connections == 2)
        refused = clients[2].ask(get())
        waited = [client.read().status for client in clients[:2]]
        store.reset()
        with Client(impatient) as another:
            after = another.ask(get())
    finally:
        for client in clients:
            client.sock.close()

    assert refused.status == 503
    assert refused.value("retry-after") == "1"
    assert waited == [504, 504]
    assert after.status == 200


def test_many_pipelined_refusals_are_a_loop_and_no_recursion(
    impatient: Proxy, store: Origin
) -> None:
    store.reset(silent)
    busy = [Client(impatient) for _ in range(2)]
    try:
        for client in busy:
            client.send(get())
        assert eventually(lambda: store.connections == 2)
        with Client(impatient) as client:
            threading.Thread(target=client.send, args=(get() * 3_000,)).start()
            statuses = {client.read().status for _ in range(1_000)}
    finally:
        for client in busy:
            client.sock.close()

    assert statuses == {503}


def test_a_head_that_dawdles_is_a_408(impatient: Proxy, store: Origin) -> None:
    with Client(impatient) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
        answer = client.read()
        is_closed = client.is_closed()

    assert answer.status == 408
    assert is_closed


def test_a_head_that_comes_drop_by_drop_does_not_get_more_time(
    impatient: Proxy, store: Origin
) -> None:
    started = time.monotonic()
    with Client(impatient) as client:
        client.send(b"GET / HTTP/1.1\r\n")
        client.sock.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() - started < 5:
            client.send(b"X-A: b\r\n")
            try:
                answer = client.sock.recv(100)
            except TimeoutError:
                continue

    assert answer.startswith(b"HTTP/1.1 408")


def test_an_idle_connection_is_closed_without_a_word(impatient: Proxy, store: Origin) -> None:
    with Client(impatient) as client:
        client.ask(get())
        said = client.rest()

    assert said == b""


def test_a_body_that_stops_is_a_408(impatient: Proxy, store: Origin) -> None:
    store.reset(silent)

    with Client(impatient) as client:
        client.send(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nabc")
        answer = client.read()

    assert answer.status == 408
    assert store.ended.wait(5)


def test_a_chunked_body_past_the_bound_is_a_413(impatient: Proxy, store: Origin) -> None:
    store.reset(silent)

    with Client(impatient) as client:
        client.send(b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"3e9\r\n" + b"x" * 1_001 + b"\r\n")
        answer = client.read()
        is_closed = client.is_closed()

    assert answer.status == 413
    assert is_closed
    assert store.seen == []


def test_an_answer_before_the_body_is_complete_is_passed_on_and_ends_the_connection(
    impatient: Proxy, store: Origin
) -> None:
    def script(connection: Connection) -> None:
        connection.read_until(b"\r\n\r\n")
        connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        connection.read_until(b"never")

    store.reset(script)

    with Client(impatient) as client:
        client.send(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nabc")
        answer = client.read()
        client.send(b"d" * 100)
        is_closed = client.is_closed()

    assert (answer.status, answer.body) == (403, b"no")
    assert answer.value("connection") == "close"
    assert is_closed
    assert store.ended.wait(5)


def test_a_shopper_that_does_not_read_is_let_go(impatient: Proxy, store: Origin) -> None:
    size = 64 * 1024 * 1024

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        connection.send(b"x" * size)

    store.reset(script)

    with Client(impatient) as client:
        client.send(get())
        ended = store.ended.wait(10)

    assert ended
    assert eventually(lambda: impatient.metric("banyan_in_flight") == 0)
