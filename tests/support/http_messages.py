"""Take a stream of HTTP/1.1 messages apart, strictly and in the plainest way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """A whole message. Chunks are joined: how they are cut says nothing."""

    line: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    trailer: tuple[bytes, ...] = ()

    def value(self, name: bytes) -> bytes | None:
        values = [value for known, value in self.fields if known.lower() == name.lower()]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    @property
    def status(self) -> int:
        return int(self.line.split(b" ")[1])


def requests_in(data: bytes) -> tuple[list[Message], bytes]:
    """Whole requests, and what follows them."""
    found = []
    while (read := _message(data, has_body=True)) is not None:
        message, data = read
        assert message.line.endswith(b" HTTP/1.1"), message.line
        found.append(message)
    return found, data


def answers_in(data: bytes, methods: Sequence[str]) -> tuple[list[Message], bytes]:
    """Whole final answers to requests with these methods, and what follows them."""
    found: list[Message] = []
    while True:
        method = methods[len(found)] if len(found) < len(methods) else "GET"
        status = data[9:12]
        has_body = method != "HEAD" and status[:1] != b"1" and status not in (b"204", b"304")
        read = _message(data, has_body=has_body)
        if read is None:
            return found, data
        message, data = read
        assert message.line.startswith(b"HTTP/1.1 "), message.line
        if message.status >= 200:
            found.append(message)


def _message(data: bytes, *, has_body: bool) -> tuple[Message, bytes] | None:
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    line, *lines = head.split(b"\r\n")
    assert not any(b"\n" in text or b"\r" in text for text in (line, *lines)), head
    fields = tuple((name, value.strip()) for name, _, value in (t.partition(b":") for t in lines))
    message = Message(line, fields)
    length, coding = message.value(b"content-length"), message.value(b"transfer-encoding")
    assert length is None or coding is None, head
    if not has_body or (length is None and coding is None):
        return message, rest
    if length is not None:
        size = int(length)
        return None if len(rest) < size else (Message(line, fields, rest[:size]), rest[size:])
    assert coding == b"chunked", coding
    read = _chunks(rest)
    return None if read is None else (Message(line, fields, *read[:2]), read[2])


def _chunks(data: bytes) -> tuple[bytes, tuple[bytes, ...], bytes] | None:
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            return None
        size = int(line, 16)
        if not size:
            break
        if len(data) < size + 2:
            return None
        assert data[size : size + 2] == b"\r\n", data[:size]
        body, data = body + data[:size], data[size + 2 :]
    trailer: list[bytes] = []
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            return None
        if not line:
            return body, tuple(trailer), data
        trailer.append(line)
