"""Answers of a pure function that are likely to be asked for again, bounded in bytes."""

from __future__ import annotations

from typing import Generic, TypeVar

_Value = TypeVar("_Value")
_ENTRY_BYTES = 200


class Memo(Generic[_Value]):
    """What was asked for lately. Threads may share it: at worst one learns a thing twice.

    Two generations: what is asked for is young; when the young ones fill half of the
    room they become the old ones, and those of the old that nobody asked for since go.
    """

    __slots__ = ("_half_bytes", "_old", "_used_bytes", "_young")

    def __init__(self, max_bytes: int) -> None:
        self._half_bytes = max_bytes // 2
        self._used_bytes = 0
        self._young: dict[bytes, _Value] = {}
        self._old: dict[bytes, _Value] = {}

    def get(self, key: bytes) -> _Value | None:
        """The answer, None when it is not remembered."""
        value = self._young.get(key)
        if value is not None:
            return value
        value = self._old.get(key)
        if value is not None:
            self.put(key, value, len(key))
        return value

    def put(self, key: bytes, value: _Value, size_bytes: int) -> None:
        """Remember an answer (never None) that takes about so many bytes."""
        size_bytes += _ENTRY_BYTES
        if self._used_bytes + size_bytes > self._half_bytes:
            self._old, self._young, self._used_bytes = self._young, {}, 0
        self._young[key] = value
        self._used_bytes += size_bytes
