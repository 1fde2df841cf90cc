"""Read a request's head strictly, and write the one that goes to a store.

A proxy and a store that read one head in two ways are the whole of request smuggling. So
whatever two readers could take differently is refused here, before a byte of it is
forwarded, for a store may be lenient where this reader is not.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from functools import lru_cache

from proxy.core.fields import (
    FieldError,
    FieldLine,
    FieldReader,
    Kind,
    left,
    nominated,
)
from proxy.core.limits import Limits
from proxy.errors import ProxyError

_VISIBLE = bytes(range(0x20, 0x7F)) + b"\t" + bytes(range(0x80, 0x100))
_IN_TARGET = bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100))
_METHODS = {
    name.encode("ascii"): name
    for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_ABSOLUTE = re.compile(rb"(?i)https?://([^/?]*)(.*)", re.DOTALL)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~+/=:-]{1,128}")
_KEPT = frozenset((Kind.PLAIN, Kind.HOST, Kind.LENGTH, Kind.SERVED_BY))
_NOTHING: frozenset[str] = frozenset()
_REMEMBERED = 2_048
_REMEMBERED_BYTES = 256
_REPEATED_BYTES = 2_048


class RefusedError(ProxyError):
    """A request that is not forwarded; its connection ends.

    Attributes:
        status: what the client gets.
        detail: what is wrong with the request, one sentence.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


# Method, target, minor of HTTP/1.x, the target's path and its query.
_Line = tuple[str, bytes, int, str, str]


class Fields:
    """The fields of a request, as read. Most clients repeat them byte for byte in their
    next request on the same connection; then they mean what they meant before.

    Attributes:
        block: as received, each line with its CRLF.
        lines: what of it is passed on.
        reader: who read them, by what it looks for.
    """

    def __init__(self, request: Request, block: bytes, reader: FieldReader) -> None:
        self.block = block
        self.lines = request.lines
        self.host = request.host
        self.lookup = request.lookup
        self.keep_alive = request.keep_alive
        self.reader = reader


class Request:
    """What a head says, read in the one way that is left.

    Attributes:
        fields: for `read_request` of the connection's next head; None when they say
            something of this one request alone, such as the length of its body.
        start: request line for a store without a prefix, with its CRLF.
        target: path and query in origin form, as received.
        lines: the fields that are passed on, as received, each line with its CRLF.
        host: None for an HTTP/1.0 request without one.
        lookup: what `decide` may see of the fields it asked for.
        length: of the body in bytes; None when there is none or it is chunked.
        request_id: the client's, when there is one and it is usable.
        forwarded_for: X-Forwarded-For of a trusted peer, b"" otherwise.
        kept_forwarded: lower-case names of a trusted peer's X-Forwarded fields that stay.
        is_secure: a trusted peer says that the client came by https.
        upgrade: the protocol that the client wants to go on with, b"" for none.
        wants_trailers: the client said `TE: trailers`.
        expects: the client waits for `100 Continue`.
    """

    def __init__(
        self, start: bytes, line: _Line, lines: bytes, host: bytes | None, lookup: dict[str, str]
    ) -> None:
        self.fields: Fields | None = None
        self.start = start
        self.method, self.target, self.minor, self.path, self.query = line
        self.lines = lines
        self.host = host
        self.lookup = lookup
        self.length: int | None = None
        self.is_chunked = False
        self.keep_alive = True
        self.request_id: bytes | None = None
        self.forwarded_for = b""
        self.kept_forwarded: AbstractSet[str] = _NOTHING
        self.is_secure = False
        self.upgrade = b""
        self.wants_trailers = False
        self.expects = False

    @property
    def has_body(self) -> bool:
        """Whether bytes of a body follow."""
        return self.is_chunked or bool(self.length)


def check_beginning(part: bytes) -> None:
    """Refuse what no further bytes can mend: a control character, a bare CR or a bare LF.

    Args:
        part: a head as far as it has come.

    Raises:
        RefusedError: 400.
    """
    ends = part.removesuffix(b"\r").translate(None, _VISIBLE)
    if ends != b"\r\n" * (len(ends) >> 1):
        raise RefusedError(400, "The head holds a control character, a bare CR or a bare LF.")


def _remembered(memo: dict[bytes, _Line], line: bytes, target_bytes: int) -> _Line:
    found = memo.get(line)
    if found is None:
        found = _read_line(line, target_bytes)
        if len(line) <= _REMEMBERED_BYTES:
            if len(memo) >= _REMEMBERED:
                memo.clear()
            memo[line] = found
    return found


def _read_line(line: bytes, target_bytes: int) -> _Line:
    """Take a request line apart.

    Raises:
        RefusedError: 400, 414 (target too long), 501 (CONNECT), 505 (not HTTP/1).
    """
    parts = line.split(b" ")
    if len(parts) != 3 or parts[1].translate(None, _IN_TARGET) or not parts[1]:
        if len(line) > target_bytes:
            raise RefusedError(414, f"The target has more than {target_bytes} bytes.")
        raise RefusedError(400, "The request line is not `METHOD target HTTP/1.1`.")
    method, target, version = parts
    name = _METHODS.get(method) or _other_method(method)
    if version != b"HTTP/1.1" and version != b"HTTP/1.0":  # noqa: PLR1714 - a set costs more
        if _VERSION.fullmatch(version):
            raise RefusedError(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        raise RefusedError(400, "The request line is not `METHOD target HTTP/1.1`.")
    if len(target) > target_bytes:
        raise RefusedError(414, f"The target has more than {target_bytes} bytes.")
    if b"#" in target:
        raise RefusedError(400, "The target has a fragment.")
    is_form = target[:1] == b"/" or (target == b"*" and name == "OPTIONS")
    if not is_form and _ABSOLUTE.fullmatch(target) is None:
        raise RefusedError(400, "The target is no path.")
    path, _, query = target.decode("latin-1").partition("?")
    minor = 1 if version == b"HTTP/1.1" else 0
    return name, target, minor, path, query


def _other_method(method: bytes) -> str:
    if method == b"CONNECT":
        raise RefusedError(501, "CONNECT is not supported.")
    if not _TOKEN.fullmatch(method):
        raise RefusedError(400, "The request line is not `METHOD target HTTP/1.1`.")
    if not method.isupper():
        # Methods are case-sensitive, but not every store knows: `get` could be a GET there.
        raise RefusedError(501, "The method is not written in capitals.")
    return method.decode("ascii")


def read_request(
    head: bytes,
    reader: FieldReader,
    limits: Limits,
    *,
    is_trusted: bool = False,
    before: Fields | None = None,
) -> Request:
    """Read a head and put it in order.

    Args:
        head: from the request line to the empty line, both included.
        reader: reads the fields, and tells those that `decide` looks at.
        limits: for the target, the number of fields and the size of the body.
        is_trusted: the peer is a proxy whose X-Forwarded fields are believed.
        before: of the last request on this connection.

    Raises:
        RefusedError: 400, 413, 414, 417, 431, 501, 505.
    """
    if before is not None and before.reader is reader:
        request = _repeated(head, limits, before)
        if request is not None:
            return request
    return _read(head, reader, limits, is_trusted=is_trusted)


def _repeated(head: bytes, limits: Limits, fields: Fields) -> Request | None:
    """A request whose fields are those of the one before it, None when they are not."""
    cut = head.find(b"\r\n")
    if head[cut + 2 : -2] != fields.block:
        return None
    start = head[:cut]
    line = _remembered(fields.reader.starts, start, limits.target_bytes)
    if line[2] == 0 or line[1][:1] != b"/":
        return None
    request = Request(start + b"\r\n", line, fields.lines, fields.host, fields.lookup)
    request.keep_alive = fields.keep_alive
    request.fields = fields
    return request


def _read(head: bytes, reader: FieldReader, limits: Limits, *, is_trusted: bool) -> Request:
    lines = head[:-4].split(b"\r\n")
    start = lines.pop(0)
    line = _remembered(reader.starts, start, limits.target_bytes)
    if len(lines) > limits.fields:
        raise RefusedError(431, f"There are more than {limits.fields} header fields.")
    notable = _notable(reader, lines)
    block = head[len(start) + 2 : -2]
    special: dict[int, list[FieldLine]] = {}
    lookup: dict[str, str] = {}
    for field in notable:
        if field.kind:
            special.setdefault(field.kind, []).append(field)
        if reader.wants(field.lower):
            _join(lookup, field.lower, field.value)
    hosts = special.pop(Kind.HOST, [])
    if len(hosts) > 1:
        raise RefusedError(400, "There is more than one Host.")
    names = _NOTHING
    gone = special.pop(Kind.CONNECTION, [])
    for field in gone:
        names |= nominated(field.value)
    request = _request(start, line, block, hosts[0].value if hosts else None, lookup)
    if names or not request.minor:
        request.keep_alive = "close" not in names if request.minor else "keep-alive" in names
    if special:
        _heed(request, special, names, limits, is_trusted=is_trusted)
        gone += _not_passed(request, special)
    if gone:
        request.lines = left(block, lines, gone, names)
    request.fields = None if special else _repeatable(request, block, reader)
    return request


def _repeatable(request: Request, block: bytes, reader: FieldReader) -> Fields | None:
    """What the connection's next request may say again."""
    is_small = len(block) <= _REPEATED_BYTES
    return Fields(request, block, reader) if is_small and request.minor else None


def _request(
    start: bytes, line: _Line, block: bytes, host: bytes | None, lookup: dict[str, str]
) -> Request:
    """A request, once the target's host and the Host are found to be one."""
    method, target, minor, path, query = line
    if host is None and minor == 1:
        raise RefusedError(400, "There is no Host.")
    if host is not None and not _is_host(host):
        raise RefusedError(400, "The Host is not a name or address with an optional port.")
    is_relative = target[:1] == b"/" or target == b"*"
    if not is_relative:
        absolute = _ABSOLUTE.fullmatch(target)
        authority, rest = absolute.groups() if absolute else (b"", b"")
        if host is None or authority.lower() != host.lower():
            raise RefusedError(400, "Host and target name different hosts.")
        target = rest if rest[:1] == b"/" else b"/" + rest
        path = target.partition(b"?")[0].decode("latin-1")
        line = method, target, minor, path, query
    if minor and is_relative:
        start += b"\r\n"
    else:
        start = b"%b %b HTTP/1.1\r\n" % (method.encode("ascii"), target)
    return Request(start, line, block, host, lookup)


def _heed(
    request: Request,
    special: dict[int, list[FieldLine]],
    names: AbstractSet[str],
    limits: Limits,
    *,
    is_trusted: bool,
) -> None:
    """Do what the special fields ask for."""
    request.length, request.is_chunked = _body(request, special, limits)
    _upgrade(request, special, names, limits)
    ids = special.get(Kind.REQUEST_ID, [])
    if len(ids) == 1 and _REQUEST_ID.fullmatch(ids[0].value):
        request.request_id = ids[0].value
    if _expects(special) and request.minor == 1 and request.has_body:
        request.expects = True
    if is_trusted:
        _believe(request, special.get(Kind.FORWARDED, []))


def _notable(reader: FieldReader, lines: list[bytes]) -> list[FieldLine]:
    try:
        return reader.notable(lines)
    except FieldError as exc:
        raise RefusedError(400, str(exc)) from exc


def _not_passed(request: Request, special: dict[int, list[FieldLine]]) -> list[FieldLine]:
    """Those of the special fields that end here."""
    passed = set(_KEPT)
    if request.is_chunked:
        passed.add(Kind.TRAILER)
    if request.request_id is not None:
        passed.add(Kind.REQUEST_ID)
    if request.expects:
        passed.add(Kind.EXPECT)
    kept = request.kept_forwarded
    return [
        field
        for kind, fields in special.items()
        if kind not in passed
        for field in fields
        if field.lower not in kept
    ]


@lru_cache(maxsize=1_024)
def _is_host(host: bytes) -> bool:
    return _HOST.fullmatch(host) is not None


def _upgrade(
    request: Request,
    special: dict[int, list[FieldLine]],
    names: AbstractSet[str],
    limits: Limits,
) -> None:
    """Take note of `TE: trailers` and of a wish for another protocol that is allowed."""
    request.wants_trailers = request.minor == 1 and any(
        part.strip().lower() == b"trailers"
        for field in special.get(Kind.TE, ())
        for part in field.value.split(b",")
    )
    if "upgrade" not in names or not request.minor or request.has_body:
        return
    for field in special.get(Kind.UPGRADE, ()):
        for token in field.value.split(b","):
            if token.strip().lower().decode("latin-1") in limits.upgrades:
                request.upgrade = token.strip()
                return


def _body(
    request: Request, special: dict[int, list[FieldLine]], limits: Limits
) -> tuple[int | None, bool]:
    """Length of the body and whether it is chunked; anything doubtful is refused."""
    lengths, codings = special.get(Kind.LENGTH, []), special.get(Kind.CODING, [])
    if lengths and codings:
        raise RefusedError(400, "There are both Content-Length and Transfer-Encoding.")
    if codings:
        _check_codings([field.value for field in codings], request.minor)
        return None, True
    if not lengths:
        return None, False
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0].value):
        raise RefusedError(400, "Content-Length is not one number.")
    length = int(lengths[0].value)
    if limits.body_bytes and length > limits.body_bytes:
        raise RefusedError(413, f"The body has more than {limits.body_bytes} bytes.")
    return length, False


def _check_codings(codings: list[bytes], minor: int) -> None:
    coding = b",".join(codings).strip().lower()
    if minor == 0:
        raise RefusedError(400, "HTTP/1.0 knows no Transfer-Encoding.")
    if coding == b"chunked":
        return
    names = [name.strip() for name in coding.split(b",")]
    if names[-1] != b"chunked" or names.count(b"chunked") > 1 or b"" in names:
        raise RefusedError(400, "Transfer-Encoding does not end in one `chunked`.")
    raise RefusedError(501, "No Transfer-Encoding but `chunked` is supported.")


def _expects(special: dict[int, list[FieldLine]]) -> bool:
    expected = special.get(Kind.EXPECT, [])
    if any(field.value.lower() != b"100-continue" for field in expected):
        raise RefusedError(417, "Nothing can be expected but `100-continue`.")
    return bool(expected)


def _believe(request: Request, fields: list[FieldLine]) -> None:
    """Keep what a trusted peer says of the client: its chain of addresses, and the rest."""
    chain = [field.value for field in fields if field.lower == "x-forwarded-for"]
    request.forwarded_for = b", ".join(chain)
    request.kept_forwarded = frozenset(
        field.lower for field in fields if field.lower != "x-forwarded-for"
    )
    request.is_secure = any(
        field.lower == "x-forwarded-proto" and field.value.lower() == b"https" for field in fields
    )


def _join(lookup: dict[str, str], lower: str, value: bytes) -> None:
    text = value.decode("latin-1")
    before = lookup.get(lower)
    if before is None:
        lookup[lower] = text
    else:
        lookup[lower] = f"{before}{'; ' if lower == 'cookie' else ', '}{text}"
