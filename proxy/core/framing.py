"""Where a body ends: by length, by chunks, or with the connection.

Decoders are told bytes and tell what of them is payload. They hold no payload back.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from proxy.errors import ProxyError

LAST_CHUNK = b"0\r\n\r\n"

# What a chunked body waits for.
_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILER: Final = 3

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_LINE_BYTES = 4 * 1024
_TRAILER_BYTES = 16 * 1024


class FramingError(ProxyError):
    """The bytes are not framed as they should be; nothing after them can be trusted."""


class Body(Protocol):
    """A body on its way.

    Attributes:
        trailer: lines of its trailer section, unread, once it is done.
    """

    trailer: list[bytes]

    @property
    def is_done(self) -> bool:
        """True when its last byte was seen."""
        ...

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Take bytes from the connection.

        Returns:
            The payload in them, and what comes after the body's end.

        Raises:
            FramingError: they break the framing.
        """
        ...


class LengthBody:
    """A body of a known size."""

    __slots__ = ("is_done", "remaining", "trailer")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.is_done = length == 0
        self.trailer: list[bytes] = []

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        size = len(data)
        if size <= self.remaining:
            self.remaining -= size
            self.is_done = not self.remaining
            return [data] if size else [], b""
        payload, rest = data[: self.remaining], data[self.remaining :]
        self.remaining = 0
        self.is_done = True
        return [payload] if payload else [], rest


class EndlessBody:
    """A body that ends with its connection."""

    __slots__ = ("is_done", "trailer")

    def __init__(self) -> None:
        self.is_done = False
        self.trailer: list[bytes] = []

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        return [data], b""


class ChunkedBody:
    """A chunked body. Extensions are read over; trailers are kept for the caller to judge."""

    __slots__ = ("_line", "_remaining", "_state", "_trailer_bytes", "is_done", "trailer")

    def __init__(self) -> None:
        self._state = _SIZE
        self._line = b""
        self._remaining = 0
        self._trailer_bytes = 0
        self.is_done = False
        self.trailer: list[bytes] = []

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        payload: list[bytes] = []
        at = 0
        while not self.is_done and at < len(data):
            if self._state == _DATA:
                piece = data[at : at + self._remaining]
                payload.append(piece)
                at += len(piece)
                self._remaining -= len(piece)
                if not self._remaining:
                    self._state = _DATA_END
            else:
                at = self._take_line(data, at)
        return payload, data[at:]

    def _take_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        if end < 0:
            self._line += data[at:]
            self._check_line_size()
            return len(data)
        line = self._line + data[at : end + 1]
        self._line = line
        self._check_line_size()
        self._line = b""
        if line[-2:] != b"\r\n" or b"\r" in line[:-2]:
            raise FramingError("a line of the chunked body does not end in CRLF")
        self._end_line(line[:-2])
        return end + 1

    def _check_line_size(self) -> None:
        if self._state == _DATA_END and not b"\r\n".startswith(self._line):
            raise FramingError("a chunk is longer than its size says")
        if len(self._line) > _LINE_BYTES:
            raise FramingError("a line of the chunked body is too long")

    def _end_line(self, line: bytes) -> None:
        if self._state == _DATA_END:
            self._state = _SIZE
        elif self._state == _SIZE:
            found = _SIZE_LINE.fullmatch(line)
            if found is None:
                raise FramingError("a chunk's size is no hexadecimal number")
            self._remaining = int(found[1], 16)
            self._state = _DATA if self._remaining else _TRAILER
        else:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > _TRAILER_BYTES:
                raise FramingError("the trailer is too long")
            if line:
                self.trailer.append(line)
            else:
                self.is_done = True


def last_chunk(trailer: bytes) -> bytes:
    """The end of a chunked body. `trailer`: lines that are passed on, each with its CRLF."""
    return b"0\r\n%b\r\n" % trailer if trailer else LAST_CHUNK


def chunk(piece: bytes) -> tuple[bytes, bytes, bytes]:
    """One chunk, ready to write. `piece` is not empty: that would end the body."""
    return b"%x\r\n" % len(piece), piece, b"\r\n"
