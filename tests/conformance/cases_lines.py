"""Request lines, and how much of anything is taken."""

from __future__ import annotations

from tests.conformance.build import Shelf, ask
from tests.conformance.case import Grade, Pause, Send

line = Shelf("Request line")
for _name, _line in {
    "Two spaces in a request line are refused": "GET  /x HTTP/1.1",
    "A tab in a request line is refused": "GET\t/x HTTP/1.1",
    "Space before a method is refused": " GET /x HTTP/1.1",
    "Space behind a version is refused": "GET /x HTTP/1.1 ",
    "Space in a target is refused": "GET /x y HTTP/1.1",
    "A request line without a version is refused": "GET /x",
    "A version in small letters is refused": "GET /x http/1.1",
    "A version without a minor is refused": "GET /x HTTP/1",
    "A version of two digits is refused": "GET /x HTTP/1.10",
    "A version with a comma is refused": "GET /x HTTP/1,1",
    "A version of another protocol is refused": "GET /x ICAP/1.1",
    "A version with a plus is refused": "GET /x HTTP/+1.1",
    "An empty method is refused": "/x HTTP/1.1",
    "A method with a bracket is refused": "GE(T /x HTTP/1.1",
    "A method with a colon is refused": "GET: /x HTTP/1.1",
    "A method with a high byte is refused": "G\xcbT /x HTTP/1.1",
    "A method with a NUL is refused": "GE\0T /x HTTP/1.1",
    "A NUL in a target is refused": "GET /x\0y HTTP/1.1",
    "A control character in a target is refused": "GET /x\x01y HTTP/1.1",
    "A DEL in a target is refused": "GET /x\x7fy HTTP/1.1",
    "A bare CR in a target is refused": "GET /x\ry HTTP/1.1",
    "A vertical tab in a request line is refused": "GET\x0b/x HTTP/1.1",
    "Words behind the version are refused": "GET /x HTTP/1.1 HTTP/1.1",
}.items():
    line.refused(
        _name,
        ask(_line),
        400,
        405,
        501,
        505,
        harm=Grade.LAX if "without a version" in _name else Grade.DANGEROUS,
    )
for _name, _line in {
    "HTTP/2.0 in a request line is refused": "GET /x HTTP/2.0",
    "HTTP/3.0 in a request line is refused": "GET /x HTTP/3.0",
    "HTTP/1.2 is not passed on as it is": "GET /x HTTP/1.2",
    "HTTP/0.9 by name is refused": "GET /x HTTP/0.9",
}.items():
    line.refused(_name, ask(_line), 505, 400, 426, hazard=_line.rsplit(" ", 1)[1].lower().encode())
line.refused(
    "A preface of HTTP/2 is refused", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 400, harm=Grade.LAX
)
line.refused(
    "A TLS hello is refused",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
    400,
)
line.refused(
    "A request line that ends in a bare LF is refused",
    b"GET /x HTTP/1.1\nHost: shop.example\r\n\r\n",
    400,
)
line.refused("A head of bare LFs is refused", b"GET /x HTTP/1.1\nHost: shop.example\n\n", 400)
line.refused(
    "A head that ends in a bare LF is refused", b"GET /x HTTP/1.1\r\nHost: shop.example\r\n\n", 400
)
line.refused(
    "A head of bare CRs is refused",
    b"GET /x HTTP/1.1\rHost: shop.example\r\r",
    400,
    then=b"\r\n\r\n",
)
line.refused(
    "Three CRs and an LF are no line end", b"GET /x HTTP/1.1\r\r\r\nHost: shop.example\r\n\r\n", 400
)
line.refused(
    "A method of a thousand letters is refused", ask("A" * 1_000 + " /x HTTP/1.1"), 400, 405, 501
)
line.refused(
    "CONNECT is refused", ask("CONNECT shop.example:443 HTTP/1.1"), 501, 405, 400, 403, 404
)
line.refused("CONNECT with a path is refused", ask("CONNECT /x HTTP/1.1"), 501, 405, 400, 403, 404)
line.forwarded(
    "An empty line before a request is read over",
    b"\r\n" + ask(),
    lines=("GET /x HTTP/1.1",),
    is_optional=True,
)
line.forwarded(
    "Several empty lines before a request are read over",
    b"\r\n\r\n\r\n" + ask(),
    lines=("GET /x HTTP/1.1",),
    is_optional=True,
)
line.forwarded(
    "A head may come byte by byte",
    tuple(Send(bytes((b,))) for b in ask("GET /x HTTP/1.1", "X-A: b")),
    has=(b"X-A: b",),
)
line.forwarded(
    "A head may come in two halves",
    (Send(ask()[:20]), Pause(0.05), Send(ask()[20:])),
    lines=("GET /x HTTP/1.1",),
)
line.forwarded(
    "A head split between CR and LF is whole",
    (Send(ask()[:-1]), Pause(0.05), Send(ask()[-1:])),
    lines=("GET /x HTTP/1.1",),
)
for _method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
    line.forwarded(
        f"{_method} goes through",
        ask(f"{_method} /x HTTP/1.1", "Content-Length: 2", body=b"hi"),
        lines=(f"{_method} /x HTTP/1.1",),
        body=b"hi",
    )
line.forwarded(
    "PROPFIND goes through",
    ask("PROPFIND /x HTTP/1.1"),
    lines=("PROPFIND /x HTTP/1.1",),
    is_optional=True,
)
line.forwarded("TRACE is refused or goes through whole", ask("TRACE /x HTTP/1.1"), is_optional=True)
line.forwarded(
    "An unknown method is refused or goes through as it is",
    ask("BREW /x HTTP/1.1"),
    lines=("BREW /x HTTP/1.1",),
    is_optional=True,
)
line.forwarded(
    "A method in small letters is not made another",
    ask("get /x HTTP/1.1"),
    lines=("get /x HTTP/1.1",),
    is_optional=True,
    harm=Grade.DANGEROUS,
)

limits = Shelf("Limits")
limits.refused(
    "A field of 200,000 bytes gets 431", ask("GET /x HTTP/1.1", "X-A: " + "b" * 200_000), 431, 400
)
limits.refused(
    "A head of 20,000 fields gets 431",
    ask("GET /x HTTP/1.1", *("X-A: b" for _ in range(20_000))),
    431,
    400,
)
limits.refused(
    "A thousand small fields get 431",
    ask("GET /x HTTP/1.1", *(f"X-{n}: b" for n in range(1_000))),
    431,
    400,
)
limits.refused(
    "A field name of 100,000 bytes gets 431",
    ask("GET /x HTTP/1.1", "X" * 100_000 + ": b"),
    431,
    400,
)
limits.refused(
    "A target that never ends gets 414", b"GET /" + b"a" * 200_000, 414, 431, 400, then=b""
)
limits.refused("A method that never ends is refused", b"A" * 200_000, 414, 431, 400, 501, then=b"")
limits.refused(
    "A head that never ends gets 431",
    b"GET /x HTTP/1.1\r\nHost: shop.example\r\n" + b"X-A: bbbbbbbbbbb\r\n" * 12_000,
    431,
    400,
    then=b"",
)
limits.refused(
    "A body too large by its length gets 413",
    ask("POST /x HTTP/1.1", "Content-Length: 99999999"),
    413,
    then=b"",
)
limits.refused(
    "A body too large by its chunks gets 413",
    ask(
        "POST /x HTTP/1.1",
        "Transfer-Encoding: chunked",
        body=(b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 20,
    ),
    413,
    is_begun=True,
    mended=Grade.LAX,
)
limits.forwarded(
    "Ninety fields are not too many",
    ask("GET /x HTTP/1.1", *(f"X-{n}: b" for n in range(90))),
    has=(b"X-0: b", b"X-89: b"),
)
limits.forwarded(
    "Cookies of 7,000 bytes are not too long",
    ask("GET /x HTTP/1.1", "Cookie: s=" + "a" * 7_000),
    has=(b"Cookie: s=" + b"a" * 7_000,),
)

SHELVES = (line, limits)
