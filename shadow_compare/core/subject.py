"""Find a person's values among marks: what was hidden, without ever storing whose it is."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

from proxy.core.marks import mark_of

_GAPS = re.compile(r"[ ()./-]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
# How gzip and zlib streams begin. A body keeps its coding in a frame.
_CODED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_MAX_DECODED_BYTES = 16 * 1024 * 1024
_DEPTH = 3
_ANY_BITS = 47


def spellings(value: str) -> frozenset[str]:
    """What may have been hidden of a value: as it is, in other cases, without its gaps, as
    JSON's number, and behind the word that stands before a token.
    """
    bare = value.strip()
    if not bare:
        return frozenset()
    found = {value, bare, bare.lower(), bare.upper(), bare.title()}
    found |= {_GAPS.sub("", one) for one in tuple(found)}
    digits = _GAPS.sub("", bare).lstrip("+")
    if digits.isdigit():
        found |= {digits, f"+{digits}", f"number {digits}"}
    if _NUMBER.fullmatch(bare):
        found.add(f"number {bare}")
    return frozenset(found | {f"Bearer {bare}"})


class Subject:
    """One person's values as they stand in what is kept. Holds their marks only."""

    def __init__(self, value: str, keys: Iterable[bytes]) -> None:
        """Args: value: as the person writes it. keys: redaction keys, old ones too."""
        marks = {
            mark_of(key, one.encode("utf-8", "surrogatepass"))[6:-1]
            for key in keys
            for one in spellings(value)
        }
        # A shopper's key is kept as the digits alone. Without a mark nothing is found.
        self._marks = re.compile("|".join(sorted(marks)).encode() or b"(?!)")

    def is_in(self, data: bytes) -> bool:
        """Whether a mark of the person stands in these bytes, compressed ones unpacked."""
        return any(self._marks.search(text) is not None for text in _texts(data, _DEPTH))


def _texts(data: bytes, depth: int) -> Iterator[bytes]:
    yield data
    if depth == 0:
        return
    view = memoryview(data)
    for start in _CODED.finditer(data):
        try:
            plain = zlib.decompressobj(_ANY_BITS).decompress(
                view[start.start() :], _MAX_DECODED_BYTES
            )
        except zlib.error:
            continue
        yield from _texts(plain, depth - 1)
