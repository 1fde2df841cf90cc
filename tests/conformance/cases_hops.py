"""What concerns one connection only, who asked, and what is ours."""

from __future__ import annotations

from tests.conformance.build import Shelf, ask, chunked, post, say
from tests.conformance.case import Forwarded, Got, Grade

hops = Shelf("Hop by hop")
for _name, _fields, _lacks in (
    ("Connection is not passed on", ("Connection: X-Some-Thing",), b"connection: x-some"),
    (
        "A field that Connection names is taken out",
        ("Connection: X-Secret", "X-Secret: 1"),
        b"x-secret",
    ),
    ("Connection names fields in any case", ("Connection: x-SECRET", "X-Secret: 1"), b"x-secret"),
    (
        "Connection may name several fields",
        ("Connection: X-One, X-Two", "X-One: 1", "X-Two: 2"),
        b"x-two",
    ),
    (
        "A second Connection field counts too",
        ("Connection: close", "Connection: X-Secret", "X-Secret: 1"),
        b"x-secret",
    ),
    (
        "An empty Connection field does not hide the next",
        ("Connection:", "Connection: X-Secret", "X-Secret: 1"),
        b"x-secret",
    ),
    (
        "Connection may have empty members",
        ("Connection: , X-Secret ,,", "X-Secret: 1"),
        b"x-secret",
    ),
    ("Keep-Alive is not passed on", ("Keep-Alive: timeout=5",), b"keep-alive"),
    ("Proxy-Connection is not passed on", ("Proxy-Connection: keep-alive",), b"proxy-connection"),
    ("TE is not passed on but for trailers", ("TE: gzip", "Connection: TE"), b"te: gzip"),
    (
        "An upgrade that Connection does not name is not passed on",
        ("Upgrade: websocket",),
        b"upgrade",
    ),
    (
        "Upgrade to HTTP/2 in clear text is not passed on",
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        b"upgrade: h2c",
    ),
    (
        "Settings of HTTP/2 are not passed on",
        ("Connection: HTTP2-Settings", "HTTP2-Settings: AAMAAABk"),
        b"http2-settings",
    ),
):
    hops.forwarded(
        _name,
        ask("GET /x HTTP/1.1", *_fields),
        lacks=(_lacks,),
        is_optional=True,
        got=Got(),
        harm=Grade.WRONG,
    )
hops.forwarded(
    "Proxy-Authorization is not passed on",
    ask("GET /x HTTP/1.1", "Proxy-Authorization: Basic YTpi"),
    lacks=(b"proxy-authorization",),
    harm=Grade.LAX,
)
hops.forwarded(
    "Connection cannot take the host away",
    ask("GET /x HTTP/1.1", "Connection: Host"),
    has=(b"Host: shop.example",),
    is_optional=True,
    harm=Grade.DANGEROUS,
)
hops.forwarded(
    "Connection cannot take authorization away",
    ask("GET /x HTTP/1.1", "Connection: Authorization", "Authorization: Bearer a"),
    has=(b"Authorization: Bearer a",),
    is_optional=True,
    harm=Grade.LAX,
)
hops.forwarded(
    "Connection cannot take cookies away",
    ask("GET /x HTTP/1.1", "Connection: Cookie", "Cookie: a=1"),
    has=(b"Cookie: a=1",),
    is_optional=True,
    harm=Grade.LAX,
)
hops.forwarded(
    "Connection cannot take the content type away",
    post("Connection: Content-Type", "Content-Type: text/plain", "Content-Length: 2", body=b"hi"),
    has=(b"Content-Type: text/plain",),
    is_optional=True,
    harm=Grade.LAX,
)
hops.answered(
    "Connection of an answer is not passed on",
    say("200 OK", "Connection: X-Secret", "X-Secret: 1", "Content-Length: 2", body=b"ok"),
    Forwarded(got=Got(lacks=(b"x-secret", b"connection: x"))),
)
hops.answered(
    "Keep-Alive of an answer is not passed on",
    say(
        "200 OK",
        "Keep-Alive: timeout=77",
        "Connection: keep-alive",
        "Content-Length: 2",
        body=b"ok",
    ),
    Forwarded(got=Got(lacks=(b"keep-alive: timeout=77",))),
)
hops.answered(
    "A store's close does not close the client",
    say("200 OK", "Connection: close", "Content-Length: 2", body=b"ok"),
    Forwarded(got=Got(end="open")),
    fin=True,
)
hops.answered(
    "Proxy-Authenticate of an answer is not passed on",
    say("200 OK", "Proxy-Authenticate: Basic", "Content-Length: 2", body=b"ok"),
    Forwarded(got=Got(lacks=(b"proxy-authenticate",)), got_harm=Grade.LAX),
)
hops.answered(
    "An answer's Upgrade offer is not passed on",
    say("200 OK", "Upgrade: h2c", "Connection: Upgrade", "Content-Length: 2", body=b"ok"),
    Forwarded(got=Got(lacks=(b"upgrade",)), got_harm=Grade.LAX),
)
hops.forwarded(
    "Trailers are announced to the store or dropped",
    chunked(b"2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n", "Trailer: X-Sum"),
    body=b"hi",
)
hops.forwarded(
    "TE: trailers does no harm", ask("GET /x HTTP/1.1", "TE: trailers", "Connection: TE")
)

who = Shelf("Who asked")
_FROM = ("GET /x HTTP/1.1",)
who.forwarded(
    "X-Forwarded-For of a stranger is not believed",
    ask(*_FROM, "X-Forwarded-For: 203.0.113.9"),
    has=(b"X-Forwarded-For: 127.0.0.1",),
    lacks=(b"x-forwarded-for: 203",),
    is_ours=True,
    harm=Grade.DANGEROUS,
)
who.forwarded(
    "X-Forwarded-Proto of a stranger is not believed",
    ask(*_FROM, "X-Forwarded-Proto: https"),
    has=(b"X-Forwarded-Proto: http",),
    lacks=(b"x-forwarded-proto: https",),
    is_ours=True,
    harm=Grade.DANGEROUS,
)
who.forwarded(
    "X-Forwarded-Host of a stranger is not believed",
    ask(*_FROM, "X-Forwarded-Host: evil.example"),
    has=(b"X-Forwarded-Host: shop.example",),
    lacks=(b"x-forwarded-host: evil",),
    is_ours=True,
    harm=Grade.DANGEROUS,
)
for _field in (
    "X-Forwarded-Port: 1",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Server: evil",
    "X-Real-IP: 203.0.113.9",
    "Forwarded: for=203.0.113.9",
):
    who.forwarded(
        f"{_field.split(':')[0]} of a stranger is dropped",
        ask(*_FROM, _field),
        lacks=(_field.lower().encode(),),
        is_ours=True,
        harm=Grade.DANGEROUS,
    )
for _field in (
    "X_Forwarded_For: 203.0.113.9",
    "X-Forwarded_For: 203.0.113.9",
    "X_Real_IP: 203.0.113.9",
):
    who.forwarded(
        f"{_field.split(':')[0]} is not believed either",
        ask(*_FROM, _field),
        lacks=(_field.lower().encode(),),
        is_ours=True,
        harm=Grade.DANGEROUS,
    )
who.forwarded(
    "Connection cannot take X-Forwarded-For away",
    ask(*_FROM, "Connection: X-Forwarded-For"),
    has=(b"X-Forwarded-For: 127.0.0.1",),
    is_ours=True,
    harm=Grade.DANGEROUS,
)
who.forwarded(
    "Via is added behind the client's own",
    ask(*_FROM, "Via: 1.1 elsewhere"),
    has=(b"Via: 1.1 elsewhere", b"Via: 1.1 banyan"),
    is_ours=True,
)
who.forwarded(
    "Via tells HTTP/1.0 of the client",
    ask("GET /x HTTP/1.0"),
    has=(b"Via: 1.0 banyan",),
    is_ours=True,
)
who.forwarded("An answer carries Via", ask(), got=Got(has=(b"Via: 1.1 banyan",)), is_ours=True)
who.forwarded(
    "A request id of the client is kept",
    ask(*_FROM, "X-Request-ID: abc-123"),
    has=(b"X-Request-ID: abc-123",),
    got=Got(has=(b"X-Request-ID: abc-123",)),
    is_ours=True,
)
who.forwarded(
    "A request id with odd characters is replaced",
    ask(*_FROM, "X-Request-ID: a b<c>"),
    lacks=(b"x-request-id: a b",),
    is_ours=True,
)
who.forwarded(
    "Two request ids are replaced by one",
    ask(*_FROM, "X-Request-ID: a", "X-Request-ID: b"),
    lacks=(b"x-request-id: a\r", b"x-request-id: b\r"),
    is_ours=True,
)
who.forwarded(
    "A trace goes through untouched",
    ask(
        *_FROM,
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate: a=b",
    ),
    has=(
        b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"tracestate: a=b",
    ),
)

control = Shelf("Control fields")
for _field in (
    "X-Banyan-Pilot: internal",
    "x-banyan-pilot: internal",
    "X_Banyan_Pilot: internal",
    "X-Banyan_Pilot: internal",
    "X-BANYAN-ANYTHING: 1",
):
    control.forwarded(
        f"{_field.split(':')[0]} does not reach a store",
        ask(*_FROM, _field),
        lacks=(_field.lower().encode(),),
        is_ours=True,
        harm=Grade.DANGEROUS,
    )
control.forwarded(
    "A control field in a trailer does not reach a store",
    chunked(b"2\r\nhi\r\n0\r\nX-Banyan-Pilot: internal\r\n\r\n"),
    body=b"hi",
    lacks=(b"x-banyan",),
    is_ours=True,
)
control.answered(
    "A store's control fields do not reach the client",
    say("200 OK", "X-Banyan-Stage: shadow", "Content-Length: 2", body=b"ok"),
    Forwarded(got=Got(lacks=(b"x-banyan",))),
    is_ours=True,
)
control.answered(
    "A store cannot say that another served",
    say("200 OK", "X-Served-By: core", "Content-Length: 2", body=b"ok"),
    Forwarded(got=Got(has=(b"X-Served-By: legacy",), lacks=(b"x-served-by: core",))),
    is_ours=True,
)
control.answered(
    "A store cannot change the request id",
    say("200 OK", "X-Request-ID: other", "Content-Length: 2", body=b"ok"),
    Forwarded(got=Got(has=(b"X-Request-ID: mine",), lacks=(b"x-request-id: other",))),
    request=ask(*_FROM, "X-Request-ID: mine"),
    is_ours=True,
)
for _spelling in (
    "X_Served_By: core",
    "X-Request_ID: evil",
    "Transfer_Encoding: chunked",
    "Content_Length: 99",
    "Connection_: close",
):
    control.forwarded(
        f"{_spelling.split(':')[0]} from a client does no harm",
        ask(*_FROM, _spelling),
        lacks=(b"transfer_encoding", b"content_length", b"x-request_id"),
        is_ours=True,
        is_optional=True,
    )

SHELVES = (hops, who, control)
