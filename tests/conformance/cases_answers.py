"""What stores answer, early, in pieces or at once: it arrives as sent."""

from __future__ import annotations

from tests.conformance.build import Shelf, ask, say
from tests.conformance.case import (
    OK,
    Answered,
    AnyOf,
    Forwarded,
    Got,
    Grade,
    HalfClose,
    ReadHead,
    ReadRequest,
    Send,
    UntilClient,
    Unusable,
)

_TE = "Transfer-Encoding: chunked"
_HI = b"2\r\nhi\r\n0\r\n\r\n"

through = Shelf("Answers")


def _passes(name: str, answer: bytes, got: Got, **more: object) -> None:
    through.answered(name, answer, Forwarded(got=got), **more)


_passes(
    "An answer of a length arrives as sent",
    say("200 OK", "Content-Length: 5", body=b"hello"),
    Got(body=b"hello", framed="length"),
)
_passes(
    "A chunked answer arrives as sent",
    say("200 OK", _TE, body=b"5\r\nhello\r\n0\r\n\r\n"),
    Got(body=b"hello", framed="chunked"),
)
_passes(
    "Chunk extensions of an answer do not get into the body",
    say("200 OK", _TE, body=b"5;a=b\r\nhello\r\n0;c\r\n\r\n"),
    Got(body=b"hello"),
)
_passes(
    "An answer that ends with the connection arrives whole",
    say("200 OK", body=b"hello"),
    Got(body=b"hello"),
    fin=True,
)
_passes(
    "An answer of HTTP/1.0 arrives whole",
    say("200 OK", body=b"hello", version="1.0"),
    Got(body=b"hello"),
    fin=True,
)
_passes("An empty answer is whole", say("200 OK", "Content-Length: 0"), Got(body=b"", end="open"))
_passes(
    "An empty chunked answer is whole",
    say("200 OK", _TE, body=b"0\r\n\r\n"),
    Got(body=b"", end="open"),
)
_passes(
    "An answer of nothing that ends with the connection is whole",
    say("200 OK"),
    Got(body=b""),
    fin=True,
)
_passes(
    "All byte values come through",
    say("200 OK", "Content-Length: 256", body=bytes(range(256))),
    Got(body=bytes(range(256))),
)
_passes(
    "Order, case and repetitions of an answer's fields stay",
    say("200 OK", "x-B: 1", "X-a: 2", "X-B: 3", "Content-Length: 2", body=b"ok"),
    Got(has=(b"x-B: 1", b"X-a: 2", b"X-B: 3")),
)
_passes(
    "Two cookies stay two",
    say("200 OK", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2, 3", "Content-Length: 2", body=b"ok"),
    Got(has=(b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2, 3")),
)
_passes(
    "Coding, validators and ranges of a body stay",
    say(
        "206 Partial Content",
        "Content-Encoding: gzip",
        'ETag: W/"a"',
        "Content-Range: bytes 0-1/9",
        "Accept-Ranges: bytes",
        "Content-Length: 2",
        body=b"\x1f\x8b",
    ),
    Got(
        (206,),
        b"\x1f\x8b",
        has=(b"Content-Encoding: gzip", b'ETag: W/"a"', b"Content-Range: bytes 0-1/9"),
    ),
)
_passes(
    "A redirect stays as it is",
    say("302 Found", "Location: http://elsewhere.example/a?b#c", "Content-Length: 0"),
    Got((302,), b"", has=(b"Location: http://elsewhere.example/a?b#c",)),
)
_passes(
    "High bytes in an answer's value stay",
    say("200 OK", "X-Name: caf\xe9", "Content-Length: 2", body=b"ok"),
    Got(has=(b"X-Name: caf\xe9",)),
)
_passes(
    "A store's 500 is passed on as it is",
    say("500 Oh", "Content-Length: 2", body=b"no"),
    Got((500,), b"no"),
)
_passes(
    "A status nobody knows is passed on",
    say("299 Odd", "Content-Length: 2", body=b"ok"),
    Got((299,)),
)
_passes(
    "A status of three digits beyond 599 is passed on or refused",
    say("599 Odd", "Content-Length: 2", body=b"ok"),
    Got((599,)),
)
_passes("An empty reason is allowed", say("200 ", "Content-Length: 2", body=b"ok"), Got())
_passes(
    "A body to HEAD's length alone is no body",
    say("200 OK", "Content-Length: 5000"),
    Got(body=b"", has=(b"Content-Length: 5000",), end="open"),
    request=ask("HEAD /x HTTP/1.1"),
    is_head=True,
)
_passes(
    "A chunked answer to HEAD has no body",
    say("200 OK", _TE),
    Got(body=b""),
    request=ask("HEAD /x HTTP/1.1"),
    is_head=True,
)
_passes(
    "204 has no body",
    say("204 No Content"),
    Got((204,), b"", end="open", lacks=(b"transfer-encoding",)),
)
_passes(
    "304 has no body, whatever its length says",
    say("304 Not Modified", "Content-Length: 5000", 'ETag: "a"'),
    Got((304,), b"", end="open", has=(b'ETag: "a"',)),
)
_passes(
    "An answer of 400,000 bytes arrives whole",
    say("200 OK", "Content-Length: 400000", body=b"01234567" * 50_000),
    Got(body=b"01234567" * 50_000),
)
_passes(
    "A field of 8,000 bytes arrives whole",
    say("200 OK", "X-A: " + "b" * 8_000, "Content-Length: 2", body=b"ok"),
    Got(),
)
through.answered(
    "A length on 204 does not reach the client",
    say("204 No Content", "Content-Length: 0"),
    Forwarded(got=Got((204,), b"", lacks=(b"content-length",)), got_harm=Grade.LAX),
)
through.add(
    "An answer may come byte by byte",
    ask(),
    Forwarded(),
    store=(ReadRequest(), *(Send(bytes((b,))) for b in OK)),
)
through.add(
    "What a store sends is passed on at once",
    ask(),
    Forwarded(got=Got(body=b"onetwo")),
    store=(
        ReadRequest(),
        Send(say("200 OK", _TE, body=b"3\r\none\r\n")),
        UntilClient(b"one"),
        Send(b"3\r\ntwo\r\n0\r\n\r\n"),
    ),
)
through.add(
    "Events of a stream are passed on one by one",
    ask(),
    Forwarded(got=Got(body=b"data: 1\n\ndata: 2\n\n")),
    store=(
        ReadRequest(),
        Send(say("200 OK", "Content-Type: text/event-stream") + b"data: 1\n\n"),
        UntilClient(b"data: 1"),
        Send(b"data: 2\n\n"),
        HalfClose(),
    ),
)
through.answered(
    "An answer's trailer reaches a client that takes trailers",
    say("200 OK", _TE, "Trailer: X-Sum", body=b"2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"),
    Forwarded(got=Got(body=b"hi", trailer=b"X-Sum: 1\r\n"), got_harm=Grade.SAFE),
    request=ask("GET /x HTTP/1.1", "TE: trailers", "Connection: TE"),
)
through.answered(
    "An answer to HTTP/1.0 is never chunked",
    say("200 OK", _TE, body=_HI),
    Forwarded(
        got=Got(body=b"hi", lacks=(b"transfer-encoding",), end="closed"), got_harm=Grade.DANGEROUS
    ),
    request=ask("GET /x HTTP/1.0"),
)

early = Shelf("Interim and early answers")
_EXPECT = ask("POST /x HTTP/1.1", "Expect: 100-continue", "Content-Length: 5")
early.add(
    "A client that waits for 100 Continue gets it",
    (Send(_EXPECT), UntilClient(b"100 "), Send(b"hello")),
    Forwarded(body=b"hello"),
    store=(ReadHead(), Send(say("100 Continue")), ReadRequest(), Send(OK)),
)
early.add(
    "A client need not wait for 100 Continue", (Send(_EXPECT + b"hello"),), Forwarded(body=b"hello")
)
early.add(
    "A store may refuse a body that waits for leave",
    _EXPECT,
    AnyOf((Answered(Got((413,), b"no")), Answered(Got((413,), b"no", interim=(100,))))),
    store=(
        ReadHead(),
        Send(say("413 No", "Content-Length: 2", "Connection: close", body=b"no")),
        HalfClose(),
    ),
)
early.refused(
    "An expectation that nobody knows gets 417",
    ask("POST /x HTTP/1.1", "Expect: a-miracle", "Content-Length: 2", body=b"hi"),
    417,
    400,
    hazard=b"a-miracle",
    harm=Grade.LAX,
)
early.answered(
    "103 Early Hints reaches the client",
    say("103 Early Hints", "Link: </a.css>; rel=preload") + OK,
    Forwarded(got=Got(interim=(103,)), got_harm=Grade.SAFE),
)
early.add(
    "103 Early Hints reaches the client before the answer",
    ask(),
    Forwarded(got=Got(interim=(103,)), got_harm=Grade.SAFE, stall_harm=Grade.SAFE),
    store=(
        ReadRequest(),
        Send(say("103 Early Hints", "Link: </a.css>; rel=preload")),
        UntilClient(b"103 "),
        Send(OK),
    ),
)
early.answered(
    "Several interim answers are no final one",
    say("102 Processing") * 2 + say("103 Early Hints") + OK,
    Forwarded(got=Got()),
)
early.answered(
    "HTTP/1.0 gets no interim answers",
    say("103 Early Hints") + OK,
    Forwarded(got=Got(interim=()), got_harm=Grade.WRONG),
    request=ask("GET /x HTTP/1.0"),
)
early.answered(
    "Interim answers without end are given up",
    say("103 Early Hints") * 5_000,
    Unusable((502, 504)),
    patience_s=4.0,
)
early.answered(
    "An interim answer with a bare CR is not passed on",
    say("103 Early Hints", "X-A: b\rEvil: 1") + OK,
    Unusable(never=b"\revil"),
)
for _name, _field, _never, _is_ours in (
    ("An interim answer with a field without a colon is not passed on", "X-A", b"x-a", False),
    ("An interim answer with space before a colon is not passed on", "X-A : b", b"x-a :", False),
    ("An interim answer with space inside a name is not passed on", "X A: b", b"x a", False),
    ("An interim answer has no coding", "Transfer-Encoding: chunked", b"transfer-encoding", False),
    ("An interim answer's Keep-Alive is not passed on", "Keep-Alive: max=7", b"max=7", False),
    ("An interim answer's control fields end here", "X-Banyan-Stage: 1", b"x-banyan", True),
):
    early.answered(
        _name,
        say("103 Early Hints", _field) + OK,
        Unusable(
            never=_never,
            passed=Grade.RIGHT,
            harm=Grade.WRONG if _field.startswith("Keep") else Grade.DANGEROUS,
        ),
        is_ours=_is_ours,
    )
early.add(
    "An early answer reaches a client that still sends",
    (
        Send(ask("POST /x HTTP/1.1", "Content-Length: 600000", body=b"a" * 1_000)),
        UntilClient(b"full"),
    ),
    Answered(Got((507,), b"full")),
    store=(ReadHead(), Send(say("507 Full", "Content-Length: 4", body=b"full"))),
    patience_s=2.0,
)

SHELVES = (through, early)
