"""Undo what the transport did to a body, within bounds."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable

import brotli

from shadow_compare.errors import UnreadableError

MAX_DECODED_BYTES = 8 * 1024 * 1024
MAX_CODINGS = 3

_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15


def unpacked(body: bytes, coding: str) -> bytes:
    """A body as it was before the transport packed it.

    `coding` is the value of Content-Encoding: "", gzip, deflate, br, zstd, identity, or a
    list of them in the order in which they were applied.

    Raises:
        UnreadableError: another coding, more than three, a damaged one, or more than
            8 MiB at any stage.
    """
    names = [name.strip().lower() for name in coding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not body or not names:
        return body
    if len(names) > MAX_CODINGS:
        raise UnreadableError(f"packed {len(names)} times over")
    for name in reversed(names):
        unpack = _UNPACK.get(name)
        if unpack is None:
            raise UnreadableError(f"the coding {name[:40]} is not read")
        body = unpack(body)
    return body


def _gzip(body: bytes) -> bytes:
    return _members(body, lambda: zlib.decompressobj(_GZIP_BITS))


def _deflate(body: bytes) -> bytes:
    # The standard says zlib; a good part of the servers say deflate and mean it bare.
    try:
        return _members(body, lambda: zlib.decompressobj(_ZLIB_BITS))
    except UnreadableError:
        return _members(body, lambda: zlib.decompressobj(_RAW_BITS))


def _members(body: bytes, start: Callable[[], zlib._Decompress]) -> bytes:
    """All members of a packed body: what stands behind the first is content too."""
    parts: list[bytes] = []
    room = MAX_DECODED_BYTES
    while body:
        inflater = start()
        try:
            # One byte more than fits: a limit of zero would mean no limit.
            part = inflater.decompress(body, room + 1)
        except zlib.error as exc:
            raise UnreadableError(f"the coding is damaged: {exc}") from exc
        room = _room(room, part)
        if not inflater.eof:
            raise UnreadableError("the packed body is cut off")
        parts.append(part)
        body = inflater.unused_data
    return b"".join(parts)


def _zstd(body: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - loaded by those who meet it
    else:
        from backports import zstd  # noqa: PLC0415 - loaded by those who meet it
    parts: list[bytes] = []
    room = MAX_DECODED_BYTES
    while body:
        reader = zstd.ZstdDecompressor()
        try:
            part = reader.decompress(body, room + 1)
        except zstd.ZstdError as exc:
            raise UnreadableError(f"the coding is damaged: {exc}") from exc
        room = _room(room, part)
        if not reader.eof:
            raise UnreadableError("the packed body is cut off")
        parts.append(part)
        body = reader.unused_data
    return b"".join(parts)


def _brotli(body: bytes) -> bytes:
    reader = brotli.Decompressor()
    parts: list[bytes] = []
    room = MAX_DECODED_BYTES
    try:
        part = reader.process(body, output_buffer_limit=room + 1)
        while part:
            room = _room(room, part)
            parts.append(part)
            part = reader.process(b"", output_buffer_limit=room + 1)
    except brotli.error as exc:
        raise UnreadableError(f"the coding is damaged: {exc}") from exc
    if not reader.is_finished():
        raise UnreadableError("the packed body is cut off")
    return b"".join(parts)


def _room(room: int, part: bytes) -> int:
    left = room - len(part)
    if left < 0:
        raise UnreadableError("unpacked it is larger than 8 MiB")
    return left


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
