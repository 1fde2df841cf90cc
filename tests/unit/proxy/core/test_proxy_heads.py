"""Heads: one reading or none, and nothing changed that need not be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.answer import (
    BadAnswerError,
    Framing,
    client_head,
    read_answer,
    switching_head,
)
from proxy.core.fields import (
    FieldError,
    FieldReader,
    Kind,
    known,
    nominated,
    passed_trailers,
    read_field,
    split_lines,
)
from proxy.core.head import RefusedError, Request, check_beginning, read_request
from proxy.core.limits import Limits
from proxy.core.store_head import asker_lines, store_head

Fields = list[tuple[bytes, bytes]]

LIMITS = Limits()
LINE = b"GET /a?b=1 HTTP/1.1"
HOST = (b"Host", b"shop.example")
ASKER = asker_lines(b"192.0.2.7", b"http")
NAMES = st.sampled_from(
    [b"Accept", b"X-A", b"x-b", b"Cookie", b"COOKIE", b"Keep-Alive", b"TE", b"X-Banyan-Pilot",
     b"X-Forwarded-For", b"x_forwarded_host", b"X-Request-Id", b"Connection", b"Via",
     b"Content-Type", b"Trailer", b"Upgrade"]
)  # fmt: skip
VALUES = st.sampled_from([b"", b"a", b"a, b", b"close", b"x-a, x-b", b"keep-alive", b"gzip"])
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def block(fields: Fields) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields)


def read(
    fields: Fields,
    line: bytes = LINE,
    wanted: frozenset[str] = frozenset(),
    *,
    is_trusted: bool = False,
) -> Request:
    head = b"%b\r\n%b\r\n" % (line, block(fields))
    return read_request(head, FieldReader(wanted), LIMITS, is_trusted=is_trusted)


def sent(request: Request) -> list[tuple[str, str]]:
    head = store_head(request, b"/prefix", b"store:80", b"made-1", ASKER)
    assert head.endswith(b"\r\n\r\n")
    return split_lines(head.partition(b"\r\n")[2])


def answered(
    *fields: tuple[bytes, bytes],
    line: bytes = b"HTTP/1.1 200 OK",
    method: str = "GET",
    trailers: bool = False,
) -> tuple[list[tuple[str, str]], int, bool]:
    head = line + b"\r\n" + block(list(fields)) + b"\r\n"
    answer = read_answer(head, FieldReader(), method, trailers=trailers)
    out, framing, keep_alive = client_head(answer, b"r-1", b"core", minor=1, keep_alive=True)
    return split_lines(out.partition(b"\r\n")[2]), framing, keep_alive


@given(fields=FIELDS)
def test_what_is_forwarded_is_what_came_less_what_must_go(fields: Fields) -> None:
    request = read([HOST, *fields])

    out = sent(request)
    names = frozenset().union(*(nominated(v) for n, v in fields if n == b"Connection"))
    ids = [v for n, v in fields if known(n)[0] is Kind.REQUEST_ID]
    is_id_kept = len(ids) == 1 and re.fullmatch(rb"[A-Za-z0-9._~+/=:-]{1,128}", ids[0])
    stays = {Kind.PLAIN, Kind.REQUEST_ID} if is_id_kept else {Kind.PLAIN}
    kept = [
        (n.decode(), v.decode())
        for n, v in fields
        if known(n)[0] in stays and known(n)[1] not in names
    ]
    assert out[: 1 + len(kept)] == [("Host", "shop.example"), *kept]
    assert [name for name, _ in out[1 + len(kept) :]] == [
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
        *([] if is_id_kept else ["X-Request-ID"]), "Via",
    ]  # fmt: skip


@given(fields=FIELDS)
def test_what_is_forwarded_is_never_read_otherwise_by_a_second_proxy(fields: Fields) -> None:
    once = store_head(read([HOST, *fields]), b"", b"s", b"made-1", ASKER)

    twice = read_request(once, FieldReader(), LIMITS)

    assert (twice.length, twice.is_chunked, twice.host) == (None, False, b"shop.example")


@given(heads=st.lists(FIELDS, min_size=1, max_size=6))
def test_a_reader_that_has_seen_lines_before_reads_them_as_one_that_has_not(
    heads: list[Fields],
) -> None:
    used = FieldReader(frozenset(("cookie",)))

    for fields in heads * 2:
        lines = [b"%b: %b" % field for field in fields]
        fresh = FieldReader(frozenset(("cookie",))).notable(lines)
        assert [vars(line) for line in used.notable(lines)] == [vars(line) for line in fresh]


def test_a_reader_forgets_lines_that_never_come_again_and_keeps_the_others() -> None:
    reader = FieldReader()

    for n in range(20_000):
        reader.notable([b"X-N: %d" % n, b"Accept: */*", b"Content-Length: %d" % n])

    assert reader.remembered <= 4 * 2_048
    assert reader.notable([b"Accept: */*"]) == []


@given(fields=FIELDS, spaces=st.lists(st.sampled_from([b"", b" ", b"  ", b"\t"]), min_size=9))
def test_what_is_forwarded_does_not_depend_on_spacing(fields: Fields, spaces: list[bytes]) -> None:
    odd = b"".join(
        b"%b:%b%b\r\n" % (n, space, v) for (n, v), space in zip(fields, spaces, strict=False)
    )
    head = b"%b\r\nHost: shop.example\r\n%b\r\n" % (LINE, odd)

    assert sent(read_request(head, FieldReader(), LIMITS)) == sent(read([HOST, *fields]))


@given(data=st.binary(max_size=60))
def test_a_line_is_a_field_exactly_when_it_is_a_token_a_colon_and_visible(data: bytes) -> None:
    token = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    is_field = re.fullmatch(token + rb":[\t\x20-\x7e\x80-\xff]*", data) is not None

    try:
        line = read_field(data)
    except FieldError:
        assert not is_field
    else:
        assert is_field
        assert line.value == data.partition(b":")[2].strip(b" \t")


@given(data=st.binary(max_size=100))
def test_a_beginning_is_refused_when_no_ending_could_mend_it(data: bytes) -> None:
    whole = data.removesuffix(b"\r").replace(b"\r\n", b"")
    is_clean = not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", whole)

    try:
        check_beginning(data)
    except RefusedError:
        assert not is_clean
    else:
        assert is_clean


@pytest.mark.parametrize(
    "line",
    [b" folded: 1", b"\tfolded", b"space : 1", b"tab\t: 1", b"nothing", b": empty", b"a b: 1",
     b"a: \x00", b"a: b\rc", b"a: b\nc", b"a\x7f: b", b"n\xe9: b"],
)  # fmt: skip
def test_a_line_that_two_readers_could_take_differently_is_refused(line: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        read_request(b"%b\r\nHost: a\r\n%b\r\n\r\n" % (LINE, line), FieldReader(), LIMITS)

    assert refused.value.status == 400


def test_the_lookup_holds_what_routing_wants_joined() -> None:
    fields = [HOST, (b"Cookie", b"a=1"), (b"X-A", b"1"), (b"cookie", b"b=2"), (b"x-a", b"2")]

    request = read(fields, wanted=frozenset(("cookie", "x-a", "x-none")))

    assert request.lookup == {"cookie": "a=1; b=2", "x-a": "1, 2"}


@pytest.mark.parametrize(
    ("fields", "minor", "keeps"),
    [
        ([], 1, True),
        ([(b"Connection", b"close")], 1, False),
        ([(b"Connection", b"Keep-Alive, Close")], 1, False),
        ([(b"Connection", b"")], 1, True),
        ([], 0, False),
        ([(b"Connection", b"Keep-Alive")], 0, True),
    ],
)
def test_connections_are_kept_as_their_version_says(
    fields: Fields, minor: int, keeps: bool
) -> None:
    request = read([HOST, *fields], b"GET / HTTP/1.%d" % minor)

    assert request.keep_alive is keeps


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")], 400),
        ([(b"Content-Length", b"1"), (b"Content-Length", b"1")], 400),
        ([(b"Content-Length", b"1,1")], 400),
        ([(b"Content-Length", "\u0661".encode())], 400),
        ([(b"Transfer-Encoding", b"chunked,")], 400),
        ([(b"Transfer-Encoding", b"")], 400),
        ([(b"Transfer-Encoding", b"gzip,chunked")], 501),
        ([(b"Expect", b"200-ok")], 417),
        ([(b"X-A", b"1")] * 100, 431),
    ],
)  # fmt: skip
def test_doubtful_fields_are_refused(fields: Fields, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        read([HOST, *fields])

    assert refused.value.status == status


def test_expectations_without_a_body_are_not_passed_on() -> None:
    expect = (b"Expect", b"100-continue")

    without_body = sent(read([HOST, expect]))
    with_body = sent(read([HOST, expect, (b"Content-Length", b"3")]))

    assert "Expect" not in dict(without_body)
    assert dict(with_body)["Expect"] == "100-continue"


@pytest.mark.parametrize(
    ("fields", "line", "method", "framing"),
    [
        ([(b"Content-Length", b"3")], b"HTTP/1.1 200 OK", "GET", Framing.LENGTH),
        ([(b"Transfer-Encoding", b"Chunked")], b"HTTP/1.1 200", "GET", Framing.CHUNKED),
        ([], b"HTTP/1.1 200 OK", "GET", Framing.CHUNKED),
        ([(b"Content-Length", b"3")], b"HTTP/1.1 200 OK", "HEAD", Framing.NONE),
        ([(b"Content-Length", b"3")], b"HTTP/1.1 304 Not Modified", "GET", Framing.NONE),
        ([(b"Content-Length", b"3")], b"HTTP/1.1 204 No Content", "GET", Framing.NONE),
    ],
)
def test_answers_are_framed_by_what_they_say(
    fields: list[tuple[bytes, bytes]], line: bytes, method: str, framing: int
) -> None:
    out, found, keep_alive = answered(*fields, line=line, method=method)

    assert found is framing
    assert keep_alive
    assert ("Content-Length" in dict(out)) is (bool(fields) and b"204" not in line and (
        fields[0][0] == b"Content-Length"))  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Content-Length", b"1"), (b"Content-Length", b"1")],
        [(b"Content-Length", b"x")],
        [(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"chunked, chunked")],
        [(b"Transfer-Encoding", b"gzip")],
    ],
)
def test_doubtful_answers_are_none(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadAnswerError):
        answered(*fields)


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2 200 OK",
        b"HTTP/1.1 099 No",
        b"HTTP/1.1 2000 No",
        b"HTTP/1.1 600 No",
        b"HTTP/1.1  200",
        b"ICY 200",
    ],
)
def test_other_status_lines_are_no_answers(line: bytes) -> None:
    with pytest.raises(BadAnswerError):
        answered(line=line)


def test_an_old_client_learns_the_end_by_the_close() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = read_answer(head, FieldReader(), "GET")

    out, framing, keep_alive = client_head(answer, b"r", b"core", minor=0, keep_alive=True)

    assert (framing, keep_alive) == (Framing.CLOSE, False)
    assert b"Connection: close\r\n" in out
    assert b"chunked" not in out


def test_names_are_known_in_any_case_and_spelling() -> None:
    assert known(b"CONTENT-length") == (Kind.LENGTH, "content-length")
    assert known(b"x-BANYAN-x")[0] is Kind.CONTROL
    assert known(b"x_banyan_x")[0] is Kind.FOLDED
    assert known(b"content_length")[0] is Kind.FOLDED
    assert known(b"my_header")[0] is Kind.PLAIN


WISH: Fields = [(b"Connection", b"Upgrade"), (b"Upgrade", b"WebSocket")]


@pytest.mark.parametrize(
    ("fields", "line", "upgrade"),
    [
        (WISH, LINE, b"WebSocket"),
        ([(b"Connection", b"upgrade"), (b"Upgrade", b"h2c, websocket")], LINE, b"websocket"),
        ([(b"Upgrade", b"websocket")], LINE, b""),
        ([(b"Connection", b"upgrade"), (b"Upgrade", b"h2c")], LINE, b""),
        ([(b"Connection", b"upgrade"), (b"Upgrade", b"TLS/1.0")], LINE, b""),
        ([*WISH, (b"Content-Length", b"3")], LINE, b""),
        (WISH, b"GET / HTTP/1.0", b""),
    ],
)
def test_only_allowed_protocols_are_asked_for(fields: Fields, line: bytes, upgrade: bytes) -> None:
    request = read([HOST, *fields], line)

    out = dict(sent(request))
    assert request.upgrade == upgrade
    assert out.get("Upgrade", "").encode() == upgrade
    assert ("Connection" in out) is bool(upgrade)


def test_a_change_of_protocol_is_told_to_the_client() -> None:
    fields = [*WISH, (b"Sec-WebSocket-Accept", b"x"), (b"X-Banyan-X", b"1")]
    head = b"HTTP/1.1 101 Switching Protocols\r\n%b\r\n" % block(fields)

    answer = read_answer(head, FieldReader(), "GET")
    out = dict(split_lines(switching_head(answer, b"r", b"core").partition(b"\r\n")[2]))

    assert answer.upgrade == b"WebSocket"
    assert out["Connection"] == "Upgrade"
    assert out["Upgrade"] == "WebSocket"
    assert "X-Banyan-X" not in out


@pytest.mark.parametrize(
    ("te", "wants"), [(b"trailers", True), (b"gzip", False), (b"a, TRAILERS", True)]
)
def test_a_client_that_takes_trailers_is_told_so_to_the_store(te: bytes, *, wants: bool) -> None:
    request = read([HOST, (b"TE", te)])

    out = dict(sent(request))
    assert request.wants_trailers is wants
    assert (out.get("TE") == "trailers") is wants
    assert (out.get("Connection") == "TE") is wants


def test_trailers_pass_that_frame_route_and_authenticate_nothing() -> None:
    lines = [
        b"X-Checksum: abc", b"Content-Length: 3", b"Host: evil", b"Authorization: x",
        b"X-Banyan-Pilot: 1", b"X-Forwarded-For: 1", b"Set-Cookie: a=b", b"Transfer_Encoding: x",
    ]  # fmt: skip

    assert passed_trailers(lines) == b"X-Checksum: abc\r\n"
    with pytest.raises(FieldError):
        passed_trailers([b"no field"])


@pytest.mark.parametrize(("trailers", "announced"), [(True, True), (False, False)])
def test_trailers_are_announced_to_clients_that_take_them(
    *, trailers: bool, announced: bool
) -> None:
    fields = [(b"Transfer-Encoding", b"chunked"), (b"Trailer", b"X-T")]

    out, _, _ = answered(*fields, trailers=trailers)

    assert ("Trailer" in dict(out)) is announced


def test_a_trusted_peer_is_believed_and_its_chain_goes_on() -> None:
    fields = [HOST, (b"X-Forwarded-For", b"203.0.113.9"), (b"X-Forwarded-Proto", b"https")]

    believed = sent(read(fields, is_trusted=True))
    ignored = sent(read(fields))

    assert ("X-Forwarded-For", "203.0.113.9, 192.0.2.7") in believed
    assert [v for n, v in believed if n == "X-Forwarded-Proto"] == ["https"]
    assert ("X-Forwarded-For", "192.0.2.7") in ignored
    assert [v for n, v in ignored if n == "X-Forwarded-Proto"] == ["http"]


@pytest.mark.parametrize(
    ("line", "target", "path", "query"),
    [
        (b"GET http://shop.example/a/b?c=1 HTTP/1.1", b"/a/b?c=1", "/a/b", "c=1"),
        (b"GET http://SHOP.example HTTP/1.1", b"/", "/", ""),
        (b"GET http://shop.example?x HTTP/1.1", b"/?x", "/", "x"),
        (b"OPTIONS * HTTP/1.1", b"*", "*", ""),
    ],
)
def test_targets_become_paths(line: bytes, target: bytes, path: str, query: str) -> None:
    request = read([HOST], line)

    assert (request.target, request.path, request.query) == (target, path, query)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET http://other.example/ HTTP/1.1", 400),
        (b"GET ftp://shop.example/ HTTP/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"GET /#a HTTP/1.1", 400),
        (b"get / HTTP/1.1", 501),
        (b"CONNECT shop.example:443 HTTP/1.1", 501),
        (b"GET / HTTP/2.0", 505),
        (b"GET  / HTTP/1.1", 400),
        (b"GET /\x01 HTTP/1.1", 400),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1", 414),
    ],
)
def test_request_lines_that_are_none_are_refused(line: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        read([HOST], line)

    assert refused.value.status == status
