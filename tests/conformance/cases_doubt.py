"""Stores' answers that are doubtful, hostile or broken off."""

from __future__ import annotations

from tests.conformance.build import NEXT, Shelf, ask, say
from tests.conformance.case import (
    OK,
    AnyOf,
    Cut,
    Grade,
    HalfClose,
    Pause,
    ReadRequest,
    Reset,
    Send,
    UntilClient,
    Unusable,
)

_TE = "Transfer-Encoding: chunked"
_HI = b"2\r\nhi\r\n0\r\n\r\n"

doubt = Shelf("Doubtful answers")
for _name, _answer in {
    "An answer with a length and chunked is not passed on so": say(
        "200 OK", "Content-Length: 3", _TE, body=_HI
    ),
    "An answer with two differing lengths is not passed on": say(
        "200 OK", "Content-Length: 2", "Content-Length: 5", body=b"hello"
    ),
    "An answer with two equal lengths is not passed on as two": say(
        "200 OK", "Content-Length: 2", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a list for a length is not passed on": say(
        "200 OK", "Content-Length: 2, 5", body=b"hello"
    ),
    "An answer with a length with a plus is not passed on": say(
        "200 OK", "Content-Length: +2", body=b"hi"
    ),
    "An answer with a negative length is not passed on": say(
        "200 OK", "Content-Length: -2", body=b"hi"
    ),
    "An answer with an empty length is not passed on": say("200 OK", "Content-Length:", body=b"hi"),
    "An answer with a hexadecimal length is not passed on": say(
        "200 OK", "Content-Length: 0x2", body=b"hi"
    ),
    "An answer with a length beyond 64 bits is not passed on": say(
        "200 OK", "Content-Length: 18446744073709551618", body=b"hi"
    ),
    "An answer with a coding behind chunked is not passed on": say(
        "200 OK", "Transfer-Encoding: chunked, gzip", body=_HI
    ),
    "An answer with chunked twice is not passed on": say(
        "200 OK", "Transfer-Encoding: chunked, chunked", body=_HI
    ),
    "An answer with an unknown coding is not passed on": say(
        "200 OK", "Transfer-Encoding: cow", body=_HI
    ),
    "An answer of HTTP/1.0 with chunked is not passed on so": say(
        "200 OK", _TE, body=_HI, version="1.0"
    ),
    "An answer with a bare CR in a value is not passed on": say(
        "200 OK", "X-A: b\rEvil: 1", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a bare LF in a value is not passed on so": say(
        "200 OK", "X-A: b\nX-C: d", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a NUL in a value is not passed on": say(
        "200 OK", "X-A: b\0c", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a folded field is not passed on so": say(
        "200 OK", "X-A: b\r\n c", "Content-Length: 2", body=b"hi"
    ),
    "An answer with space before a colon is not passed on so": say(
        "200 OK", "X-A : b", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a field without a colon is not passed on": say(
        "200 OK", "X-A", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a field without a name is not passed on": say(
        "200 OK", ": b", "Content-Length: 2", body=b"hi"
    ),
    "An answer with space inside a name is not passed on": say(
        "200 OK", "X A: b", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a high byte in a name is not passed on": say(
        "200 OK", "X-\xc4: b", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a status of two digits is not passed on": say(
        "20 OK", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a status of four digits is not passed on": say(
        "2000 OK", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a status of letters is not passed on": say(
        "abc OK", "Content-Length: 2", body=b"hi"
    ),
    "An answer with a status of zero is not passed on": say(
        "000 OK", "Content-Length: 2", body=b"hi"
    ),
    "An answer of HTTP/2.0 is not passed on": say(
        "200 OK", "Content-Length: 2", body=b"hi", version="2.0"
    ),
    "An answer of HTTP/0.9 is not passed on": b"<html>hi</html>\r\n\r\n",
    "An answer of another protocol is not passed on": b"SSH-2.0-x\r\n\r\n",
    "An answer with a NUL in its reason is not passed on": say(
        "200 O\0K", "Content-Length: 2", body=b"hi"
    ),
}.items():
    _harm = Grade.WRONG if "status" in _name or "protocol" in _name else Grade.DANGEROUS
    doubt.answered(_name, _answer, Unusable(harm=_harm), fin=True, patience_s=2.0)
doubt.answered(
    "An answer of bare LFs is not passed on so",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    Unusable((502, 504)),
    fin=True,
)
doubt.answered(
    "A head of an answer that never ends gets 502",
    b"HTTP/1.1 200 OK\r\n" + b"X-A: bbbbbbbbbbb\r\n" * 20_000,
    Unusable((502, 504)),
)
doubt.answered(
    "101 that nobody asked for is not passed on",
    say("101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade") + b"bytes",
    Unusable(never=b"101 switching"),
    patience_s=2.0,
)
_EVIL = say("200 OK", "Content-Length: 4", body=b"evil")
_AGAIN = (ReadRequest(), Send(OK))
doubt.add(
    "A second answer behind the first reaches nobody",
    (Send(ask()), UntilClient(b"ok"), Pause(0.05), Send(NEXT)),
    Unusable((), never=b"evil", passed=Grade.RIGHT),
    store=((ReadRequest(), Send(OK + _EVIL), *_AGAIN), _AGAIN),
    answers=2,
)
doubt.add(
    "Bytes that a store sends unasked reach nobody",
    (Send(ask()), UntilClient(b"ok"), Pause(0.12), Send(NEXT)),
    Unusable((), never=b"evil", passed=Grade.RIGHT),
    store=(
        (
            ReadRequest(),
            Send(OK),
            Pause(0.05),
            Send(say("200 OK", "Content-Length: 4", body=b"evil")),
            ReadRequest(),
            Send(OK),
        ),
        (ReadRequest(), Send(OK)),
    ),
    answers=2,
)
doubt.answered(
    "Bytes behind a chunked answer reach nobody",
    say("200 OK", _TE, body=_HI) + b"evil",
    Unusable((), never=b"evil", passed=Grade.RIGHT),
)
doubt.answered(
    "Bytes behind 204 reach nobody",
    say("204 No Content") + b"evil",
    Unusable((), never=b"evil", passed=Grade.RIGHT),
)
doubt.answered(
    "Bytes behind 304 reach nobody",
    say("304 Not Modified", "Content-Length: 4") + b"evil",
    Unusable((), never=b"evil", passed=Grade.RIGHT),
)
doubt.answered(
    "A body to HEAD reaches nobody",
    say("200 OK", "Content-Length: 4", body=b"evil"),
    Unusable((), never=b"evil", passed=Grade.RIGHT),
    request=ask("HEAD /x HTTP/1.1"),
    is_head=True,
)
doubt.add(
    "A body to HEAD is not the next answer",
    (Send(ask("HEAD /x HTTP/1.1")), UntilClient(b"\r\n\r\n"), Pause(0.05), Send(NEXT)),
    Unusable((), never=b"evil", passed=Grade.RIGHT),
    store=(
        (
            ReadRequest(),
            Send(
                say(
                    "200 OK",
                    "Content-Length: 55",
                    body=say("200 OK", "Content-Length: 4", body=b"evil"),
                )
            ),
            ReadRequest(),
            Send(OK),
        ),
        (ReadRequest(), Send(OK)),
    ),
    is_head=True,
    answers=2,
)

half = Shelf("Broken-off answers")
_half_length, _half_chunk = (
    say("200 OK", "Content-Length: 10", body=b"hello"),
    say("200 OK", _TE, body=b"5\r\nhello\r\n"),
)
for _name, _answer, _fin in (
    ("A body shorter than its length cannot be taken for whole", _half_length, True),
    ("A chunked body without its last chunk cannot be taken for whole", _half_chunk, True),
    (
        "A chunked body that ends in a chunk cannot be taken for whole",
        say("200 OK", _TE, body=b"9\r\nhello"),
        True,
    ),
    (
        "A chunked body that ends in its trailer cannot be taken for whole",
        say("200 OK", _TE, body=b"5\r\nhello\r\n0\r\n"),
        True,
    ),
    (
        "A chunked body with a bad size cannot be taken for whole",
        say("200 OK", _TE, body=b"5\r\nhello\r\nzz\r\n"),
        False,
    ),
    (
        "A chunked body with 0x in a size cannot be taken for whole",
        say("200 OK", _TE, body=b"5\r\nhello\r\n0x3\r\nabc\r\n0\r\n\r\n"),
        False,
    ),
    (
        "A chunked body with a huge size cannot be taken for whole",
        say("200 OK", _TE, body=b"5\r\nhello\r\nfffffffffffffffff\r\n"),
        False,
    ),
    (
        "A chunk longer than its size cannot be taken for whole",
        say("200 OK", _TE, body=b"3\r\nhello\r\n0\r\n\r\n"),
        False,
    ),
    ("An answer that ends in its head is not passed on", b"HTTP/1.1 200 OK\r\nContent-Le", True),
    ("No answer at all is no answer", b"", True),
):
    half.answered(_name, _answer, Cut(), fin=_fin, patience_s=2.5)
half.answered(
    "A chunked answer with a bare LF is not taken over so",
    say("200 OK", _TE, body=b"5\nhello\n0\n\n"),
    AnyOf((Cut(passed=Grade.LAX), Unusable())),
    patience_s=2.5,
)
half.add(
    "A reset in a body of a length cannot be taken for whole",
    ask(),
    Cut(),
    store=(ReadRequest(), Send(_half_length), Pause(0.05), Reset()),
)
half.add(
    "A reset in a chunked body cannot be taken for whole",
    ask(),
    Cut(),
    store=(ReadRequest(), Send(_half_chunk), Pause(0.05), Reset()),
)
half.add(
    "A reset in a body without framing cannot be taken for whole",
    ask(),
    Cut(),
    store=(ReadRequest(), Send(say("200 OK", body=b"hello")), Pause(0.05), Reset()),
)
half.add(
    "A broken-off chunked answer cannot look whole to HTTP/1.0",
    ask("GET /x HTTP/1.0"),
    Cut(),
    store=(ReadRequest(), Send(_half_chunk), Pause(0.05), HalfClose()),
)
half.add(
    "A broken-off answer of a length cannot look whole to HTTP/1.0",
    ask("GET /x HTTP/1.0"),
    Cut(),
    store=(ReadRequest(), Send(_half_length), Pause(0.05), HalfClose()),
)
half.add(
    "An answer that stops in the middle is cut off in time",
    ask(),
    Cut(),
    store=(ReadRequest(), Send(_half_length)),
    patience_s=4.5,
)
half.add(
    "A store that does not answer gets no more than its time",
    ask(),
    Unusable((504, 502)),
    store=(ReadRequest(),),
    patience_s=4.5,
)

SHELVES = (doubt, half)
