"""Which part of two values differs, so that a person need not look for it."""

from __future__ import annotations

import difflib
import re
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

#: Pieces of a value in order, each with whether the other side lacks it.
Parts: TypeAlias = "tuple[tuple[str, bool], ...]"

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_MAX_TOKENS: Final = 400
_SHOWN: Final = 60


def inside(legacy: str | None, core: str | None) -> tuple[Parts, Parts]:
    """Both values in pieces; joined they are the values again.

    Whole words and numbers are marked, not letters: 13.08 against 13.07 differs in 08.
    What only one side has is marked as a whole.
    """
    if legacy is None or core is None:
        return _whole(legacy, differs=core is None), _whole(core, differs=legacy is None)
    left, right = _TOKEN.findall(legacy), _TOKEN.findall(core)
    if max(len(left), len(right)) > _MAX_TOKENS:
        return _by_ends(legacy, core)
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    ours: list[tuple[str, bool]] = []
    theirs: list[tuple[str, bool]] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        ours.append(("".join(left[i1:i2]), tag != "equal"))
        theirs.append(("".join(right[j1:j2]), tag != "equal"))
    return _tidy(ours), _tidy(theirs)


def _whole(value: str | None, *, differs: bool) -> Parts:
    return () if value is None else ((value, differs),)


def _by_ends(legacy: str, core: str) -> tuple[Parts, Parts]:
    """Long values: what they begin and end with in common is not marked."""
    most = min(len(legacy), len(core))
    start = next((i for i in range(most) if legacy[i] != core[i]), most)
    rest = most - start
    end = next((i for i in range(rest) if legacy[-1 - i] != core[-1 - i]), rest)
    return tuple(  # type: ignore[return-value]
        _tidy(
            [
                (text[:start], False),
                (text[start : len(text) - end], True),
                (text[len(text) - end :], False),
            ]
        )
        for text in (legacy, core)
    )


def _tidy(parts: list[tuple[str, bool]]) -> Parts:
    return tuple(part for part in parts if part[0])


def excerpt(parts: Parts) -> str:
    """The value on one line, not too long, with its first difference in sight."""
    text = " ".join("".join(piece for piece, _ in parts).split())
    if len(text) <= _SHOWN:
        return text
    before = 0
    for piece, differs in parts:
        if differs:
            break
        before += len(piece)
    start = max(0, min(before - _SHOWN // 3, len(text) - _SHOWN))
    end = start + _SHOWN
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def gap(legacy: str | None, core: str | None) -> str:
    """How much more or less the core says, where both values are numbers; else ""."""
    numbers = []
    for value in (legacy, core):
        try:
            numbers.append(Decimal((value or "").strip('"')))
        except InvalidOperation:
            return ""
    if not all(number.is_finite() and abs(number.adjusted()) < 30 for number in numbers):
        return ""
    more = numbers[1] - numbers[0]
    return f"{abs(more):f} {'higher' if more > 0 else 'lower'}" if more else ""
