"""What could be read in two ways is refused, and not a byte of it reaches a store."""

from __future__ import annotations

import json
import time

import pytest

from tests.integration.proxy.harness import (
    OK,
    Client,
    Connection,
    Origin,
    Proxy,
    Seen,
    eventually,
    get,
)

pytestmark = pytest.mark.integration

LINE = b"GET /api/products/1/ HTTP/1.1\r\n"
HOST = b"Host: shop.example\r\n"
POST = b"POST /basket/ HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSED = {
    "content-length with transfer-encoding": (
        400, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "transfer-encoding with content-length": (
        400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    "different content-lengths": (
        400, POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    "equal content-lengths": (
        400, POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    "content-length list": (400, POST + b"Content-Length: 5, 5\r\n\r\nhello"),
    "signed content-length": (400, POST + b"Content-Length: +5\r\n\r\nhello"),
    "negative content-length": (400, POST + b"Content-Length: -5\r\n\r\nhello"),
    "empty content-length": (400, POST + b"Content-Length: \r\n\r\n"),
    "content-length with underscore": (400, POST + b"Content-Length: 1_0\r\n\r\nhello"),
    "hexadecimal content-length": (400, POST + b"Content-Length: 0x5\r\n\r\nhello"),
    "huge content-length": (400, POST + b"Content-Length: 99999999999999999999\r\n\r\n"),
    "folded transfer-encoding": (
        400, POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "coding after chunked": (
        400, POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "two transfer-encodings": (
        400, POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    "misspelt chunked": (400, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked with control": (
        400, POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "coding before chunked": (
        501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "transfer-encoding on 1.0": (
        400, b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "obsolete folding": (400, LINE + HOST + b"X-A: one\r\n two\r\n\r\n"),
    "folding by tab": (400, LINE + HOST + b"X-A: one\r\n\ttwo\r\n\r\n"),
    "space before colon": (400, LINE + HOST + b"Content-Length : 5\r\n\r\nhello"),
    "tab before colon": (400, LINE + HOST + b"X-A\t: 1\r\n\r\n"),
    "space before the first name": (400, LINE + b" " + HOST + b"\r\n"),
    "bare CR in a value": (400, LINE + HOST + b"X-A: one\rX-B: two\r\n\r\n"),
    "bare LF between fields": (400, LINE + HOST + b"X-A: one\nX-B: two\r\n\r\n"),
    "bare LF head": (400, b"GET / HTTP/1.1\nHost: x\n\n"),
    "NUL in a value": (400, LINE + HOST + b"X-A: o\x00ne\r\n\r\n"),
    "NUL in a name": (400, LINE + HOST + b"X\x00A: one\r\n\r\n"),
    "delete in a value": (400, LINE + HOST + b"X-A: o\x7fne\r\n\r\n"),
    "no name": (400, LINE + HOST + b": one\r\n\r\n"),
    "no colon": (400, LINE + HOST + b"X-A\r\n\r\n"),
    "high byte in a name": (400, LINE + HOST + b"X-\xc4: one\r\n\r\n"),
    "bracket in a name": (400, LINE + HOST + b"X(A): one\r\n\r\n"),
    "no host": (400, LINE + b"\r\n"),
    "two hosts": (400, LINE + HOST + b"host: other.example\r\n\r\n"),
    "two equal hosts": (400, LINE + HOST + HOST + b"\r\n"),
    "host list": (400, LINE + b"Host: a.example, b.example\r\n\r\n"),
    "host with path": (400, LINE + b"Host: a.example/x\r\n\r\n"),
    "host with user": (400, LINE + b"Host: a@b.example\r\n\r\n"),
    "empty host": (400, LINE + b"Host: \r\n\r\n"),
    "other host in target": (
        400, b"GET http://other.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "user in target": (400, b"GET http://u@shop.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "fragment in target": (400, b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target without slash": (400, b"GET api HTTP/1.1\r\n" + HOST + b"\r\n"),
    "asterisk for GET": (400, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "two spaces in line": (400, b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "space in target": (400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "tab in line": (400, b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no version": (400, b"GET /\r\n" + HOST + b"\r\n"),
    "lower-case version": (400, b"GET / http/1.1\r\n" + HOST + b"\r\n"),
    "control in target": (400, b"GET /a\x01b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.2": (505, b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "lower-case method": (501, b"get / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "connect": (501, b"CONNECT shop.example:443 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "other expectation": (417, POST + b"Expect: a-miracle\r\nContent-Length: 1\r\n\r\nx"),
    "target too long": (414, b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "endless target": (414, b"GET /" + b"a" * 9_000),
    "head too large": (431, LINE + HOST + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n"),
    "endless head": (431, LINE + HOST + b"X-A: b\r\n" * 9_000),
    "too many fields": (431, LINE + HOST + b"X-A: b\r\n" * 150 + b"\r\n"),
    "body too large": (413, POST + b"Content-Length: 1073741825\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_heads_are_refused_and_nothing_is_forwarded(
    name: str, shop: Proxy, legacy: Origin, core: Origin
) -> None:
    status, request = REFUSED[name]

    with Client(shop) as client:
        client.send(request + SMUGGLED)
        answer = client.read()
        is_closed = client.is_closed()

    assert answer.status == status
    assert answer.value("connection") == "close"
    assert answer.value("content-type") == "application/problem+json"
    assert json.loads(answer.body)["request_id"] == answer.value("x-request-id")
    assert is_closed
    assert legacy.seen == []
    assert core.seen == []


BROKEN_CHUNKS = {
    "no hexadecimal size": b"xyz\r\n",
    "negative size": b"-1\r\nabc\r\n",
    "prefixed size": b"0x5\r\nhello\r\n0\r\n\r\n",
    "overlong size": b"1" * 20 + b"\r\n",
    "chunk longer than its size": b"3\r\nhello\r\n0\r\n\r\n",
    "bare LF behind a size": b"5\nhello\r\n0\r\n\r\n",
    "bare LF behind a chunk": b"5\r\nhello\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "endless extension": b"5;" + b"a" * 6_000,
    "endless trailer": b"0\r\n" + b"X-A: b\r\n" * 3_000,
}


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_a_chunked_body_that_breaks_its_framing_ends_both_connections(
    name: str, shop: Proxy, legacy: Origin
) -> None:
    heads: list[bytes] = []

    def script(connection: Connection) -> None:
        heads.append(connection.read_until(b"\r\n\r\n"))
        connection.read_until(b"0\r\n\r\n")
        legacy.seen.append(Seen(heads[-1], b""))

    legacy.reset(script)

    with Client(shop) as client:
        client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        assert eventually(lambda: len(heads) == 1)
        client.send(BROKEN_CHUNKS[name] + SMUGGLED)
        answer = client.read()
        is_closed = client.is_closed()

    assert answer.status == 400
    assert is_closed
    assert legacy.ended.wait(5)
    assert legacy.seen == []


def test_a_smuggled_request_in_a_body_stays_a_body(shop: Proxy, legacy: Origin) -> None:
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)

    with Client(shop) as client:
        first = client.ask(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked)
        second = client.ask(POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED)

    assert (first.status, second.status) == (200, 200)
    assert [seen.line for seen in legacy.seen] == ["POST /basket/ HTTP/1.1"] * 2
    assert [seen.body for seen in legacy.seen] == [SMUGGLED] * 2


def test_a_refused_request_behind_a_good_one_does_not_spoil_its_answer(
    shop: Proxy, legacy: Origin
) -> None:
    with Client(shop) as client:
        client.send(get() + LINE + b"Host : x\r\n\r\n")
        good, bad = client.read(), client.read()
        is_closed = client.is_closed()

    assert (good.status, bad.status) == (200, 400)
    assert is_closed
    assert len(legacy.seen) == 1


def test_heads_may_come_byte_by_byte(shop: Proxy, legacy: Origin) -> None:
    with Client(shop) as client:
        for byte in get("/api/products/1/", "X-A: b"):
            client.send(bytes([byte]))
        answer = client.read()

    assert answer.status == 200
    assert legacy.seen[0].values("x-a") == ["b"]


def test_an_empty_line_before_a_request_is_read_over(shop: Proxy, legacy: Origin) -> None:
    with Client(shop) as client:
        answer = client.ask(b"\r\n" + get())

    assert answer.status == 200


def test_a_garbage_storm_leaves_the_proxy_standing(shop: Proxy, legacy: Origin) -> None:
    legacy.reset(legacy.answering(OK))
    for seed in range(40):
        with Client(shop) as client:
            client.send(bytes((seed * 7 + n * n) % 256 for n in range(400)) + b"\r\n\r\n")
            client.is_closed(0.05)

    with Client(shop) as client:
        answer = client.ask(get())

    assert answer.status == 200
    time.sleep(0.05)
    assert [seen.line for seen in legacy.seen] == ["GET /api/products/1/ HTTP/1.1"]
