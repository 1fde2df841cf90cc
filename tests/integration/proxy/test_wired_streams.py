"""Trailers, early and interim answers, old versions, events, retries and total times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.proxy.harness import (
    OK,
    Client,
    Connection,
    Origin,
    Proxy,
    Script,
    eventually,
    get,
    origin,
    proxy,
)
from tests.integration.proxy.test_operation_hold import lever, waiting

pytestmark = pytest.mark.integration
TABLE = """
apiVersion: banyan/v1
stores:
  legacy: {{url: "{legacy}"{more}}}
  core: {{url: "{core}"}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: a
    stage: {stage}
    routes: [{{path: "/x/", methods: [GET, POST, PUT]}}]
"""
CHUNKED = get("/x/", "Transfer-Encoding: chunked", "TE: trailers", "Connection: TE").replace(
    b"GET", b"POST", 1
)


def table(legacy: Origin, core: Origin, stage: str = "legacy", more: str = "") -> str:
    more = f", {more}" if more else ""
    return TABLE.format(legacy=legacy.url, core=core.url, stage=stage, more=more)


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Origin, Origin]]:
    with origin() as legacy, origin() as core:
        env = {"BANYAN_PROXY_BODY_IDLE_TIMEOUT_S": "3", "BANYAN_PROXY_FIRST_BYTE_TIMEOUT_S": "3"}
        folder = tmp_path_factory.mktemp("streams")
        with proxy(folder, table(legacy, core), env=env) as running:
            yield running, legacy, core


@pytest.fixture
def store(_running: tuple[Proxy, Origin, Origin]) -> Origin:
    _, legacy, core = _running
    legacy.reset()
    core.reset()
    return legacy


@pytest.fixture
def wired(_running: tuple[Proxy, Origin, Origin], store: Origin) -> Proxy:
    del store
    return _running[0]


def raw(seen: list[bytes], answer: bytes, mark: bytes) -> Script:
    """A store that keeps the bytes of one request, up to a mark."""

    def script(connection: Connection) -> None:
        seen.append(connection.read_until(mark))
        connection.send(answer)
        connection.is_ended()

    return script


# Trailers.


def test_trailers_pass_in_both_directions(wired: Proxy, store: Origin) -> None:
    seen: list[bytes] = []
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"2\r\nok\r\n0\r\nX-Sum: 9\r\nContent-Length: 5\r\n\r\n"
    )
    store.reset(raw(seen, answer, b"0\r\nX-Digest: 1\r\n\r\n"))
    with Client(wired) as client:
        client.send(CHUNKED + b"3\r\nabc\r\n0\r\nX-Digest: 1\r\nHost: evil\r\n\r\n")
        head = client.read_head()
        body = client.read_head()

    assert b"te: trailers" in seen[0].lower()
    assert seen[0].endswith(b"3\r\nabc\r\n0\r\nX-Digest: 1\r\n\r\n")
    assert b"Trailer: X-Sum" in head
    assert body == b"2\r\nok\r\n0\r\nX-Sum: 9\r\n\r\n"


def test_a_client_that_takes_no_trailers_gets_none(wired: Proxy, store: Origin) -> None:
    chunks = b"2\r\nok\r\n0\r\nX-Sum: 9\r\n\r\n"
    store.reset(store.answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    with Client(wired) as client:
        client.send(get("/x/"))
        client.read_head()
        body = client.read_head()
        again = client.ask(get("/x/"))

    assert body == b"2\r\nok\r\n0\r\n\r\n"
    assert again.status == 200


def test_a_trailer_that_is_no_field_is_a_400_and_no_end_for_the_store(
    wired: Proxy, store: Origin
) -> None:
    seen: list[bytes] = []
    store.reset(raw(seen, b"", b"abc\r\n"))
    with Client(wired) as client:
        client.send(CHUNKED + b"3\r\nabc\r\n")
        assert eventually(lambda: len(seen) == 1)
        client.send(b"0\r\nno colon\r\n\r\n")
        answer = client.read()
        closed = client.is_closed()

    assert (answer.status, closed) == (400, True)
    assert store.ended.wait(5)


# Early answers and expectations.


def test_an_early_413_reaches_a_client_that_is_still_sending(wired: Proxy, store: Origin) -> None:
    def script(connection: Connection) -> None:
        connection.read_until(b"\r\n\r\n")
        connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        connection.is_ended()

    store.reset(script)
    before = wired.metric("banyan_early_answers_total", side="legacy")
    with Client(wired) as client:
        client.send(get("/x/", "Content-Length: 1000000").replace(b"GET", b"POST", 1) + b"x" * 9)
        answer = client.read()
        closed = client.is_closed()

    assert (answer.status, answer.body) == (413, b"big")
    assert answer.value("connection") == "close"
    assert closed
    assert store.ended.wait(5)
    assert wired.metric("banyan_early_answers_total", side="legacy") == before + 1


EXPECTS = get("/x/", "Expect: 100-continue", "Content-Length: 3").replace(b"GET", b"POST", 1)


def test_a_stores_100_lets_the_client_send(wired: Proxy, store: Origin) -> None:
    def script(connection: Connection) -> None:
        head = connection.read_until(b"\r\n\r\n")
        assert b"100-continue" in head
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.read_exactly(3) == b"abc"
        connection.send(OK)

    store.reset(script)
    with Client(wired) as client:
        client.send(EXPECTS)
        interim = client.read_head()
        client.send(b"abc")
        answer = client.read()

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.status == 200


def test_a_stores_417_reaches_the_client_and_no_body_is_waited_for(
    wired: Proxy, store: Origin
) -> None:
    def script(connection: Connection) -> None:
        connection.read_until(b"\r\n\r\n")
        connection.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        connection.is_ended()

    store.reset(script)
    with Client(wired) as client:
        client.send(EXPECTS)
        answer = client.read()
        closed = client.is_closed()

    assert answer.status == 417
    assert closed


def test_a_client_that_is_not_asked_may_send_all_the_same(wired: Proxy, store: Origin) -> None:
    with Client(wired) as client:
        client.send(EXPECTS)
        assert eventually(lambda: store.connections == 1)
        client.send(b"abc")
        answer = client.read()

    assert answer.status == 200
    assert store.seen[0].body == b"abc"


def test_early_hints_lose_what_concerns_one_connection(wired: Proxy, store: Origin) -> None:
    hints = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nKeep-Alive: timeout=5\r\n"
        b"Connection: X-Hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    store.reset(store.answering(hints * 2 + OK))
    with Client(wired) as client:
        client.send(get("/x/"))
        heads = [client.read_head(), client.read_head()]
        answer = client.read()

    link = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    assert heads == [link] * 2
    assert (answer.status, answer.body) == (200, b"ok")


def test_too_many_interim_answers_are_a_502(wired: Proxy, store: Origin) -> None:
    store.reset(store.answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1_000 + OK))
    with Client(wired) as client:
        assert client.ask(get("/x/")).status == 502


# Old versions.


def test_an_old_client_gets_no_interim_answer_and_no_chunks(wired: Proxy, store: Origin) -> None:
    answer = (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n"
    )
    store.reset(store.answering(answer))
    with Client(wired) as client:
        client.send(b"GET /x/ HTTP/1.0\r\n\r\n")
        head = client.read_head()
        rest = client.rest()

    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"chunked" not in head
    assert rest == b"ok"


def test_an_old_store_ends_its_answer_by_closing(wired: Proxy, store: Origin) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")

    store.reset(script)
    with Client(wired) as client:
        answers = [client.ask(get("/x/")), client.ask(get("/x/"))]

    assert [answer.body for answer in answers] == [b"until the end"] * 2
    assert store.connections == 2


# Events.


def test_an_event_arrives_before_the_next_is_sent(wired: Proxy, store: Origin) -> None:
    got = threading.Semaphore(0)

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for n in range(3):
            connection.send(b"data: %d\n\n" % n)
            assert got.acquire(timeout=5)

    store.reset(script)
    with Client(wired) as client:
        client.send(get("/x/"))
        client.read_head()
        for n in range(3):
            event = client._connection.read_until(b"data: %d\n\n" % n)
            assert event
            got.release()


# Retries.


def once_and_gone(times: list[int]) -> Script:
    """Answer one request, and close a kept connection with the second."""

    def script(connection: Connection) -> None:
        connection.read_request()
        times.append(1)
        connection.send(OK)
        connection.read_request()
        times.append(2)

    return script


@pytest.mark.parametrize(("method", "status", "sent"), [("GET", 200, 3), ("POST", 502, 2)])
def test_a_kept_connection_that_ends_is_replaced_once_and_only_for_reads(
    wired: Proxy, store: Origin, method: str, status: int, sent: int
) -> None:
    times: list[int] = []
    store.reset(once_and_gone(times))
    before = wired.metric("banyan_upstream_retries_total")
    with Client(wired) as client:
        assert client.ask(get("/x/")).status == 200
        second = get("/x/", "Content-Length: 1").replace(b"GET", b"POST", 1) + b"x"
        answer = client.ask(get("/x/") if method == "GET" else second)

    assert answer.status == status
    assert len(times) == sent
    assert wired.metric("banyan_upstream_retries_total") == before + (method == "GET")


# Total times.


def test_an_answer_without_end_is_cut_when_the_total_time_is_over(tmp_path: Path) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while not connection.is_ended(0.05):
            connection.send(b"data: x\n\n")

    with origin() as legacy, origin() as core:
        legacy.reset(script)
        text = table(legacy, core, more="timeouts: {total: 700ms}")
        with proxy(tmp_path / "total", text) as running, Client(running) as client:
            client.send(get("/x/"))
            head = client.read_head()
            with pytest.raises(ConnectionResetError):
                client.rest()
            assert legacy.ended.wait(5)
            back = eventually(
                lambda: running.metric("banyan_upstream_in_flight", side="legacy") == 0
            )

    assert head.startswith(b"HTTP/1.1 200 ")
    assert back


# Holds.


@pytest.mark.parametrize("size", [10, 60_000, 3_000_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_held_body_of_any_size_goes_to_the_other_side(
    tmp_path: Path, size: int, *, is_chunked: bool
) -> None:
    body = bytes(n % 251 for n in range(size))
    how = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {size}"
    data = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body) if is_chunked else body
    with origin() as legacy, origin() as core, proxy(tmp_path / "p", table(legacy, core)) as shop:
        assert lever(shop, "/hold", domain="catalog", **{"for": "20s"})[0] == 200
        with Client(shop) as client:
            client.send(get("/x/", how).replace(b"GET", b"POST", 1))
            sending = threading.Thread(target=client.send, args=(data,))
            sending.start()
            assert eventually(lambda: waiting(shop) == 1)
            before = shop.door_json("/readyz")["revision"]
            shop.config.write_text(table(legacy, core, "core"))
            assert eventually(lambda: shop.door_json("/readyz")["revision"] not in (before, None))
            nothing_sent = not legacy.seen and not core.seen
            lever(shop, "/release", domain="catalog")
            answer = client.read()
            sending.join(10)

        assert nothing_sent
        assert answer.value("x-served-by") == "core"
        assert [seen.body for seen in core.seen] == [body]
        assert legacy.seen == []


def test_a_held_body_that_breaks_is_refused_and_never_sent(tmp_path: Path) -> None:
    with origin() as legacy, origin() as core, proxy(tmp_path / "p", table(legacy, core)) as shop:
        lever(shop, "/hold", domain="catalog", **{"for": "20s"})
        head = get("/x/", "Transfer-Encoding: chunked").replace(b"GET", b"POST", 1)
        with Client(shop) as client:
            answer = client.ask(head + b"3\r\nabc\r\nno size\r\n")
            left = waiting(shop)
            lever(shop, "/release", domain="catalog")
            rest = client.rest()

        assert answer.status == 400
        assert left == 0
        assert rest == b""
        assert legacy.connections == 0
