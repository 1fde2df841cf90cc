"""Streams of good requests, and ways to spoil them where a parser's seams are."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import strategies as st

from tests.conformance.build import ask, say

Spoil = Callable[[bytes, int], bytes]

_ODD = (b"\0", b"\t", b" ", b"\r", b"\n", b"\r\n", b"\x0b", b"\x0c", b"\x7f", b"\xa0", b"\xff",
        b":", b",", b";", b"0", b"_", b"+", b"-", b"%", b"#", b"\\", b'"', b"/")  # fmt: skip
_FIELDS = (
    b"Content-Length: 0", b"Content-Length: 7", b"Content-Length: +3", b"Content-Length:",
    b"Content-Length : 3", b"Content_Length: 3", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:\x0bchunked",
    b"transfer-encoding: identity", b"Transfer_Encoding: chunked", b"Host: other.example",
    b"Connection: close", b"Connection: Content-Length, Transfer-Encoding", b"Connection: Host",
    b"Connection: keep-alive, Upgrade", b"Upgrade: h2c", b"Expect: 100-continue", b"TE: trailers",
    b"Trailer: Content-Length", b"X-Banyan-Pilot: internal", b" X-Folded: 1", b"X-A: b\rX-C: d",
    b"Cookie: " + b"a=b; " * 300,
)  # fmt: skip


def _insert(data: bytes, at: int, what: bytes) -> bytes:
    at %= len(data) + 1
    return data[:at] + what + data[at:]


def _seams(data: bytes, pattern: bytes) -> list[int]:
    return [found.start() for found in re.finditer(pattern, data)]


def _at_seam(pattern: bytes, change: Callable[[bytes, int, int], bytes]) -> Spoil:
    """Change the stream at one place where the pattern stands."""

    def spoil(data: bytes, dice: int) -> bytes:
        places = _seams(data, pattern)
        return change(data, places[dice % len(places)], dice // 7) if places else data

    return spoil


SPOILS: dict[str, Spoil] = {
    "nothing": lambda data, dice: data,
    "an odd byte anywhere": lambda data, dice: _insert(data, dice // 31, _ODD[dice % len(_ODD)]),
    "a byte missing": lambda data, dice: data[: dice % len(data)] + data[dice % len(data) + 1 :],
    "the end missing": lambda data, dice: data[: dice % len(data)],
    "CRLF becomes LF": _at_seam(rb"\r\n", lambda d, at, _: d[:at] + d[at + 1 :]),
    "CRLF becomes CR": _at_seam(rb"\r\n", lambda d, at, _: d[: at + 1] + d[at + 2 :]),
    "CRLF twice": _at_seam(rb"\r\n", lambda d, at, _: d[:at] + b"\r\n" + d[at:]),
    "odd byte before CRLF": _at_seam(
        rb"\r\n", lambda d, at, n: d[:at] + _ODD[n % len(_ODD)] + d[at:]
    ),
    "odd byte behind CRLF": _at_seam(
        rb"\r\n", lambda d, at, n: d[: at + 2] + _ODD[n % len(_ODD)] + d[at + 2 :]
    ),
    "odd byte at a colon": _at_seam(
        rb": ", lambda d, at, n: d[: at + n % 2] + _ODD[n % len(_ODD)] + d[at + n % 2 :]
    ),
    "another digit": _at_seam(
        rb"[0-9]", lambda d, at, n: d[:at] + b"0123456789abcdefx"[n % 17 : n % 17 + 1] + d[at + 1 :]
    ),
    "one more field": _at_seam(
        rb"\r\nHost", lambda d, at, n: d[:at] + b"\r\n" + _FIELDS[n % len(_FIELDS)] + d[at:]
    ),
    "a line twice": _at_seam(
        rb"\r\n[A-Z][^\r\n]*\r\n",
        lambda d, at, _: d[:at] + d[at : d.find(b"\r\n", at + 2)] + d[at:],
    ),
    "another case": _at_seam(
        rb"[A-Za-z]", lambda d, at, _: d[:at] + d[at : at + 1].swapcase() + d[at + 1 :]
    ),
}  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> tuple[tuple[str, ...], bytes]:
    """Framing fields and the bytes that they frame."""
    body = draw(
        st.sampled_from((b"", b"hello", b"0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    )
    if not draw(st.booleans()):
        return (f"Content-Length: {len(body)}",), body
    sizes = [body[:3], body[3:]]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in sizes if part)
    last = draw(st.sampled_from((b"0\r\n\r\n", b"0;a=b\r\n\r\n", b"00\r\nX-Sum: 1\r\n\r\n")))
    return ("Transfer-Encoding: chunked",), chunks + last


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One good request."""
    path = draw(st.sampled_from(("/", "/x?a=1", "/api/products/1/", "/%7e;v=1//")))
    fields: tuple[str, ...] = tuple(
        draw(
            st.lists(
                st.sampled_from(("X-A: b", "Cookie: a=1", "Accept: */*", "X-Empty:")), max_size=3
            )
        )
    )
    if draw(st.booleans()):
        return ask(f"{draw(st.sampled_from(('GET', 'HEAD', 'OPTIONS')))} {path} HTTP/1.1", *fields)
    framing, body = draw(bodies())
    return ask(f"POST {path} HTTP/1.1", *fields, *framing, body=body)


@st.composite
def spoilt_streams(draw: st.DrawFn) -> bytes:
    """One to three good requests, spoilt in up to two places."""
    stream = b"".join(draw(st.lists(requests(), min_size=1, max_size=3)))
    for name in draw(st.lists(st.sampled_from(sorted(SPOILS)), min_size=1, max_size=2)):
        stream = SPOILS[name](stream, draw(st.integers(0, 1 << 20))) or stream
    return stream


_ANSWERS = (
    say("200 OK", "Content-Length: 5", "X-A: b", body=b"hello"),
    say("200 OK", "Transfer-Encoding: chunked", "Host: a", body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    say("200 OK", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
    say("200 OK", "Host: a", body=b"hello"),
    say("204 No Content", "X-A: b"),
    say("304 Not Modified", "Content-Length: 5"),
    say("103 Early Hints", "Link: </a>") + say("200 OK", "Content-Length: 5", body=b"hello"),
)


@st.composite
def spoilt_answers(draw: st.DrawFn) -> bytes:
    """A good answer, spoilt in up to two places."""
    answer = draw(st.sampled_from(_ANSWERS))
    for name in draw(st.lists(st.sampled_from(sorted(SPOILS)), min_size=1, max_size=2)):
        answer = SPOILS[name](answer, draw(st.integers(0, 1 << 20))) or answer
    return answer
