"""Connections: how long they live, who ends them, what becomes of them."""

from __future__ import annotations

from tests.conformance.build import NEXT, Shelf, ask, post, say
from tests.conformance.case import (
    OK,
    Answering,
    AnyOf,
    Cancelled,
    Forwarded,
    Got,
    Grade,
    HalfClose,
    Pause,
    ReadHead,
    ReadRequest,
    Refused,
    Reset,
    Send,
    UntilClient,
    UntilStore,
    UntilStoreEnds,
)

_TWO = ("GET /x HTTP/1.1", "GET /next HTTP/1.1")
_BOTH = Got((200, 200))

keep = Shelf("Keep-alive and close")
keep.forwarded("A connection is kept by default", ask(), got=Got(end="open"))
keep.forwarded(
    "A client's close is obeyed", ask("GET /x HTTP/1.1", "Connection: close"), got=Got(end="closed")
)
keep.forwarded(
    "Close in a list and in capitals is obeyed",
    ask("GET /x HTTP/1.1", "Connection: X-A, CLOSE"),
    got=Got(end="closed"),
)
keep.forwarded(
    "Nothing behind a close is answered",
    ask("GET /x HTTP/1.1", "Connection: close") + NEXT,
    got=Got(end="closed"),
)
keep.forwarded(
    "Close wins over keep-alive",
    ask("GET /x HTTP/1.1", "Connection: keep-alive, close"),
    got=Got(end="closed"),
)
keep.forwarded("HTTP/1.0 is closed after the answer", ask("GET /x HTTP/1.0"), got=Got(end="closed"))
keep.forwarded(
    "HTTP/1.0 is kept where it asks for that",
    ask("GET /x HTTP/1.0", "Connection: keep-alive"),
    got=Got(end="open"),
    got_harm=Grade.SAFE,
)
keep.forwarded(
    "HTTP/1.0 is told that it is kept",
    ask("GET /x HTTP/1.0", "Connection: keep-alive"),
    got=Got(has=(b"Connection: keep-alive",), end="open"),
    got_harm=Grade.SAFE,
)
keep.forwarded(
    "A second request on a kept connection is answered",
    (Send(ask()), UntilClient(b"ok"), Send(NEXT)),
    lines=_TWO,
    got=_BOTH,
    answers=2,
)
keep.forwarded(
    "A second request behind a HEAD is answered",
    (Send(ask("HEAD /x HTTP/1.1")), UntilClient(b"\r\n\r\n"), Send(NEXT)),
    lines=("HEAD /x HTTP/1.1", "GET /next HTTP/1.1"),
    got=Got((200, 200), body=b""),
    store=(
        (ReadRequest(), Send(say("200 OK", "Content-Length: 2")), ReadRequest(), Send(OK)),
        (ReadRequest(), Send(OK)),
    ),
    is_head=True,
    answers=2,
)
keep.forwarded(
    "A second request behind a 304 is answered",
    (Send(ask()), UntilClient(b"\r\n\r\n"), Send(NEXT)),
    lines=_TWO,
    got=Got((304, 304), body=b""),
    store=say("304 Not Modified", "Content-Length: 9"),
    answers=2,
)
keep.forwarded(
    "A store's closed connection costs the next GET nothing",
    (Send(ask()), UntilClient(b"ok"), Pause(0.1), Send(NEXT)),
    lines=_TWO,
    got=_BOTH,
    store=((ReadRequest(), Send(OK), HalfClose()), (Answering((OK,)),)),
    answers=2,
)
keep.forwarded(
    "A store's closed connection costs the next POST nothing",
    (Send(ask()), UntilClient(b"ok"), Pause(0.1), Send(post("Content-Length: 2", body=b"hi"))),
    lines=("GET /x HTTP/1.1", "POST /x HTTP/1.1"),
    got=_BOTH,
    store=((ReadRequest(), Send(OK), HalfClose()), (Answering((OK,)),)),
    answers=2,
)
keep.add(
    "A GET that met a dying connection is sent again",
    (Send(ask()), UntilClient(b"ok"), Send(NEXT)),
    AnyOf((Forwarded(lines=_TWO, got=_BOTH), Forwarded(lines=(*_TWO, _TWO[1]), got=_BOTH))),
    store=((ReadRequest(), Send(OK), ReadRequest(), Reset()), (Answering((OK,)),)),
    answers=2,
)
keep.add(
    "A POST that was sent is never sent twice",
    (Send(ask()), UntilClient(b"ok"), Send(post("Content-Length: 2", body=b"hi"))),
    AnyOf(
        (
            Forwarded(
                lines=("GET /x HTTP/1.1", "POST /x HTTP/1.1"),
                got=Got((200, 502)),
                harm=Grade.DANGEROUS,
            ),
            Forwarded(
                lines=("GET /x HTTP/1.1", "POST /x HTTP/1.1"),
                got=_BOTH,
                harm=Grade.DANGEROUS,
                got_harm=Grade.SAFE,
            ),
        )
    ),
    store=((ReadRequest(), Send(OK), ReadRequest(), Reset()), (Answering((OK,)),)),
    answers=2,
)
keep.forwarded(
    "A closed half of a client's connection is no reason to fail, or to go on",
    (Send(ask()), HalfClose()),
    is_optional=True,
    got_harm=Grade.SAFE,
)

pipe = Shelf("Pipelining")
pipe.forwarded(
    "Two requests at once get two answers in order",
    ask() + NEXT,
    lines=_TWO,
    got=Got((200, 200), body=b"1"),
    store=(
        (
            ReadRequest(),
            Send(say("200 OK", "Content-Length: 1", body=b"1")),
            ReadRequest(),
            Send(OK),
        ),
        (ReadRequest(), Send(OK)),
    ),
    answers=2,
)
pipe.forwarded(
    "Twenty requests at once get twenty answers",
    ask() * 20,
    count=20,
    got=Got((200,) * 20),
    answers=20,
)
pipe.forwarded(
    "A request behind a body is answered",
    post("Content-Length: 5", body=b"hello") + NEXT,
    lines=("POST /x HTTP/1.1", "GET /next HTTP/1.1"),
    got=_BOTH,
    answers=2,
)
pipe.forwarded(
    "An empty line between two requests is read over",
    ask() + b"\r\n" + NEXT,
    lines=_TWO,
    got=_BOTH,
    answers=2,
)
pipe.refused(
    "A bad request behind a good one is refused alone",
    ask() + ask("GET /bad HTTP/1.1", "X-A : b"),
    400,
    before=1,
    answers=2,
    then=b"",
)
pipe.forwarded(
    "A slow answer does not let the next overtake",
    ask() + NEXT,
    lines=_TWO,
    got=Got((200, 200), body=b"slow"),
    store=(
        (
            ReadRequest(),
            Pause(0.15),
            Send(say("200 OK", "Content-Length: 4", body=b"slow")),
            ReadRequest(),
            Send(OK),
        ),
        (ReadRequest(), Send(OK)),
    ),
    answers=2,
)
pipe.forwarded(
    "A store never sees two requests at once on one connection",
    ask() + NEXT,
    lines=_TWO,
    got=_BOTH,
    store=(
        (ReadRequest(), Pause(0.1), Send(OK), ReadRequest(), Send(OK)),
        (ReadRequest(), Send(OK)),
    ),
    answers=2,
)
pipe.forwarded(
    "A request in two reads behind another is whole",
    (Send(ask() + NEXT[:10]), Pause(0.05), Send(NEXT[10:])),
    lines=_TWO,
    got=_BOTH,
    answers=2,
)

slow = Shelf("Slow clients")
_TIMED = {"patience_s": 4.5}
slow.add(
    "A head that does not come gets 408",
    (Send(b"GET /x HTTP/1.1\r\nHost: sh"),),
    Refused((408, 400)),
    **_TIMED,
)
slow.add(
    "A head that drips gets 408",
    tuple(
        s
        for byte in ask("GET /x HTTP/1.1", "X-A: " + "b" * 30)[:26]
        for s in (Send(bytes((byte,))), Pause(0.12))
    ),
    Refused((408, 400)),
    **_TIMED,
)
slow.add(
    "A body that stops gets 408",
    post("Content-Length: 10", body=b"hello"),
    Refused((408, 400, 504), is_begun=True),
    **_TIMED,
)
slow.add(
    "A chunked body that stops gets 408",
    post("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"),
    Refused((408, 400, 504), is_begun=True),
    **_TIMED,
)
slow.add(
    "A client that leaves in its head is no request",
    (Send(b"GET /x HTTP/1.1\r\nHost: sh"), HalfClose()),
    AnyOf((Refused((400, 408)),)),
)
slow.add(
    "A client that leaves in its body is no request",
    (Send(post("Content-Length: 10", body=b"hello")), HalfClose()),
    Refused((400, 408), is_begun=True),
)
slow.add(
    "A client that leaves in a chunk is no request",
    (Send(post("Transfer-Encoding: chunked", body=b"9\r\nhello")), HalfClose()),
    Refused((400, 408), is_begun=True),
)
slow.add(
    "A client that leaves in a trailer is no request",
    (Send(post("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nX-A")), HalfClose()),
    Refused((400, 408), is_begun=True),
)

gone = Shelf("Clients that leave")
gone.add(
    "A reset while waiting ends the store's work",
    (Send(ask()), UntilStore(b"\r\n\r\n"), Reset(), UntilStoreEnds()),
    Cancelled(),
    store=(ReadRequest(), Pause(5)),
    patience_s=1.4,
)
gone.add(
    "A reset in an answer ends the store's work",
    (Send(ask()), UntilClient(b"one"), Reset(), UntilStoreEnds()),
    Cancelled(),
    store=(
        ReadRequest(),
        Send(say("200 OK", "Transfer-Encoding: chunked", body=b"3\r\none\r\n")),
        *((Pause(0.05), Send(b"3\r\ntwo\r\n")) * 30),
    ),
    patience_s=1.4,
)
gone.add(
    "A reset in a body ends the store's work",
    (
        Send(post("Content-Length: 10", body=b"hello")),
        UntilStore(b"hello"),
        Reset(),
        UntilStoreEnds(),
    ),
    Cancelled(),
    store=(ReadHead(), Pause(5)),
    patience_s=1.4,
)

SHELVES = (keep, pipe, slow, gone)
