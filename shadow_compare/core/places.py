"""Where in a document something stands."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_ID = re.compile(r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class At:
    """A place in a document; spelled out only where something differs."""

    __slots__ = ("_above", "_anchor", "_nth", "_step")

    def __init__(
        self,
        above: At | None = None,
        step: str | int = "",
        nth: int | None = None,
        anchor: str = "",
    ) -> None:
        self._above = above
        self._step = step
        self._nth = nth
        self._anchor = anchor

    def below(self, step: str | int) -> At:
        """A member, or an element of an array."""
        return At(self, step)

    def child(self, name: str, nth: int | None, anchor: str = "") -> At:
        """A child element: the `nth` of its name, from 0; None when it is the only one.

        `anchor` names it wherever it stands, "" when nothing does.
        """
        return At(self, name, nth, anchor)

    def path(self) -> str:
        """The exact path, with indexes."""
        return "$" + "".join(_spell(at._step) + _index(at._nth) for at in self._line())

    def pattern(self) -> str:
        """The path without indexes, and without keys that are ids rather than names.

        It begins at the last element on the way that has a name of its own.
        """
        spelt = "$"
        for at in self._line():
            if at._anchor:
                spelt = f"$..{_spell(at._anchor)}"
            elif isinstance(at._step, int) or _ID.fullmatch(at._step):
                spelt += "[*]"
            else:
                spelt += _spell(at._step)
        return spelt

    def _line(self) -> list[At]:
        line: list[At] = []
        at = self
        while at._above is not None:
            line.append(at)
            at = at._above
        return line[::-1]


def _index(nth: int | None) -> str:
    return "" if nth is None else f"[{nth}]"


def _spell(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if _PLAIN.fullmatch(step):
        return f".{step}"
    escaped = step.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def pattern_of(steps: Sequence[str | int]) -> str:
    """How a place is written in `Leaf.pattern`; names of members and indexes from the root."""
    at = At()
    for step in steps:
        at = at.below(step)
    return at.pattern()
