"""How a frame lies in a segment: length, checksum, seq, and a packed exchange.

What all frames of one decision have in common is packed once, and header lines stay the
bytes they came as: a worker writes a frame with one call of the encoder, and the reader,
who has the time, takes it apart.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from proxy.core.fields import known_lines, split_lines
from proxy.core.frame import Frame, Headers
from proxy.core.marks import PURGED

HEAD_BYTES = 16
_HEAD = struct.Struct("<IIQ")
_FEW_BYTES = 8
_MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
_encoder = msgspec.msgpack.Encoder()


class Place(msgspec.Struct, frozen=True, array_like=True):
    """What all frames of one decision have in common; fields as in `Frame`."""

    run: str
    domain: str
    route: str
    stage: str
    side: str
    shadow: str
    noise: bool
    revision: str
    redaction: str = ""


class Stored(msgspec.Struct, array_like=True, gc=False):
    """What is one exchange's own; fields as in `Frame`, already redacted.

    Attributes:
        place: a packed `Place`.
        target: latin-1 bytes.
        sealed: encrypted; a record without it was written by an older release.
        request_lines, lines: header lines, each with its CRLF.
    """

    place: msgspec.Raw
    at_us: int
    request_id: str
    bucket: int | None
    shopper: str | None
    method: str
    target: bytes
    request_lines: bytes
    request_body: bytes
    status: int
    lines: bytes
    body: bytes
    elapsed_us: int
    sealed: bytes = b""


_decoder = msgspec.msgpack.Decoder(Stored)
_place_decoder = msgspec.msgpack.Decoder(Place)


def pack_place(place: Place) -> msgspec.Raw:
    """Pack the common part once."""
    return msgspec.Raw(_encoder.encode(place))


def pack(stored: Stored) -> bytes:
    """The payload of a record."""
    return _encoder.encode(stored)


def checksum(payload: bytes) -> int:
    """Of a payload, for `stamp`."""
    return zlib.crc32(payload)


def stamp(size_bytes: int, checksum: int, seq: int) -> bytes:
    """The head that stands before a payload. What it says of the checksum covers `seq` too."""
    return _HEAD.pack(size_bytes, checksum ^ _folded(seq), seq)


def payload_of(frame: Frame) -> bytes:
    """Pack a whole frame, but for its seq."""
    place = Place(
        frame.run,
        frame.domain,
        frame.route,
        frame.stage,
        frame.side,
        frame.shadow,
        frame.noise,
        frame.revision,
        frame.redaction,
    )
    return pack(
        Stored(
            pack_place(place),
            frame.at_us,
            frame.request_id,
            frame.bucket,
            frame.shopper,
            frame.method,
            frame.target.encode("latin-1", "replace"),
            _lines(frame.request_headers),
            frame.request_body,
            frame.status,
            _lines(frame.headers),
            frame.body,
            frame.elapsed_us,
            frame.sealed,
        )
    )


def encode(frame: Frame) -> bytes:
    """One record, ready to append."""
    payload = payload_of(frame)
    return stamp(len(payload), checksum(payload), frame.seq) + payload


def decode(data: bytes, at: int = 0) -> Iterator[tuple[int, Frame | None]]:
    """Yield (end offset in `data`, frame) for every whole record from `at` on.

    A record whose checksum is wrong yields None and reading goes on behind it: its
    length may still be right, and if it is not, what follows fails too. It ends at the
    first record that is not whole; a length that no record can have counts as not whole,
    so the rest of a damaged segment is left unread.
    """
    size = len(data)
    while size - at >= HEAD_BYTES:
        length, crc, seq = _HEAD.unpack_from(data, at)
        end = at + HEAD_BYTES + length
        if length == 0 or length > _MAX_PAYLOAD_BYTES or end > size:
            return
        at, start = end, at + HEAD_BYTES
        yield end, _frame(data[start:end], crc, seq)


def payloads(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, seq, payload) of every whole record whose checksum is right."""
    at, size = 0, len(data)
    while size - at >= HEAD_BYTES:
        length, crc, seq = _HEAD.unpack_from(data, at)
        start, at = at + HEAD_BYTES, at + HEAD_BYTES + length
        if length == 0 or length > _MAX_PAYLOAD_BYTES or at > size:
            return
        payload = data[start:at]
        if checksum(payload) ^ _folded(seq) == crc:
            yield start, seq, payload


def emptied(payload: bytes) -> bytes:
    """A payload of the same length, place and time, with nothing of the exchange in it.

    Raises:
        ValueError: there is no such payload: it is no frame's.
    """
    try:
        stored = _decoder.decode(payload)
        place = _place(bytes(stored.place))
    except msgspec.MsgspecError as exc:
        raise ValueError("this is no frame") from exc
    stored.place = pack_place(msgspec.structs.replace(place, redaction=PURGED))
    stored.request_id, stored.method, stored.target = "", "GET", b""
    stored.bucket, stored.shopper, stored.sealed = None, None, b""
    stored.request_lines = stored.lines = stored.request_body = stored.body = b""
    # The length of a body takes one, two or four bytes itself, so some totals are reached
    # only with a byte or a few in the other body.
    missing = len(payload) - len(pack(stored))
    for few in range(_FEW_BYTES):
        stored.request_body = bytes(few)
        for header in (0, 1, 3):
            stored.body = bytes(max(0, missing - few - header))
            if len(empty := pack(stored)) == len(payload):
                return empty
    raise ValueError("this frame is too short to be emptied")


def wanted_bytes(data: bytes, at: int) -> int | None:
    """How many bytes the record at `at` takes, None when its length is not there or absurd."""
    if len(data) - at < HEAD_BYTES:
        return None
    length: int = _HEAD.unpack_from(data, at)[0]
    return HEAD_BYTES + length if 0 < length <= _MAX_PAYLOAD_BYTES else None


def _frame(payload: bytes, crc: int, seq: int) -> Frame | None:
    if checksum(payload) ^ _folded(seq) != crc:
        return None
    try:
        stored = _decoder.decode(payload)
        place = _place(bytes(stored.place))
    except msgspec.MsgspecError:
        return None
    return Frame(
        run=place.run,
        seq=seq,
        at_us=stored.at_us,
        request_id=stored.request_id,
        domain=place.domain,
        route=place.route,
        stage=place.stage,
        side=place.side,
        shadow=place.shadow,
        noise=place.noise,
        bucket=stored.bucket,
        shopper=stored.shopper,
        revision=place.revision,
        method=stored.method,
        target=stored.target.decode("latin-1"),
        request_headers=tuple(split_lines(stored.request_lines)),
        request_body=stored.request_body,
        status=stored.status,
        headers=known_lines(stored.lines),
        body=stored.body,
        elapsed_us=stored.elapsed_us,
        sealed=stored.sealed,
        redaction=place.redaction,
    )


def _folded(seq: int) -> int:
    return (seq ^ seq >> 32) & 0xFFFF_FFFF


@lru_cache(maxsize=1_024)
def _place(packed: bytes) -> Place:
    return _place_decoder.decode(packed)


def _lines(headers: Headers) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("latin-1", "replace")
