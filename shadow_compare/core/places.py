"""Where in a document something stands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_ID = re.compile(r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_MARK = "[hmac:"


# What tells a place among its neighbours in the live answer: a member's name, an index, or
# for what the live answer does not have "the nth behind the element of that index".
Own = str | int | tuple[int, int]
Spot = tuple[Own, ...]


class At:
    """A place in a document; spelled out only where something differs."""

    __slots__ = ("_above", "_anchor", "_nth", "_own", "_step")

    def __init__(
        self,
        above: At | None = None,
        step: str | int | None = "",
        nth: int | None = None,
        anchor: str = "",
        own: Own | None = None,
    ) -> None:
        self._above = above
        self._step = step
        self._nth = nth
        self._anchor = anchor
        self._own = own

    def below(self, step: str | int, own: Own | None = None) -> At:
        """A member, or an element of an array; `own` where that is not its step."""
        return At(self, step, own=own)

    def child(self, name: str, nth: int | None, anchor: str = "", own: Own | None = None) -> At:
        """A child element: the `nth` of its name, from 0; None when it is the only one.

        `anchor` names it wherever it stands, "" when nothing does.
        """
        return At(self, name, nth, anchor, own)

    def text(self, own: Own) -> At:
        """One of the pieces of text of an element: its path is the element's."""
        return At(self, None, own=own)

    def spot(self) -> Spot:
        """Which place of the live answer this is, wherever the other one has it."""
        steps = (at._step if at._own is None else at._own for at in self._line())
        return ("$", *("" if step is None else step for step in steps))

    def path(self) -> str:
        """The exact path, with indexes."""
        return "$" + "".join(
            _spell(at._step) + _index(at._nth) for at in self._line() if at._step is not None
        )

    def pattern(self) -> str:
        """The path without indexes, and without keys that are ids or marks of hidden values.

        A pattern is kept with the counts, where nobody looks for what is one person's.

        It begins at the last element on the way that has a name of its own.
        """
        spelt = "$"
        for at in self._line():
            if at._step is None:
                continue
            if at._anchor:
                spelt = f"$..{_spell(at._anchor)}"
            elif isinstance(at._step, int) or _is_id(at._step):
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


def strangers(
    alone: Sequence[int], partners: Mapping[int, int], first: int = 0
) -> dict[int, tuple[int, int]]:
    """What tells elements that the live answer does not have: behind which of its own.

    Args:
        alone: the other side's indexes without a partner, ascending.
        partners: the other side's index to the live one of what belongs together.
        first: the live index from which on they were paired.
    """
    found: dict[int, tuple[int, int]] = {}
    behind, nth = first - 1, 0
    for index in range(alone[-1] + 1 if alone else 0):
        if index in partners:
            behind, nth = partners[index], 0
        else:
            found[index] = (behind, nth)
            nth += 1
    return found


def _is_id(key: str) -> bool:
    return _ID.fullmatch(key) is not None or _MARK in key


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
