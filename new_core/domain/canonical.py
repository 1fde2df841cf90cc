"""One digest per value: equal values, and only those, have equal digests."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID


def digest(value: object) -> str:
    """SHA-256 of the canonical form of a value, 64 hex digits.

    Takes dataclasses, tuples, text, integers, floats, truth values, aware times, UUIDs and
    None, nested at will.

    Raises:
        TypeError: any other kind of value.
    """
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def canonical_bytes(value: object) -> bytes:
    """The canonical form: a tag, a length, the content.

    Lengths keep neighbours apart ("ab", "c" is not "a", "bc"), and tags keep None, "" and an
    empty tuple apart, as well as 1, "1" and True.
    """
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, str):
        return _framed(b"S", value.encode())
    if isinstance(value, int):
        return _framed(b"I", str(value).encode())
    if isinstance(value, tuple):
        return _framed(b"L", b"".join(canonical_bytes(item) for item in value))
    return _rare(value)


def _rare(value: object) -> bytes:
    if isinstance(value, float):
        return _framed(b"D", value.hex().encode())
    if isinstance(value, UUID):
        return _framed(b"U", value.bytes)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a time without a zone has no canonical form")
        return _framed(b"W", value.astimezone(UTC).isoformat().encode())
    if is_dataclass(value) and not isinstance(value, type):
        return _framed(b"R", _record(value))
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _record(value: Any) -> bytes:
    parts = [canonical_bytes(type(value).__name__)]
    for field in fields(value):
        parts += (canonical_bytes(field.name), canonical_bytes(getattr(value, field.name)))
    return b"".join(parts)


def _framed(tag: bytes, content: bytes) -> bytes:
    return b"%s%d:%s" % (tag, len(content), content)
