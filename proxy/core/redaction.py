"""Hide personal data and secrets before a frame leaves the proxy.

    redactor = Redactor(key, session_headers=("session-id",))
    redactor.body(b'{"email": "ann@example.org"}', "application/json")
    # b'{"email": "[hmac:5a0c...]"}'

A hidden value becomes `[hmac:16 hex digits]`, keyed: equal values stay equal and unequal
ones unequal, so both sides' answers can still be compared, and nobody without the key can
try names against it. What holds nothing sensitive comes back byte for byte.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from proxy.core.cookies import hide_cookie
from proxy.core.forms import hide_fields, hide_parts, map_scripts
from proxy.core.frame import Headers
from proxy.core.json_values import hide_json_names, hide_json_values, json_keys
from proxy.core.marks import MARK, key_id, mark_of, policy_id
from proxy.core.markup import hide_elements
from proxy.core.memo import Memo
from proxy.core.names import Names, NameTest, is_name_key
from proxy.core.plain import PlainText, windows
from proxy.core.shapes import hide_shapes, may_hold_shapes
from proxy.errors import ProxyError

SECRET_HEADERS = frozenset(
    (
        "authorization",
        "cf-connecting-ip",
        "cookie",
        "forwarded",
        "proxy-authorization",
        "set-cookie",
        "true-client-ip",
        "x-api-key",
        "x-client-ip",
        "x-forwarded-for",
        "x-real-ip",
    )
)
MAX_DECODED_BYTES = 8 * 1024 * 1024

_MARK_BYTES = re.compile(rb"\[hmac:[0-9a-f]{16}\]")
_QUERY_PAIR = re.compile(rb"([?&;])([A-Za-z0-9_.\[\]%-]+)=([^&;#\s\"'<>\\]+)")
_GZIP_BITS, _ZLIB_BITS = 31, 15
_PAGES = ("text/html", "application/xhtml+xml")
_SEEN = 16_384
_PICTURES = ("image/", "video/", "audio/", "font/")
_CUT = re.compile(rb"[<>\"\n]")
_TAG = re.compile(b"<")
_REMEMBERED_LINE_BYTES = 512
_REMEMBERED_BODY_BYTES = 64 * 1024
_REMEMBERED_BLOCK_BYTES = 2_048
_BLOCKS_BYTES = _LINES_BYTES = _TARGETS_BYTES = 1024 * 1024
_BODIES_BYTES = 8 * 1024 * 1024


class Line(NamedTuple):
    """A header line made safe.

    Attributes:
        content: 0, or which of content-type (1) and content-encoding (2) it is.
        value: of that field, "" of others.
    """

    text: bytes
    content: int
    value: str


class Lines(NamedTuple):
    """A block of header lines made safe, and what it says of the body behind it."""

    text: bytes
    content_type: str
    content_encoding: str


class OpaqueBodyError(ProxyError):
    """The body cannot be looked into, so it cannot be kept. `reason` is a metric label."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LargeBodyError(ProxyError):
    """The body's text is larger than the caller wants to wait for."""


def is_redacted(text: str) -> bool:
    """Whether a redactor hid something in this text: it cannot be sent to a store."""
    return "[hmac:" in text and MARK.search(text) is not None


class Redactor:
    """Hides values under one key. Immutable; any thread may use it."""

    def __init__(
        self,
        key: bytes,
        session_headers: Iterable[str] = (),
        show: Iterable[str] = (),
        hide: Iterable[str] = (),
    ) -> None:
        """Args: key: secret, 16 bytes or more. session_headers: names of headers that hold
        a shopper's identity, in any case. show, hide: names as `core.names` takes them.
        """
        if len(key) < 16:
            raise ValueError("a redaction key has 16 bytes or more")
        self._key = key
        show, hide, session_headers = tuple(show), tuple(hide), tuple(session_headers)
        self.id = f"{key_id(key)}.{policy_id(session_headers, show, hide)}"
        self._secret = SECRET_HEADERS | {name.lower() for name in session_headers}
        self._names = Names(show, hide)
        self._plain = PlainText(self._names.is_suspect_key)
        # Most of it comes again with the next request.
        self._blocks: Memo[Lines] = Memo(_BLOCKS_BYTES)
        self._lines: Memo[Line] = Memo(_LINES_BYTES)
        self._targets: Memo[bytes] = Memo(_TARGETS_BYTES)
        self._seen: set[int] = set()
        self._bodies: Memo[tuple[bytes, str, str]] = Memo(_BODIES_BYTES)
        self.shopper = lru_cache(maxsize=4_096)(self._shopper)

    def mark(self, value: bytes) -> str:
        """The mark that stands for a value; a mark stands for itself."""
        if _MARK_BYTES.fullmatch(value):
            return value.decode("ascii")
        return mark_of(self._key, value)

    def _shopper(self, key: str) -> str:
        """The keyed hash of a shopper key: 16 hex digits."""
        return self.mark(key.encode("utf-8", "surrogatepass"))[6:-1]

    def header_lines(self, block: bytes) -> Lines:
        """Header lines, each with its CRLF: secret ones whole, others by what they hold."""
        known = self._blocks.get(block)
        if known is not None:
            return known
        remembered = self._lines.get
        out, kind, coding = [], "", ""
        for line in block.split(b"\r\n"):
            safe = remembered(line) or self._line(line)
            out.append(safe.text)
            if safe.content == 1:
                kind = safe.value
            elif safe.content:
                coding = safe.value
        known = Lines(b"\r\n".join(out), kind, coding)
        if len(block) <= _REMEMBERED_BLOCK_BYTES:
            self._blocks.put(block, known, 2 * len(block))
        return known

    def request_lines(self, block: bytes, request_id: str) -> Lines:
        """The same for a request with this (safe) id. Each request has another one, so its
        line is kept out of what is remembered.
        """
        line = b"\r\nX-Request-ID: %b\r\n" % request_id.encode("latin-1", "replace")
        before, line, after = block.rpartition(line)
        if not line or "x-request-id" in self._secret:
            return self.header_lines(block)
        known = self.header_lines(before)
        text = b"".join((known.text, line, self.header_lines(after).text))
        return Lines(text, known.content_type, known.content_encoding)

    def headers(self, headers: Iterable[tuple[str, str]]) -> Headers:
        """Secret headers whole, the values of others by shape and by query parameter."""
        return tuple((name, self._header(name, value)) for name, value in headers)

    def text(self, text: str) -> str:
        """Shapes in a short text."""
        data = text.encode("utf-8", "surrogatepass")
        return self._shapes(data).decode("utf-8", "replace") if may_hold_shapes(data) else text

    def target(self, target: str) -> str:
        """A request target: values of sensitive query parameters, shapes anywhere."""
        return self.target_bytes(target.encode("latin-1", "replace")).decode("latin-1")

    def target_bytes(self, target: bytes) -> bytes:
        """The same for a target as it came."""
        known = self._targets.get(target)
        if known is None:
            path, mark, query = target.decode("latin-1").partition("?")
            query = self._pairs(query, self._names.is_sensitive)
            known = f"{self._url_text(path)}{mark}{query}".encode("latin-1")
            self._targets.put(target, known, 2 * len(target))
        return known

    def body(
        self,
        body: bytes,
        content_type: str = "",
        content_encoding: str = "",
        max_decoded_bytes: int = MAX_DECODED_BYTES,
    ) -> bytes:
        """Redact a body, in its own coding: gzip stays gzip.

        Raises:
            LargeBodyError: decoded it has more than `max_decoded_bytes`; may be tried
                again with more.
            OpaqueBodyError: it is coded, or written in a charset, that hides its text
                from this look; keep nothing of it.
        """
        if not body:
            return body
        if len(body) > _REMEMBERED_BODY_BYTES:
            return self._body(body, content_type, content_encoding, max_decoded_bytes)
        known = self._bodies.get(body)
        if known is not None and known[1] == content_type and known[2] == content_encoding:
            return known[0]
        redacted = self._body(body, content_type, content_encoding, max_decoded_bytes)
        if self._is_seen(body):
            size = len(body) + (0 if redacted is body else len(redacted))
            self._bodies.put(body, (redacted, content_type, content_encoding), size)
        return redacted

    def _is_seen(self, body: bytes) -> bool:
        """Whether such a body came lately. One that comes once is not worth its memory."""
        number = hash(body)
        if number in self._seen:
            return True
        if len(self._seen) >= _SEEN:
            self._seen.clear()
        self._seen.add(number)
        return False

    def _body(
        self, body: bytes, content_type: str, content_encoding: str, max_decoded_bytes: int
    ) -> bytes:
        coding = content_encoding.strip().lower()
        kind = content_type.partition(";")[0].strip().lower()
        if coding in ("", "identity"):
            return self._decoded(body, kind, content_type)
        plain = _decode(body, coding, max_decoded_bytes)
        redacted = self._decoded(plain, kind, content_type)
        return body if redacted == plain else _encode(redacted, coding)

    def _line(self, line: bytes) -> Line:
        name, _, value = line.decode("latin-1").partition(":")
        stripped = value.strip(" \t")
        hidden = self._header(name, stripped)
        text = line if hidden == stripped else f"{name}: {hidden}".encode("latin-1")
        lower = name.lower()
        content = 1 if lower == "content-type" else 2 if lower == "content-encoding" else 0
        safe = Line(text, content, stripped if content else "")
        if len(line) <= _REMEMBERED_LINE_BYTES:
            self._lines.put(line, safe, 2 * len(line))
        return safe

    def _header(self, name: str, value: str) -> str:
        lower = name.lower()
        if lower == "set-cookie":
            return hide_cookie(value, self.mark)
        if lower in self._secret or self._names.is_sensitive(name):
            return self.mark(value.encode("latin-1", "replace"))
        data = value.encode("latin-1", "replace")
        if "=" not in value and not may_hold_shapes(data):
            return value
        hidden = self._shapes(self._queries(data))
        return value if hidden == data else hidden.decode("latin-1")

    def _decoded(self, body: bytes, kind: str, content_type: str) -> bytes:
        if kind.startswith(_PICTURES):
            return body
        if b"\0" in body and _is_text(kind):
            raise OpaqueBodyError("opaque_charset")
        if kind == "application/x-www-form-urlencoded":
            return self._pairs(body.decode("latin-1"), self._names.is_field).encode("latin-1")
        if kind.startswith("multipart/"):
            body = hide_parts(body, content_type, self.mark, self._names.is_field)
        elif kind in _PAGES:
            body = self._page(body)
        elif kind.endswith("xml"):
            body = hide_elements(body, self.mark, self._names)
        if self._plain.is_plain(body):
            return body
        if kind.endswith("json") or body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            body = body if self._plain.has_plain_keys(body) else self._json(body)
        return b"".join([self._shapes(self._queries(part)) for part in windows(body, _CUT)])

    def _json(self, body: bytes) -> bytes:
        keys = json_keys(body)
        names = self._names
        sensitive = {key for key in keys if names.is_sensitive_key(key)}
        persons = {key for key in keys if names.is_person_key(key)} - sensitive
        if persons:
            own = sensitive | {key for key in keys if is_name_key(key)}
            body = hide_json_names(body, persons, own, self.mark)
        return hide_json_values(body, sensitive, self.mark) if sensitive else body

    def _page(self, page: bytes) -> bytes:
        """A page: its fields, and the data that its scripts begin with."""
        is_field = self._names.is_field
        page = b"".join([hide_fields(part, self.mark, is_field) for part in windows(page, _TAG)])
        return map_scripts(page, self._script)

    def _script(self, text: bytes) -> bytes:
        return text if self._plain.has_plain_keys(text) else self._json(text)

    def _queries(self, data: bytes) -> bytes:
        """Sensitive parameters of URLs that stand somewhere in a text."""
        if b"=" not in data:
            return data

        def hide(found: re.Match[bytes]) -> bytes:
            mark, key, value = found.groups()
            if not self._names.is_sensitive(_unquoted(key)):
                return found[0]
            return mark + key + b"=" + self.mark(_decoded(value)).encode()

        return _QUERY_PAIR.sub(hide, data)

    def _shapes(self, data: bytes) -> bytes:
        return hide_shapes(data, self.mark)

    def _pairs(self, query: str, is_sensitive: NameTest) -> str:
        """Form fields or a query string."""
        return "&".join([self._pair(pair, is_sensitive) for pair in query.split("&")])

    def _pair(self, pair: str, is_sensitive: NameTest) -> str:
        name, equals, value = pair.partition("=")
        if not equals:
            return self._url_text(pair)
        if value and is_sensitive(unquote_plus(name)):
            return (
                f"{self._url_text(name)}={self.mark(_decoded(value.encode('latin-1', 'replace')))}"
            )
        return f"{self._url_text(name)}={self._url_text(value)}"

    def _url_text(self, text: str) -> str:
        """Shapes in percent-encoded text; re-encoded only when something was hidden."""
        data = text.encode("latin-1", "replace")
        if "%" not in text and not may_hold_shapes(data):
            return text
        data = unquote_to_bytes(data)
        hidden = self._shapes(data)
        return text if hidden == data else quote(hidden, safe="/:[]@!$'()*,~+")


def _unquoted(key: bytes) -> str:
    return unquote_plus(key.decode("latin-1"))


def _decoded(value: bytes) -> bytes:
    """The value itself, so that it gets the same mark in a query, a form and JSON."""
    return value if _MARK_BYTES.fullmatch(value) else unquote_to_bytes(value.replace(b"+", b" "))


def _is_text(kind: str) -> bool:
    return not kind or kind.startswith("text/") or kind.endswith(("json", "xml", "urlencoded"))


def _decode(body: bytes, coding: str, max_bytes: int) -> bytes:
    bits = {"gzip": _GZIP_BITS, "x-gzip": _GZIP_BITS, "deflate": _ZLIB_BITS}.get(coding)
    if bits is None:
        raise OpaqueBodyError("opaque_encoding")
    decoder = zlib.decompressobj(bits)
    try:
        plain = decoder.decompress(body, max_bytes)
    except zlib.error as exc:
        raise OpaqueBodyError("opaque_encoding") from exc
    if decoder.unconsumed_tail and max_bytes < MAX_DECODED_BYTES:
        raise LargeBodyError
    if decoder.unconsumed_tail or decoder.unused_data or not decoder.eof:
        raise OpaqueBodyError("opaque_encoding")
    return plain


def _encode(plain: bytes, coding: str) -> bytes:
    coder = zlib.compressobj(6, zlib.DEFLATED, _ZLIB_BITS if coding == "deflate" else _GZIP_BITS)
    return coder.compress(plain) + coder.flush()
