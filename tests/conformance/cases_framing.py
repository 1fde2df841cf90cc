"""How long a request is: what two readers could take differently."""

from __future__ import annotations

from tests.conformance.build import HOST, NEXT, Shelf, ask, chunked, post
from tests.conformance.case import AnyOf, Forwarded, Got, Grade, Pause, Refused, Send

_TE = "Transfer-Encoding: chunked"
_HIDDEN = b"0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: shop.example\r\n\r\n"

length = Shelf("Content-Length")
length.forwarded(
    "A body of a given length arrives as sent",
    post("Content-Length: 5", body=b"hello"),
    body=b"hello",
)
length.forwarded("A length of zero is no body", post("Content-Length: 0"), body=b"")
length.forwarded("A POST without a length has no body", post(), body=b"")
length.forwarded(
    "Leading zeros of a length change nothing",
    post("Content-Length: 005", body=b"hello"),
    body=b"hello",
    is_optional=True,
)
length.forwarded(
    "Space around a length is no part of it",
    post("Content-Length: \t 5 \t", body=b"hello"),
    body=b"hello",
    is_optional=True,
)
length.forwarded(
    "A length may be the field's name in any case",
    post("cOnTeNt-LeNgTh: 5", body=b"hello"),
    body=b"hello",
)
length.forwarded(
    "A request inside a body stays inside",
    post(f"Content-Length: {len(NEXT)}", body=NEXT),
    body=NEXT,
)
length.forwarded(
    "A GET may have a body",
    ask("GET /x HTTP/1.1", "Content-Length: 5", body=b"hello"),
    body=b"hello",
    is_optional=True,
)
length.forwarded(
    "A DELETE may have a body",
    ask("DELETE /x HTTP/1.1", "Content-Length: 5", body=b"hello"),
    body=b"hello",
    is_optional=True,
)
length.forwarded(
    "A body of all byte values arrives as sent",
    post("Content-Length: 256", body=bytes(range(256))),
    body=bytes(range(256)),
)
length.forwarded(
    "A body of 300,000 bytes arrives whole",
    post("Content-Length: 300000", body=b"0123456789" * 30_000),
    body=b"0123456789" * 30_000,
)
length.forwarded(
    "A body in three pieces is one body",
    (
        Send(post("Content-Length: 9", body=b"abc")),
        Pause(0.05),
        Send(b"def"),
        Pause(0.05),
        Send(b"ghi"),
    ),
    body=b"abcdefghi",
)
for _name, _fields in {
    "Two equal lengths are refused": ("Content-Length: 5", "Content-Length: 5"),
    "Two differing lengths are refused": ("Content-Length: 5", "Content-Length: 6"),
    "A short length before a long one is refused": ("Content-Length: 0", "Content-Length: 40"),
    "A list of equal lengths is refused": ("Content-Length: 5, 5",),
    "A list of differing lengths is refused": ("Content-Length: 5, 6",),
    "A length with a plus is refused": ("Content-Length: +5",),
    "A negative length is refused": ("Content-Length: -5",),
    "A length with an underscore is refused": ("Content-Length: 1_0",),
    "An empty length is refused": ("Content-Length:",),
    "A length of only space is refused": ("Content-Length:   ",),
    "A hexadecimal length is refused": ("Content-Length: 0x5",),
    "A length with a fraction is refused": ("Content-Length: 5.0",),
    "A length with an exponent is refused": ("Content-Length: 1e1",),
    "A length with space inside is refused": ("Content-Length: 5 5",),
    "A length with a letter is refused": ("Content-Length: 5a",),
    "A quoted length is refused": ('Content-Length: "5"',),
    "A length with a comma at its end is refused": ("Content-Length: 5,",),
    "A length beyond 64 bits is refused": ("Content-Length: 18446744073709551621",),
    "A length beyond 63 bits is refused": ("Content-Length: 9223372036854775813",),
    "A length in other digits is refused": ("Content-Length: \xb2",),
    "A length whose name ends in space is refused": ("Content-Length : 5",),
    "A length whose name ends in a tab is refused": ("Content-Length\t: 5",),
    "A length on a folded line is refused": ("Content-Length:", " 5"),
    "A second length on a folded line is refused": ("Content-Length: 5", " 6"),
}.items():
    length.refused(_name, post(*_fields, body=b"hello"), 400, 413)

smuggling = Shelf("Smuggling")
for _name, _fields in {
    "A length before chunked is refused": ("Content-Length: 5", _TE),
    "A length behind chunked is refused": (_TE, "Content-Length: 5"),
    "A length of zero with chunked is refused": ("Content-Length: 0", _TE),
    "A length with any other coding is refused": (
        "Content-Length: 5",
        "Transfer-Encoding: identity",
    ),
    "Chunked with a misspelt name is not forwarded beside a length": (
        "Content-Length: 51",
        "Transfer-Encoding : chunked",
    ),
    "Chunked on a folded line beside a length is refused": (
        "Content-Length: 51",
        "Transfer-Encoding:",
        " chunked",
    ),
    "Chunked hidden behind a bare CR is refused": (
        "Content-Length: 51",
        "X: y\rTransfer-Encoding: chunked",
    ),
    "Chunked hidden behind a bare LF is refused": (
        "Content-Length: 51",
        "X: y\nTransfer-Encoding: chunked",
    ),
    "Chunked with a NUL beside a length is refused": (
        "Content-Length: 51",
        "Transfer-Encoding: chunked\0",
    ),
    "Chunked with a vertical tab beside a length is refused": (
        "Content-Length: 51",
        "Transfer-Encoding: \x0bchunked",
    ),
    "Chunked with a form feed beside a length is refused": (
        "Content-Length: 51",
        "Transfer-Encoding: chunked\x0c",
    ),
    "Quoted chunked beside a length is refused": (
        "Content-Length: 51",
        'Transfer-Encoding: "chunked"',
    ),
    "An empty coding beside a length is refused": ("Content-Length: 51", "Transfer-Encoding:"),
}.items():
    smuggling.refused(_name, post(*_fields, body=_HIDDEN), 400, 501, then=b"")
for _name, _fields in {
    "Chunked twice in a list is refused": ("Transfer-Encoding: chunked, chunked",),
    "Chunked in two fields is refused": (_TE, _TE),
    "Identity behind chunked is refused": ("Transfer-Encoding: chunked, identity",),
    "Identity in a second field is refused": (_TE, "Transfer-Encoding: identity"),
    "Another coding behind chunked is refused": ("Transfer-Encoding: chunked, gzip",),
    "A coding that only begins like chunked is refused": ("Transfer-Encoding: chunkedx",),
    "A coding that only ends like chunked is refused": ("Transfer-Encoding: xchunked",),
    "Chunked with a parameter is refused": ("Transfer-Encoding: chunked;q=1",),
    "An unknown coding is refused": ("Transfer-Encoding: cow",),
    "Identity alone is refused": ("Transfer-Encoding: identity",),
    "An empty coding is refused": ("Transfer-Encoding:",),
    "A lone comma for a coding is refused": ("Transfer-Encoding: ,",),
}.items():
    smuggling.refused(_name, post(*_fields, body=_HIDDEN), 400, 501, then=b"")
smuggling.refused(
    "A coding before chunked is refused as unknown",
    post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    501,
    400,
)
smuggling.refused(
    "An empty member before chunked is refused",
    post("Transfer-Encoding: , chunked", body=b"0\r\n\r\n"),
    400,
    501,
)
smuggling.refused(
    "HTTP/1.0 has no chunked bodies", ask("POST /x HTTP/1.0", _TE, body=b"0\r\n\r\n"), 400
)
smuggling.refused(
    "HTTP/1.0 has no chunked bodies on kept connections either",
    ask("POST /x HTTP/1.0", _TE, "Connection: keep-alive", body=_HIDDEN),
    400,
    then=b"",
)
smuggling.forwarded(
    "Chunked may be spelt in any case",
    ask("POST /x HTTP/1.1", "transfer-ENCODING: CHUNKED", body=b"5\r\nhello\r\n0\r\n\r\n"),
    body=b"hello",
    is_optional=True,
)
smuggling.forwarded(
    "Connection cannot take a length away",
    post("Content-Length: 5", "Connection: Content-Length", body=b"hello"),
    body=b"hello",
    is_optional=True,
    harm=Grade.DANGEROUS,
)
smuggling.forwarded(
    "Connection cannot take chunked away",
    chunked(b"5\r\nhello\r\n0\r\n\r\n", "Connection: Transfer-Encoding"),
    body=b"hello",
    is_optional=True,
    harm=Grade.DANGEROUS,
)
smuggling.forwarded(
    "A length spelt with an underscore is not a length",
    post("Content-Length: 5", "Content_Length: 50", body=b"hello"),
    body=b"hello",
    lacks=(b"content_length",),
    is_optional=True,
    harm=Grade.DANGEROUS,
)
smuggling.forwarded(
    "A coding spelt with an underscore does not arrive",
    post("Content-Length: 5", "Transfer_Encoding: chunked", body=b"hello"),
    body=b"hello",
    lacks=(b"transfer_encoding",),
    is_optional=True,
    harm=Grade.DANGEROUS,
)
smuggling.refused(
    "A hidden request behind a refused one is thrown away",
    post("Content-Length: 5", _TE, body=_HIDDEN + NEXT),
    400,
)
smuggling.refused("HTTP/0.9 is not spoken", b"GET /x\r\n", 400, 505, harm=Grade.LAX)
smuggling.refused(
    "HTTP/0.9 with fields is not spoken",
    b"GET /x\r\n" + HOST.encode() + b"\r\n\r\n",
    400,
    505,
    harm=Grade.LAX,
)
smuggling.add(
    "A body too long for its length begins the next request, which is refused",
    post("Content-Length: 3", body=b"hello") + NEXT,
    AnyOf((Refused((400, 501), before=1), Forwarded(count=1, body=b"hel"))),
    answers=2,
)

chunks = Shelf("Chunks")
chunks.forwarded(
    "A chunked body arrives as sent",
    chunked(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    body=b"hello world",
)
chunks.forwarded("An empty chunked body is a body of nothing", chunked(b"0\r\n\r\n"), body=b"")
chunks.forwarded(
    "Chunk sizes may be written in either case",
    chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
    body=b"0123456789" * 2,
)
chunks.forwarded(
    "Leading zeros of a chunk size change nothing",
    chunked(b"0005\r\nhello\r\n000\r\n\r\n"),
    body=b"hello",
    is_optional=True,
)
chunks.forwarded(
    "A chunk extension does not get into the body",
    chunked(b'5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n'),
    body=b"hello",
    is_optional=True,
)
chunks.forwarded(
    "A chunked GET arrives as sent",
    ask("GET /x HTTP/1.1", _TE, body=b"5\r\nhello\r\n0\r\n\r\n"),
    body=b"hello",
    is_optional=True,
)
chunks.forwarded(
    "A thousand chunks of one byte are a thousand bytes",
    chunked(b"1\r\nx\r\n" * 1_000 + b"0\r\n\r\n"),
    body=b"x" * 1_000,
)
chunks.forwarded(
    "A chunk may hold what looks like the end",
    chunked(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
    body=b"0\r\n\r\n",
)
chunks.forwarded(
    "A chunked body may come byte by byte",
    tuple(Send(bytes((byte,))) for byte in chunked(b"5\r\nhello\r\n0\r\n\r\n")),
    body=b"hello",
)
chunks.forwarded(
    "A trailer that nobody announced does not become a field",
    chunked(b"5\r\nhello\r\n0\r\nX-Banyan-Pilot: internal\r\n\r\n"),
    body=b"hello",
    lacks=(b"x-banyan",),
    is_optional=True,
)
chunks.forwarded(
    "A trailer cannot bring a length",
    chunked(b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"),
    body=b"hello",
    lacks=(b"content-length: 50",),
    is_optional=True,
)
chunks.forwarded(
    "A trailer cannot bring a second host",
    chunked(b"5\r\nhello\r\n0\r\nHost: evil.example\r\n\r\n"),
    body=b"hello",
    lacks=(b"host: evil",),
    is_optional=True,
)
chunks.forwarded(
    "Behind the last chunk the next request begins",
    chunked(b"5\r\nhello\r\n0\r\n\r\n") + NEXT,
    lines=("POST /x HTTP/1.1", "GET /next HTTP/1.1"),
    got=Got((200, 200)),
    answers=2,
)
for _name, _body in {
    "A chunk size with 0x is refused": b"0x5\r\nhello\r\n0\r\n\r\n",
    "A negative chunk size is refused": b"-5\r\nhello\r\n0\r\n\r\n",
    "A chunk size with a plus is refused": b"+5\r\nhello\r\n0\r\n\r\n",
    "A chunk size with an underscore is refused": b"0_5\r\nhello\r\n0\r\n\r\n",
    "An empty chunk size is refused": b"\r\nhello\r\n0\r\n\r\n",
    "A chunk size that is no number is refused": b"five\r\nhello\r\n0\r\n\r\n",
    "A chunk size beyond 64 bits is refused": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "A chunk size of 64 bits is refused": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "A chunk size with space before it is refused": b" 5\r\nhello\r\n0\r\n\r\n",
    "A chunk size with space inside is refused": b"0 5\r\nhello\r\n0\r\n\r\n",
    "A chunk size with a NUL is refused": b"5\0\r\nhello\r\n0\r\n\r\n",
    "A chunk size that ends in a bare LF is refused": b"5\nhello\r\n0\r\n\r\n",
    "A chunk size that ends in a bare CR is refused": b"5\rhello\r\n0\r\n\r\n",
    "A chunk that ends in a bare LF is refused": b"5\r\nhello\n0\r\n\r\n",
    "A chunk that ends in nothing is refused": b"5\r\nhello0\r\n\r\n",
    "A chunk longer than its size is refused": b"3\r\nhello\r\n0\r\n\r\n",
    "A chunk shorter than its size is refused": b"7\r\nhello\r\n0\r\n\r\n",
    "A bare LF in a chunk extension is refused": b"5;a\nhello\r\n0\r\n\r\n",
    "A bare CR in a chunk extension is refused": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "A NUL in a chunk extension is refused": b"5;a\0b\r\nhello\r\n0\r\n\r\n",
    "A last chunk that ends in a bare LF is refused": b"5\r\nhello\r\n0\n\n",
    "A trailer line without a colon is refused": b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
    "A trailer with space before its colon is refused": b"5\r\nhello\r\n0\r\nX-A : b\r\n\r\n",
    "A bare LF in a trailer is refused": b"5\r\nhello\r\n0\r\nX-A: b\nX-C: d\r\n\r\n",
    "A NUL in a trailer is refused": b"5\r\nhello\r\n0\r\nX-A: \0\r\n\r\n",
}.items():
    chunks.refused(_name, chunked(_body), 400, is_begun=True, patience_s=2.0)
chunks.refused(
    "An endless chunk extension is refused",
    chunked(b"5;" + b"a" * 40_000),
    400,
    413,
    431,
    is_begun=True,
    then=b"",
)
chunks.refused(
    "An endless trailer is refused",
    chunked(b"5\r\nhello\r\n0\r\n" + b"X-A: b\r\n" * 9_000),
    400,
    413,
    431,
    is_begun=True,
    then=b"",
)
chunks.refused(
    "An endless chunk size is refused", chunked(b"0" * 40_000), 400, 413, is_begun=True, then=b""
)

SHELVES = (length, smuggling, chunks)
