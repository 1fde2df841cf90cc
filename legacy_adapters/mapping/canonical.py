"""One spelling of a document, so that equal documents have equal bytes on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec


def canonical_bytes(value: Any) -> bytes:
    """Bytes of a value built of structs, mappings, sequences and scalars.

    Every part carries its type and length, so that NULL, absent and empty differ, and so do
    ("a", "bc") and ("ab", "c"). Mappings are written in the order of their keys.

    Raises:
        TypeError: something in it has no one spelling, e.g. a float or a set.
    """
    out = bytearray()
    _write(out, value)
    return bytes(out)


def _write(out: bytearray, value: Any) -> None:
    kind = type(value)
    # The kinds that documents are mostly made of, by their exact type: asking whether one is a
    # mapping or a sequence takes longer than all the rest.
    if kind is str:
        content = value.encode("utf-8", "surrogatepass")
        out += b"S%d:" % len(content)
        out += content
    elif value is None:
        out += b"N"
    elif kind is int:
        content = b"%d" % value
        out += b"I%d:%b" % (len(content), content)
    elif kind is UUID:
        out += b"U16:" + value.bytes
    elif kind is bool:
        out += b"T1:1" if value else b"T1:0"
    elif kind is tuple:
        out += b"L%d:" % len(value)
        for one in value:
            _write(out, one)
    elif kind in _FIELDS or isinstance(value, msgspec.Struct):
        head, fields = _FIELDS.get(kind) or _learn(kind)
        out += head
        for name, spelled in fields:
            out += spelled
            _write(out, getattr(value, name))
    else:
        _write_other(out, value)


def _learn(kind: type[msgspec.Struct]) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    """How a struct begins, and its fields in order with their names as they are written."""
    fields = []
    for name in sorted(kind.__struct_fields__):
        spelled = bytearray()
        _write(spelled, name)
        fields.append((name, bytes(spelled)))
    _FIELDS[kind] = known = b"O%d:" % len(fields), tuple(fields)
    return known


def _write_other(out: bytearray, value: Any) -> None:
    if isinstance(value, Enum):
        _write(out, value.value)
    elif isinstance(value, Mapping):
        _pairs(out, ((str(key), one) for key, one in value.items()))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        out += b"L%d:" % len(value)
        for one in value:
            _write(out, one)
    else:
        tag, content = _scalar(value)
        out += tag + b"%d:" % len(content)
        out += content


def _scalar(value: Any) -> tuple[bytes, bytes]:
    for kind, tag, spell in _SPELLINGS:
        if isinstance(value, kind):
            return tag, spell(value)
    raise TypeError(f"{value!r} has no canonical form")


def _pairs(out: bytearray, pairs: Any) -> None:
    ordered = sorted(pairs, key=lambda pair: pair[0])
    out += b"O%d:" % len(ordered)
    for key, one in ordered:
        _write(out, key)
        _write(out, one)


_FIELDS: dict[type, tuple[bytes, tuple[tuple[str, bytes], ...]]] = {}

# In this order: a truth is an integer to Python, and a moment is a day.
_SPELLINGS: tuple[tuple[type, bytes, Any], ...] = (
    (str, b"S", lambda one: one.encode("utf-8", "surrogatepass")),
    (bool, b"T", lambda one: b"1" if one else b"0"),
    (int, b"I", lambda one: str(one).encode()),
    (UUID, b"U", lambda one: one.bytes),
    (datetime, b"M", lambda one: one.astimezone(UTC).isoformat(timespec="microseconds").encode()),
    (date, b"Y", lambda one: one.isoformat().encode()),
    (Decimal, b"D", lambda one: format(one.normalize(), "f").encode()),
    (bytes, b"B", bytes),
)
