"""A head that comes again on its connection means what it would mean as the first one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.core.fields import FieldReader
from proxy.core.head import Fields, RefusedError, read_request
from proxy.core.limits import Limits
from proxy.routing import Side
from proxy.storage.tables import parse_routing
from tests.fakes.data_plane import Plane, Wire

LINES = st.sampled_from(
    [b"GET /a HTTP/1.1", b"GET /b?c=1 HTTP/1.1", b"HEAD /a HTTP/1.1", b"POST /a HTTP/1.1",
     b"OPTIONS * HTTP/1.1", b"GET http://shop/a HTTP/1.1", b"GET http://other/a HTTP/1.1",
     b"GET /a HTTP/1.0", b"get /a HTTP/1.1", b"GET  /a HTTP/1.1", b"CONNECT a:1 HTTP/1.1",
     b"GET /a#b HTTP/1.1", b"GET a HTTP/1.1", b"GET /a HTTP/2.0"]
)  # fmt: skip
FIELDS = st.lists(
    st.sampled_from(
        [b"Host: shop", b"Host: other", b"Cookie: a=1", b"Accept: text/html", b"TE: trailers",
         b"Connection: close", b"Connection: keep-alive, x-a", b"X-A: 1", b"X-Request-ID: r-1",
         b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Expect: 100-continue",
         b"X-Forwarded-For: 192.0.2.9", b"X-Banyan-Kill: all", b"Upgrade: websocket", b"bad",
         b"X-Long: " + b"l" * 3_000]
    ),
    max_size=5,
)  # fmt: skip
BLOCKS = FIELDS.map(lambda lines: b"".join(b"%b\r\n" % line for line in [b"Host: shop", *lines]))
WANTED = FieldReader(frozenset(("cookie", "x-a")))

TABLE = b"""
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:1"}
  core: {url: "http://127.0.0.1:2"}
domains: {}
"""
ASKED = b"GET /x HTTP/1.1\r\nHost: shop\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def read(line: bytes, block: bytes, before: Fields | None, *, trusted: bool) -> object:
    """All that a request says, or why it is refused."""
    head = b"%b\r\n%b\r\n" % (line, block)
    try:
        request = read_request(head, WANTED, Limits(), is_trusted=trusted, before=before)
    except RefusedError as refused:
        return refused.status, refused.detail
    said = ("start", "method", "target", "minor", "path", "query", "lines", "host", "lookup",
            "length", "is_chunked", "keep_alive", "request_id", "forwarded_for",
            "kept_forwarded", "is_secure", "upgrade", "wants_trailers", "expects")  # fmt: skip
    return {name: getattr(request, name) for name in said}


@given(first=LINES, second=LINES, blocks=st.lists(BLOCKS, min_size=1, max_size=2), t=st.booleans())
@example(
    first=b"GET /a HTTP/1.1", second=b"OPTIONS * HTTP/1.1", blocks=[b"Host: shop\r\n"], t=False
)
@example(
    first=b"GET /a HTTP/1.1",
    second=b"GET http://other/a HTTP/1.1",
    blocks=[b"Host: shop\r\n"],
    t=False,
)
def test_a_request_reads_the_same_whatever_came_before_it(
    first: bytes, second: bytes, blocks: list[bytes], *, t: bool
) -> None:
    before: Fields | None = None
    try:
        head = b"%b\r\n%b\r\n" % (first, blocks[0])
        before = read_request(head, WANTED, Limits(), is_trusted=t).fields
    except RefusedError:
        pass

    assert read(second, blocks[-1], before, trusted=t) == read(second, blocks[-1], None, trusted=t)


def test_fields_read_for_one_table_are_read_again_for_the_next() -> None:
    head = b"GET /a HTTP/1.1\r\nHost: shop\r\nCookie: a=1\r\n\r\n"
    before = read_request(head, FieldReader(), Limits()).fields

    again = read_request(head, WANTED, Limits(), before=before)

    assert before is not None
    assert before.lookup == {}
    assert again.lookup == {"cookie": "a=1"}


def test_a_repeated_request_is_not_read_twice() -> None:
    head = b"GET /a HTTP/1.1\r\nHost: shop\r\nCookie: a=1\r\n\r\n"
    before = read_request(head, WANTED, Limits()).fields

    assert read_request(head, WANTED, Limits(), before=before).fields is before


@pytest.fixture
def plane() -> Iterator[Plane]:
    made = Plane(parse_routing(TABLE, "routing.yaml"))
    yield made
    made.close()


def ask(plane: Plane, client: Wire, request: bytes) -> Wire:
    client.out = b""
    client.send(request)
    plane.loop.settle()
    (store,) = plane.dialers[Side.LEGACY].wires
    return store


def test_the_same_head_may_bring_another_body(plane: Plane) -> None:
    client = plane.client()
    for body in (b"ok", b"no", b"go"):
        ask(plane, client, ASKED).send(HEAD + body)

        assert client.out.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n")
        assert client.out.endswith(b"\r\n\r\n" + body)


def test_a_head_that_comes_again_in_pieces_is_whole_before_it_counts(plane: Plane) -> None:
    client = plane.client()
    ask(plane, client, ASKED).send(HEAD + b"ok")
    store = ask(plane, client, ASKED)
    for byte in HEAD + b"no":
        store.send(bytes((byte,)))

    assert client.out.endswith(b"\r\n\r\nno")


def test_a_head_that_begins_like_the_last_one_is_read_for_itself(plane: Plane) -> None:
    client = plane.client()
    ask(plane, client, ASKED).send(HEAD + b"ok")
    store = ask(plane, client, ASKED)
    store.send(HEAD[:-2] + b"X-More: 1\r\n\r\nno")

    assert b"X-More: 1\r\n" in client.out
    assert client.out.endswith(b"\r\n\r\nno")


def test_an_answer_to_head_has_no_body_though_the_same_words_had_one_for_get(
    plane: Plane,
) -> None:
    client = plane.client()
    ask(plane, client, ASKED).send(HEAD + b"ok")
    ask(plane, client, ASKED.replace(b"GET", b"HEAD")).send(HEAD)
    assert client.out.endswith(b"\r\n\r\n")

    ask(plane, client, ASKED).send(HEAD + b"no")
    assert client.out.endswith(b"\r\n\r\nno")
