"""Which fields of two documents differ, and in what way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum
from typing import Any

import msgspec
from typing_extensions import override

_MICROS_OF_A_CENT = 10_000
_SECOND = timedelta(seconds=1)
_NUMBERING = frozenset(("number", "sequence", "position", "order_number", "sort_order"))
_INDEX = re.compile(r"\[\d+\]")
_ZERO_DATE = re.compile(r"0000-00-00|0001-01-01|1970-01-01T00:00:00(\.0+)?Z?")


class Unlike(StrEnum):
    """In what way two values are unlike, the gravest first."""

    VALUE = "value"
    ORDER = "order"
    PRECISION = "precision"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class FieldGap:
    """One field that differs.

    Attributes:
        path: as "lines[2].price_minor".
        owner, other: the values there; `ABSENT_FIELD` where there is no such field.
    """

    path: str
    unlike: Unlike
    owner: Any
    other: Any

    @property
    def pattern(self) -> str:
        """The path without the places in lists: "lines[].price_minor"."""
        return _INDEX.sub("[]", self.path)


class _Absent:
    @override
    def __repr__(self) -> str:
        return "(absent)"


ABSENT_FIELD = _Absent()


def field_gaps(owner: Any, other: Any, path: str = "") -> tuple[FieldGap, ...]:
    """Every leaf that differs, in the order of the owner's fields."""
    return tuple(_gaps(owner, other, path))


def _gaps(owner: Any, other: Any, path: str) -> Iterator[FieldGap]:
    ours, theirs = _members(owner), _members(other)
    if ours is not None and theirs is not None:
        for name in (*ours, *(name for name in theirs if name not in ours)):
            below = f"{path}.{name}" if path else name
            yield from _gaps(ours.get(name, ABSENT_FIELD), theirs.get(name, ABSENT_FIELD), below)
    elif _is_list(owner) and _is_list(other):
        yield from _list_gaps(owner, other, path)
    elif _spelled(owner) != _spelled(other):
        yield FieldGap(path, _unlike(owner, other, path), owner, other)


def _list_gaps(owner: Sequence[Any], other: Sequence[Any], path: str) -> Iterator[FieldGap]:
    ours, theirs = _by_id(owner), _by_id(other)
    if ours is None or theirs is None:
        if len(owner) == len(other) and _shuffled(owner, other):
            yield FieldGap(path, Unlike.ORDER, tuple(owner), tuple(other))
            return
        for place in range(max(len(owner), len(other))):
            one = owner[place] if place < len(owner) else ABSENT_FIELD
            two = other[place] if place < len(other) else ABSENT_FIELD
            yield from _gaps(one, two, f"{path}[{place}]")
        return
    for place, key in enumerate((*ours, *(key for key in theirs if key not in ours))):
        one, two = ours.get(key, ABSENT_FIELD), theirs.get(key, ABSENT_FIELD)
        yield from _gaps(one, two, f"{path}[{place}]")
    if list(ours) != list(theirs) and ours.keys() == theirs.keys():
        yield FieldGap(path, Unlike.ORDER, tuple(ours), tuple(theirs))


def _by_id(values: Sequence[Any]) -> dict[Any, Any] | None:
    """Elements by their id, where each has one of its own: a line lost is one gap, not many."""
    found: dict[Any, Any] = {}
    for value in values:
        members = _members(value)
        key = None if members is None else members.get("id")
        if key is None or key in found:
            return None
        found[key] = value
    return found


def _shuffled(owner: Sequence[Any], other: Sequence[Any]) -> bool:
    ours, theirs = sorted(map(repr, owner)), sorted(map(repr, other))
    return ours == theirs and list(map(repr, owner)) != list(map(repr, other))


def _members(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    return {str(key): one for key, one in value.items()} if isinstance(value, Mapping) else None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _spelled(value: Any) -> tuple[str, Any]:
    """A leaf with its kind: to Python True is 1, and an enum of texts is its text."""
    plain = value.value if isinstance(value, Enum) else value
    return type(plain).__name__, plain.normalize() if isinstance(plain, Decimal) else plain


def _unlike(owner: Any, other: Any, path: str) -> Unlike:
    name = _INDEX.sub("", path).rpartition(".")[2]
    if _is_text(owner, other):
        return Unlike.TEXT
    if _is_precision(owner, other, name):
        return Unlike.PRECISION
    return Unlike.ORDER if name in _NUMBERING else Unlike.VALUE


def _is_precision(owner: Any, other: Any, name: str) -> bool:
    if isinstance(owner, bool) or isinstance(other, bool):
        return False
    if isinstance(owner, int) and isinstance(other, int):
        if name.endswith("_minor"):
            return abs(owner - other) == 1
        return name.endswith("_micro") and abs(owner - other) < _MICROS_OF_A_CENT
    if isinstance(owner, datetime) and isinstance(other, datetime):
        return abs(owner - other) < _SECOND
    return _is_rounded(owner, other)


def _is_rounded(owner: Any, other: Any) -> bool:
    if not all(isinstance(one, str | Decimal) for one in (owner, other)):
        return False
    try:
        ours, theirs = Decimal(owner), Decimal(other)
        if not (ours.is_finite() and theirs.is_finite()):
            return False
        coarser = max(int(ours.as_tuple().exponent), int(theirs.as_tuple().exponent))
        return coarser < 0 and abs(ours - theirs) <= Decimal(1).scaleb(coarser)
    except InvalidOperation:
        return False


def _is_text(owner: Any, other: Any) -> bool:
    values = (owner, other)
    if any(one is None for one in values):
        return any(one == "" or _is_zero_date(one) for one in values)
    if all(isinstance(one, str) for one in values):
        return _bare(owner) == _bare(other) or _is_garbled(owner, other)
    return False


def _is_zero_date(value: Any) -> bool:
    if isinstance(value, date):
        return value.year == 1 or (value.year, value.month, value.day) == (1970, 1, 1)
    return isinstance(value, str) and _ZERO_DATE.match(value) is not None


def _bare(text: str) -> str:
    """What is left of a text when nobody minds its form and its blanks."""
    lines = unicodedata.normalize("NFKC", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip(" \t\0") for line in lines).strip()


def _is_garbled(owner: str, other: str) -> bool:
    """Whether one is the other, read in the wrong charset or with letters lost."""
    return any(
        one == _misread(two, charset)
        for one, two in ((owner, other), (other, owner))
        for charset in ("latin-1", "cp1252")
    ) or _is_lossy_copy(owner, other)


def _misread(text: str, charset: str) -> str | None:
    try:
        return text.encode().decode(charset)
    except UnicodeError:
        return None


def _is_lossy_copy(owner: str, other: str) -> bool:
    if len(owner) != len(other):
        return False
    lost = [(one, two) for one, two in zip(owner, other, strict=True) if one != two]
    marks = "?\N{REPLACEMENT CHARACTER}"
    return bool(lost) and all(
        (one in marks and not two.isascii()) or (two in marks and not one.isascii())
        for one, two in lost
    )
