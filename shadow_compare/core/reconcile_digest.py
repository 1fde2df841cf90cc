"""Digests of documents, and of many of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import xxhash

from legacy_adapters.mapping.canonical import canonical_bytes

_WIDTH = 1 << 128


@dataclass(frozen=True, slots=True)
class Digest:
    """Of a set of documents, whatever their order.

    The hashes are added up and not xored: a document that is there twice would cancel out.

    Attributes:
        total: sum of the hashes, modulo 2**128.
    """

    count: int = 0
    total: int = 0

    def __add__(self, other: Digest) -> Digest:
        return Digest(self.count + other.count, (self.total + other.total) % _WIDTH)

    def __sub__(self, other: Digest) -> Digest:
        return Digest(self.count - other.count, (self.total - other.total) % _WIDTH)

    @property
    def text(self) -> str:
        """For people and for evidence: "25900:0f3a…" with 32 hex digits."""
        return f"{self.count}:{self.total:032x}"


NOTHING = Digest()


def hash_of(document: Any) -> int:
    """128 bits of a document's canonical bytes; equal documents have equal ones."""
    found: int = xxhash.xxh3_128_intdigest(canonical_bytes(document))
    return found


def digest_of(document: Any) -> Digest:
    """Of one document."""
    return Digest(1, hash_of(document))


def digest_or_none(document: Any | None) -> Digest:
    """Of a document that may be missing: then it is nothing."""
    return NOTHING if document is None else digest_of(document)


def bucket_of(core_id: UUID, buckets: int) -> int:
    """0 to `buckets` - 1; the same on both sides, since an aggregate has one id on both."""
    hashed: int = xxhash.xxh3_64_intdigest(core_id.bytes)
    return hashed % buckets
