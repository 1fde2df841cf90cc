"""Canaries: made-up personal data, sent everywhere, found nowhere in the spool."""

from __future__ import annotations

import gzip
import json
import random
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.core.frame import Frame
from proxy.storage import SpoolReader
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

DICE = random.Random(20261122)


def card() -> str:
    """A number with the right check digit; of nobody."""
    digits = [4, *(DICE.randrange(10) for _ in range(14))]
    doubled = sum(d if n % 2 else (2 * d - 9 if d > 4 else 2 * d) for n, d in enumerate(digits))
    return "".join(map(str, [*digits, -doubled % 10]))


def word() -> str:
    return "".join(DICE.choice("bcdfghjklmnpqrstvwxz") for _ in range(14))


CARD, EMAIL_NAME, PASSWORD, TOKEN, NAME = card(), word(), word(), word(), word()
EMAIL = f"{EMAIL_NAME}@example.org"
JWT = f"eyJhbGciOi{word()}.eyJzdWIi{word()}.{word()}"
API_KEY = f"sk_live_{word()}"
CANARIES = [CARD, EMAIL_NAME, PASSWORD, TOKEN, NAME, JWT, API_KEY]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Proxy, Origin]]:
    with origin() as store:
        text = routing(store.url, store.url, "shadow")
        with proxy(tmp_path, text) as shop:
            yield shop, store


def found_in(spool: Path, count: int) -> list[Frame]:
    """The first `count` frames, looked at without deleting anything."""
    frames: list[Frame] = []

    def arrived() -> bool:
        with SpoolReader(spool) as reader:
            frames[:] = [frame for _, frame in reader.read(10_000)]
        return len(frames) >= count

    assert eventually(arrived)
    return frames


def plain(body: bytes) -> bytes:
    for bits in (31, 15):
        try:
            return zlib.decompress(body, bits)
        except zlib.error:
            continue
    return body


def answer(body: bytes, *fields: str, kind: str = "application/json") -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


JSON = json.dumps(
    {
        "id": 7,
        "customer": {"email": EMAIL, "first_name": NAME, "pin": PASSWORD},
        "notes": [f"call {EMAIL}", f"card {CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]}"],
        "next": f"https://shop.example/x?token={TOKEN}&page=2",
        "said": f'he said \\ "{EMAIL}" and {JWT}',
        "key": API_KEY,
    }
).encode()
FORM = f"email={EMAIL_NAME}%40example.org&password={PASSWORD}&q={CARD}&first_name={NAME}".encode()
MULTIPART = (
    f'--b1\r\nContent-Disposition: form-data; name="password"\r\n\r\n{PASSWORD}\r\n'
    f'--b1\r\nContent-Disposition: form-data; name="first_name"\r\n\r\n{NAME}\r\n'
    f'--b1\r\nContent-Disposition: form-data; name="note"\r\n\r\n{EMAIL} {CARD}\r\n--b1--\r\n'
).encode()
PAGE = (
    f"<form><input name='password' value='{PASSWORD}'><input type=text name=\"email\" "
    f'value="{EMAIL}"><p>{CARD}</p><a href="/pay?token={TOKEN}">x</a>'
    f'<meta name="csrf-token" content="{TOKEN}"></form>'
).encode()
PADDING = json.dumps([{"id": n, "title": f"A book {n}"} for n in range(9_000)]).encode()[:-1]
LARGE = PADDING + b"," + JSON + b"," + PADDING[1:] + b"]"

ANSWERS = {
    "json": answer(JSON),
    "json pretty": answer(json.dumps(json.loads(JSON), indent=4).encode()),
    "page": answer(PAGE, kind="text/html"),
    "form": answer(FORM, kind="application/x-www-form-urlencoded"),
    "multipart": answer(MULTIPART, kind="multipart/form-data; boundary=b1"),
    "multipart without a boundary": answer(MULTIPART, kind="multipart/form-data"),
    "no type": answer(JSON, kind=""),
    "large": answer(LARGE),
    "gzip": answer(gzip.compress(JSON), "Content-Encoding: gzip"),
    "gzip, large inside": answer(gzip.compress(LARGE), "Content-Encoding: gzip"),
    "deflate": answer(zlib.compress(JSON), "Content-Encoding: deflate"),
    "fields": answer(
        b"{}",
        f"Set-Cookie: sid={TOKEN}",
        f"Location: /next/{EMAIL}?token={TOKEN}",
        f"X-Note: {CARD} {JWT}",
        f"X-Auth-Token: {PASSWORD}",
    ),
}


def requests() -> Iterator[bytes]:
    """Canaries in all places of a request."""
    yield get(f"/api/products/7/?email={EMAIL}&token={TOKEN}&q={CARD}&first_name={NAME}")
    yield get(f"/api/products/{CARD}/")
    yield get(f"/api/products/{EMAIL_NAME}%40example.org/")
    yield get(
        "/api/products/7/",
        f"Authorization: Bearer {TOKEN}",
        f"Cookie: sessionid={TOKEN}; n={NAME}",
        f"Referer: https://shop.example/pay?token={TOKEN}&q={EMAIL_NAME}%40example.org",
        f"X-Note: {EMAIL} {CARD} {JWT}",
        f"X-Request-ID: {CARD}",
    )
    for kind, body in (
        ("application/x-www-form-urlencoded", FORM),
        ("multipart/form-data; boundary=b1", MULTIPART),
        ("application/json", JSON),
    ):
        head = get("/api/products/7/", f"Content-Type: {kind}", f"Content-Length: {len(body)}")
        yield head + body


def test_no_canary_is_in_any_file_of_the_spool(running: tuple[Proxy, Origin]) -> None:
    shop, store = running
    store.reset(store.answering(*ANSWERS.values()))
    asked = 0

    with Client(shop) as client:
        for _ in ANSWERS:
            assert client.ask(get()).status == 200
            asked += 1
        for request in requests():
            assert client.ask(request).status == 200
            asked += 1
    frames = found_in(shop.spool, asked)

    assert len(frames) == asked
    kept = b"".join(path.read_bytes() for path in shop.spool.rglob("*") if path.is_file())
    bodies = b"".join(plain(frame.body) + plain(frame.request_body) for frame in frames)
    for canary in CANARIES:
        assert canary.encode() not in kept + bodies
    assert bodies.count(b"[hmac:") > 30


def test_a_canary_split_over_pieces_is_found_all_the_same(running: tuple[Proxy, Origin]) -> None:
    shop, store = running
    before = len(found_in(shop.spool, 0))
    pieces = [JSON[at : at + 7] for at in range(0, len(JSON), 7)]

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            time.sleep(0.001)  # so that each piece is read by itself
        connection.send(b"0\r\n\r\n")

    store.reset(script)

    with Client(shop) as client:
        live = client.ask(get())
    frame = found_in(shop.spool, before + 1)[-1]

    assert live.body == JSON
    assert not any(canary.encode() in frame.body for canary in CANARIES)
    assert json.loads(frame.body)["id"] == 7
