"""WebSockets: tunnels through the proxy, and upgrades that come to nothing."""

from __future__ import annotations

from tests.conformance.build import NEXT, Shelf, ask, say
from tests.conformance.case import (
    AnyOf,
    Cancelled,
    Forwarded,
    Got,
    HalfClose,
    ReadHead,
    Refused,
    Reset,
    Send,
    UntilClient,
    UntilStore,
    UntilStoreEnds,
)

switch = Shelf("Upgrades")
_WS = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
_101 = say(
    "101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
)
_ASK_WS = ask("GET /chat HTTP/1.1", *_WS)
switch.forwarded(
    "A WebSocket's tunnel carries bytes both ways",
    (Send(_ASK_WS), UntilClient(b"\r\n\r\n"), Send(b"\x81ping"), UntilClient(b"pong")),
    lines=("GET /chat HTTP/1.1",),
    tunnel=b"\x81ping",
    got=Got((), None, tunnel=b"\x81pong"),
    store=(ReadHead(), Send(_101), UntilStore(b"ping"), Send(b"\x81pong")),
)
switch.forwarded(
    "A WebSocket's fields arrive",
    (Send(_ASK_WS), UntilClient(b"\r\n\r\n")),
    lines=("GET /chat HTTP/1.1",),
    has=(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    got=Got((), None, tunnel=b""),
    store=(ReadHead(), Send(_101)),
)
switch.forwarded(
    "Bytes behind a 101 in one read belong to the tunnel",
    (Send(_ASK_WS), UntilClient(b"first")),
    lines=("GET /chat HTTP/1.1",),
    got=Got((), None, tunnel=b"first"),
    store=(ReadHead(), Send(_101 + b"first")),
)
switch.forwarded(
    "Bytes in a tunnel are no HTTP",
    (
        Send(_ASK_WS),
        UntilClient(b"\r\n\r\n"),
        Send(b"\x00\xff GET / HTTP/1.1\r\n\r\n\x01"),
        UntilStore(b"\x01"),
        UntilClient(b"end"),
    ),
    tunnel=b"\x00\xff GET / HTTP/1.1\r\n\r\n\x01",
    lines=("GET /chat HTTP/1.1",),
    got=Got((), None, tunnel=b"HTTP/1.1 999\r\n\r\nend"),
    store=(ReadHead(), Send(_101), UntilStore(b"\x01"), Send(b"HTTP/1.1 999\r\n\r\nend")),
)
switch.forwarded(
    "A store that ends its tunnel ends the client's",
    (Send(_ASK_WS), UntilClient(b"bye")),
    lines=("GET /chat HTTP/1.1",),
    got=Got((), None, tunnel=b"bye", end="closed"),
    store=(ReadHead(), Send(_101), Send(b"bye"), HalfClose()),
)
switch.add(
    "A client that ends its tunnel ends the store's",
    (
        Send(_ASK_WS),
        UntilClient(b"\r\n\r\n"),
        Send(b"x"),
        UntilStore(b"\r\n\r\nx"),
        Reset(),
        UntilStoreEnds(),
    ),
    Cancelled(),
    store=(ReadHead(), Send(_101)),
    patience_s=1.4,
)
switch.forwarded(
    "A store may decline an upgrade", _ASK_WS, lines=("GET /chat HTTP/1.1",), got=Got((200,))
)
switch.forwarded(
    "A declined upgrade leaves a connection for the next request",
    (Send(_ASK_WS), UntilClient(b"ok"), Send(NEXT)),
    count=2,
    got=Got((200, 200)),
    answers=2,
)
switch.add(
    "An upgrade in HTTP/1.0 is none",
    ask("GET /chat HTTP/1.0", *_WS),
    AnyOf((Forwarded(lacks=(b"upgrade",)), Refused((400, 501, 426)))),
)
switch.add(
    "Bytes sent before a 101 are not another request",
    (Send(_ASK_WS + NEXT),),
    AnyOf(
        (
            Forwarded(lines=("GET /chat HTTP/1.1",), got=Got((403,), b"no")),
            Forwarded(
                lines=("GET /chat HTTP/1.1", "GET /next HTTP/1.1"), got=Got((403, 403), b"no")
            ),
            Refused((400, 501)),
        )
    ),
    store=say("403 No", "Content-Length: 2", body=b"no"),
)

SHELVES = (switch,)
