"""Recorded pairs to bytes and back."""

from __future__ import annotations

import zlib

import msgspec

from proxy.core.frame import Frame
from shadow_compare.core.answer import Answer
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.verdict import Outcome


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    frame: Frame
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    elapsed_us: int
    outcome: str


_decoder = msgspec.msgpack.Decoder(_Packed)


def pack_pair(pair: RecordedPair) -> bytes:
    """The whole pair; nothing is cut, for a cut answer cannot be judged."""
    other = pair.other
    packed = _Packed(
        pair.frame, other.status, other.headers, other.body, other.elapsed_us, pair.outcome.value
    )
    return zlib.compress(msgspec.msgpack.encode(packed), 1)


def unpack_pair(stored: bytes) -> RecordedPair | None:
    """The pair that `pack_pair` packed; None when an earlier release packed it otherwise."""
    try:
        found = _decoder.decode(zlib.decompress(stored))
        outcome = Outcome(found.outcome)
    except (msgspec.MsgspecError, zlib.error, ValueError):
        return None
    other = Answer(found.status, found.headers, found.body, found.elapsed_us)
    return RecordedPair(found.frame, other, outcome)
