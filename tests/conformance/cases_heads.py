"""Targets, hosts, fields: what is read, what is refused, what stays as it was."""

from __future__ import annotations

from tests.conformance.build import Shelf, ask
from tests.conformance.case import AnyOf, Forwarded, Grade, Refused

target = Shelf("Target")
for _name, _target in {
    "A query stays as it is": "/x?b=2&a=1&a=3&c",
    "An empty query stays": "/x?",
    "Percent signs stay as written": "/x%2Fy%2f%7e?q=%20+%2B",
    "A broken percent sign is not mended": "/x%zz?q=%",
    "Doubled slashes stay": "/x//y///z",
    "A semicolon stays": "/x;v=1.2/y",
    "Brackets and pipes in a query stay": "/x?f[]=1|2&g={3}",
    "A second question mark stays": "/x?a=?b",
    "A colon in the first segment stays": "/a:b/c",
    "An at sign in a path stays": "/@someone",
    "A target of 4,000 bytes stays whole": "/" + "a" * 4_000,
}.items():
    target.forwarded(
        _name,
        ask(f"GET {_target} HTTP/1.1"),
        lines=(f"GET {_target} HTTP/1.1",),
        is_optional="%" in _target,
    )
target.forwarded(
    "High bytes in a target stay, or are refused",
    ask("GET /caf\xc3\xa9 HTTP/1.1"),
    lines=("GET /caf\xc3\xa9 HTTP/1.1",),
    is_optional=True,
)
target.add(
    "Dots in a path are decided once, in the form that is forwarded",
    ask("GET /a/../b/./c HTTP/1.1"),
    AnyOf(
        (
            Forwarded(lines=("GET /a/../b/./c HTTP/1.1",)),
            Forwarded(lines=("GET /b/c HTTP/1.1",)),
            Refused((400,)),
        )
    ),
)
target.forwarded(
    "An absolute target becomes a path",
    ask("GET http://shop.example/x?y HTTP/1.1"),
    lines=("GET /x?y HTTP/1.1",),
    has=(b"Host: shop.example",),
    harm=Grade.SAFE,
)
target.forwarded(
    "An absolute target without a path means the root",
    ask("GET http://shop.example HTTP/1.1"),
    lines=("GET / HTTP/1.1",),
    is_optional=True,
    harm=Grade.SAFE,
)
target.forwarded(
    "An absolute target may have its scheme in capitals",
    ask("GET HTTP://shop.example/x HTTP/1.1"),
    lines=("GET /x HTTP/1.1",),
    is_optional=True,
    harm=Grade.SAFE,
)
target.forwarded(
    "An absolute target with only a query gets a root",
    ask("GET http://shop.example?a=1 HTTP/1.1"),
    lines=("GET /?a=1 HTTP/1.1",),
    is_optional=True,
    harm=Grade.SAFE,
)
target.refused(
    "An absolute target of another host than Host is refused",
    ask("GET http://other.example/x HTTP/1.1"),
    400,
)
target.refused(
    "An absolute target with a user is refused",
    ask("GET http://me@shop.example/x HTTP/1.1"),
    400,
    hazard=b"me@shop",
    harm=Grade.LAX,
)
target.refused(
    "An absolute target with another scheme is refused",
    ask("GET gopher://shop.example/x HTTP/1.1"),
    400,
    hazard=b"gopher",
    harm=Grade.LAX,
)
target.refused(
    "An absolute target without a host is refused",
    ask("GET http:///x HTTP/1.1"),
    400,
    hazard=b"http:///",
    harm=Grade.LAX,
)
target.refused(
    "A fragment in a target is refused", ask("GET /x#y HTTP/1.1"), 400, hazard=b"#", harm=Grade.LAX
)
target.refused(
    "A target without a slash is refused",
    ask("GET x HTTP/1.1"),
    400,
    hazard=b"get x http",
    harm=Grade.LAX,
)
target.refused(
    "An authority for a target of GET is refused",
    ask("GET shop.example:80 HTTP/1.1"),
    400,
    hazard=b"get shop.",
    harm=Grade.LAX,
)
target.refused(
    "An asterisk is no target of GET", ask("GET * HTTP/1.1"), 400, hazard=b"get *", harm=Grade.LAX
)
target.forwarded(
    "OPTIONS may ask about the whole store",
    ask("OPTIONS * HTTP/1.1"),
    lines=("OPTIONS * HTTP/1.1",),
    is_optional=True,
)
target.refused(
    "A backslash for a slash is refused",
    ask("GET \\x HTTP/1.1"),
    400,
    hazard=b"get \\",
    harm=Grade.LAX,
)
target.refused(
    "A target that is too long gets 414", ask("GET /" + "a" * 70_000 + " HTTP/1.1"), 414, 431, 400
)

hosts = Shelf("Host")
hosts.forwarded(
    "A host with a port stays as it is",
    ask(host="Host: shop.example:8080"),
    has=(b"Host: shop.example:8080",),
)
hosts.forwarded(
    "A host that is an IPv6 address stays as it is",
    ask(host="Host: [2001:db8::7]:8080"),
    has=(b"Host: [2001:db8::7]:8080",),
    is_optional=True,
)
hosts.forwarded(
    "A host in capitals stays as it is",
    ask(host="Host: SHOP.Example"),
    has=(b"Host: SHOP.Example",),
    harm=Grade.SAFE,
)
for _name, _host in {
    "No host is refused": "X-A: b",
    "Two hosts are refused": "Host: shop.example\r\nHost: other.example",
    "Two equal hosts are refused": "Host: shop.example\r\nHost: shop.example",
    "A host list is refused": "Host: shop.example, other.example",
    "A host with a path is refused": "Host: shop.example/x",
    "A host with a user is refused": "Host: me@shop.example",
    "A host with space inside is refused": "Host: shop example",
    "A host with a query is refused": "Host: shop.example?x",
    "A host with a fragment is refused": "Host: shop.example#x",
    "A host with a backslash is refused": "Host: shop.example\\x",
    "A host with a port that is no number is refused": "Host: shop.example:http",
    "A host with a negative port is refused": "Host: shop.example:-1",
    "A host with two ports is refused": "Host: shop.example:80:80",
    "A host with a NUL is refused": "Host: shop.example\0x",
    "A host with a tab inside is refused": "Host: shop\texample",
    "A host that is half an IPv6 address is refused": "Host: [2001:db8::7",
    "A host with high bytes is refused": "Host: sh\xf6p.example",
    "A host with markup is refused": "Host: <b>shop</b>",
    "A host whose name ends in space is refused": "Host : shop.example",
    "A host on a folded line is refused": "Host:\r\n shop.example",
}.items():
    hosts.refused(_name, ask(host=_host), 400)
hosts.refused(
    "An empty host is refused", ask(host="Host:"), 400, hazard=b"\r\nhost:\r\n", harm=Grade.LAX
)
hosts.add(
    "HTTP/1.0 needs no host", ask("GET /x HTTP/1.0", host=""), Forwarded(lines=(), is_optional=True)
)

fields = Shelf("Fields")
fields.forwarded(
    "Order, case and repetitions of fields stay",
    ask("GET /x HTTP/1.1", "X-b: 2", "x-A: 1", "X-B: 3", "accept: a", "Accept: b"),
    block=b"X-b: 2\r\nx-A: 1\r\nX-B: 3\r\naccept: a\r\nAccept: b\r\n",
    harm=Grade.SAFE,
)
fields.forwarded(
    "Repeated fields keep their values in order",
    ask("GET /x HTTP/1.1", "X-B: 2", "X-B: 3", "X-B: 1"),
    has=(b"X-B: 2", b"X-B: 3", b"X-B: 1"),
    harm=Grade.SAFE,
)
fields.forwarded(
    "Two cookie fields arrive",
    ask("GET /x HTTP/1.1", "Cookie: a=1", "Cookie: b=2"),
    harm=Grade.SAFE,
    has=(b"Cookie: a=1", b"Cookie: b=2"),
)
fields.forwarded(
    "An empty value stays a field", ask("GET /x HTTP/1.1", "X-Empty:", "X-A: b"), has=(b"X-A: b",)
)
fields.forwarded(
    "High bytes in a value stay",
    ask("GET /x HTTP/1.1", "X-Name: caf\xe9 \xc3\xa9"),
    has=(b"X-Name: caf\xe9 \xc3\xa9",),
    is_optional=True,
)
fields.forwarded(
    "A tab inside a value stays",
    ask("GET /x HTTP/1.1", "X-A: b\tc"),
    has=(b"X-A: b\tc",),
    is_optional=True,
)
fields.forwarded(
    "A value of 4,000 bytes stays whole",
    ask("GET /x HTTP/1.1", "X-A: " + "b" * 4_000),
    has=(b"X-A: " + b"b" * 4_000,),
)
fields.forwarded(
    "Commas and quotes in a value stay",
    ask("GET /x HTTP/1.1", 'X-A: a, "b,c" ,;d=\\e'),
    has=(b'X-A: a, "b,c" ,;d=\\e',),
)
fields.forwarded(
    "Accept-Encoding is not touched",
    ask("GET /x HTTP/1.1", "Accept-Encoding: br;q=1.0, gzip;q=0.5, *;q=0"),
    has=(b"Accept-Encoding: br;q=1.0, gzip;q=0.5, *;q=0",),
)
fields.forwarded(
    "Range and conditions are not touched",
    ask("GET /x HTTP/1.1", "Range: bytes=0-4,9-", 'If-None-Match: W/"a", "b"', 'If-Range: "a"'),
    has=(b"Range: bytes=0-4,9-", b'If-None-Match: W/"a", "b"', b'If-Range: "a"'),
)
fields.forwarded(
    "Authorization and cookies are not touched",
    ask("GET /x HTTP/1.1", "Authorization: Bearer a.b.c", "Cookie: s=1; t=2"),
    has=(b"Authorization: Bearer a.b.c", b"Cookie: s=1; t=2"),
)
fields.forwarded("No user agent is invented", ask(), lacks=(b"user-agent", b"accept:"))
fields.forwarded(
    "An unusual but legal field name stays",
    ask("GET /x HTTP/1.1", "X!#$%&'*+.^`|~1: b"),
    has=(b"X!#$%&'*+.^`|~1: b",),
    is_optional=True,
)
for _name, _field in {
    "A folded field is refused": "X-A: b\r\n c",
    "A field folded by a tab is refused": "X-A: b\r\n\tc",
    "A field folded to nothing is refused": "X-A: b\r\n ",
    "Space before a colon is refused": "X-A : b",
    "A tab before a colon is refused": "X-A\t: b",
    "A NUL in a value is refused": "X-A: b\0c",
    "A NUL in a name is refused": "X\0A: b",
    "A bare CR in a value is refused": "X-A: b\rc",
    "A bare CR at the end of a value is refused": "X-A: b\r",
    "A bare LF in a value is refused": "X-A: b\nX-C: d",
    "An escape in a value is refused": "X-A: \x1b[0m",
    "A DEL in a value is refused": "X-A: \x7f",
    "A bell in a value is refused": "X-A: \x07",
    "A field without a colon is refused": "X-A",
    "A field without a name is refused": ": b",
    "Space inside a name is refused": "X A: b",
    "A high byte in a name is refused": "X-\xc4: b",
    "A bracket in a name is refused": "X(A): b",
    "A quote in a name is refused": '"X-A": b',
    "A slash in a name is refused": "X/A: b",
    "An at sign in a name is refused": "X@A: b",
    "A comma in a name is refused": "X,A: b",
    "A control character in a name is refused": "X\x01A: b",
    "A vertical tab before a colon is refused": "X-A\x0b: b",
}.items():
    fields.refused(_name, ask("GET /x HTTP/1.1", _field), 400)
fields.refused(
    "Space before the first field is refused",
    b"GET /x HTTP/1.1\r\n Host: shop.example\r\nX-A: b\r\n\r\n",
    400,
)
fields.refused(
    "A tab before the first field is refused",
    b"GET /x HTTP/1.1\r\n\tX-A: b\r\nHost: shop.example\r\n\r\n",
    400,
)

SHELVES = (target, hosts, fields)
