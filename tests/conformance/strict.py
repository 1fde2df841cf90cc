"""Read recorded streams as strictly as anyone could: what this takes, everybody reads alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\xff]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\r\n\0]*?)[ \t]*")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")


class NotCleanError(Exception):
    """The stream could be read in two ways."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer.

    Attributes:
        line: request line or status line.
        head: with the empty line.
        framed: "none", "length", "chunked" or "close".
        is_whole: it ended as its framing says ("close" is judged by the connection's end).
    """

    line: bytes
    head: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    framed: str = "none"
    trailer: bytes = b""
    is_whole: bool = True

    @property
    def status(self) -> int:
        return int(self.line.split(b" ", 2)[1])

    def values(self, name: bytes) -> list[bytes]:
        return [value for n, value in self.fields if n.lower() == name]


@dataclass(frozen=True, slots=True)
class Stream:
    """Messages of one direction, and what came behind the last: bytes of a tunnel, or the
    beginning of a head.
    """

    messages: tuple[Message, ...]
    rest: bytes = b""
    is_tunnel: bool = False


def read_requests(data: bytes, *, is_tunnel: bool = False) -> Stream:
    """What a store saw on one connection. `is_tunnel`: behind the first head is a tunnel.

    Raises:
        NotCleanError: two readers could take it differently.
    """
    messages: list[Message] = []
    while data:
        head, data = _cut_head(data)
        if not head:
            break
        message = _head(head, _REQUEST_LINE)
        _check_host(message)
        message, data = _with_body(message, data, is_request=True)
        messages.append(message)
        if is_tunnel:
            return Stream(tuple(messages), data, is_tunnel=True)
    return Stream(tuple(messages), data)


def read_answers(data: bytes, *, is_head: bool = False) -> Stream:
    """What a client got. `is_head`: the first final answer is one to HEAD.

    Raises:
        NotCleanError: two readers could take it differently.
    """
    messages: list[Message] = []
    is_final_seen = False
    while data:
        head, data = _cut_head(data)
        if not head:
            break
        message = _head(head, _STATUS_LINE)
        if message.status == 101:
            messages.append(message)
            return Stream(tuple(messages), data, is_tunnel=True)
        if message.status < 200:
            messages.append(message)
            continue
        is_bodiless = message.status in (204, 304) or (is_head and not is_final_seen)
        is_final_seen = True
        if is_bodiless:
            _check_framing(message)
        else:
            message, data = _with_body(message, data, is_request=False)
        messages.append(message)
    return Stream(tuple(messages), data)


def _cut_head(data: bytes) -> tuple[bytes, bytes]:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        ends = data.replace(b"\r\n", b"").rstrip(b"\r")
        if b"\n" in ends or b"\r" in ends or b"\0" in ends:
            raise NotCleanError("a bare CR, LF or NUL in a head")
        return b"", data
    return data[: end + 4], data[end + 4 :]


def _head(head: bytes, line_pattern: re.Pattern[bytes]) -> Message:
    line, *rest = head[:-4].split(b"\r\n")
    if not line_pattern.fullmatch(line):
        raise NotCleanError(f"first line {line[:60]!r}")
    fields = []
    for text in rest:
        found = _FIELD.fullmatch(text)
        if found is None:
            raise NotCleanError(f"header line {text[:60]!r}")
        fields.append((found[1], found[2]))
    return Message(line, head, tuple(fields))


def _check_host(message: Message) -> None:
    hosts = message.values(b"host")
    if len(hosts) > 1:
        raise NotCleanError(f"{len(hosts)} Host fields")


def _check_framing(message: Message) -> tuple[list[bytes], list[bytes]]:
    lengths, codings = message.values(b"content-length"), message.values(b"transfer-encoding")
    if len(lengths) > 1:
        raise NotCleanError(f"{len(lengths)} Content-Length fields")
    if lengths and not re.fullmatch(rb"[0-9]{1,19}", lengths[0]):
        raise NotCleanError(f"Content-Length {lengths[0][:40]!r}")
    if lengths and codings:
        raise NotCleanError("Content-Length with Transfer-Encoding")
    if codings and b",".join(codings).lower() != b"chunked":
        raise NotCleanError(f"Transfer-Encoding {b','.join(codings)[:60]!r}")
    if codings and b"HTTP/1.0" in message.line:
        raise NotCleanError("Transfer-Encoding in HTTP/1.0")
    return lengths, codings


def _with_body(message: Message, data: bytes, *, is_request: bool) -> tuple[Message, bytes]:
    lengths, codings = _check_framing(message)
    if codings:
        return _chunked(message, data)
    if lengths:
        size = int(lengths[0])
        body, rest = data[:size], data[size:]
        return _message(message, body, "length", is_whole=len(body) == size), rest
    if is_request:
        return message, data
    return _message(message, data, "close", is_whole=True), b""


def _chunked(message: Message, data: bytes) -> tuple[Message, bytes]:
    body = b""
    while True:
        line, mark, rest = data.partition(b"\r\n")
        if not mark:
            _check_begun_size(line)
            return _message(message, body, "chunked", is_whole=False), b""
        found = _SIZE.fullmatch(line)
        if found is None:
            raise NotCleanError(f"chunk size {line[:40]!r}")
        size = int(found[1], 16)
        if size == 0:
            return _trailer(message, body, rest)
        body += rest[:size]
        if len(rest) < size + 2:
            return _message(message, body, "chunked", is_whole=False), b""
        if rest[size : size + 2] != b"\r\n":
            raise NotCleanError("a chunk that does not end in CRLF")
        data = rest[size + 2 :]


def _check_begun_size(line: bytes) -> None:
    if b"\n" in line or (line and not re.match(rb"[0-9A-Fa-f]+(;|\r?$)", line)):
        raise NotCleanError(f"chunk size {line[:40]!r}")


def _trailer(message: Message, body: bytes, data: bytes) -> tuple[Message, bytes]:
    trailer = b""
    while True:
        line, mark, data = data.partition(b"\r\n")
        if not mark:
            return _message(message, body, "chunked", is_whole=False), b""
        if not line:
            return _message(message, body, "chunked", is_whole=True, trailer=trailer), data
        if not _FIELD.fullmatch(line):
            raise NotCleanError(f"trailer {line[:60]!r}")
        trailer += line + b"\r\n"


def _message(
    message: Message, body: bytes, framed: str, *, is_whole: bool, trailer: bytes = b""
) -> Message:
    return Message(message.line, message.head, message.fields, body, framed, trailer, is_whole)
