"""Two answers to one request, laid line against line.

What differs stays in place and is marked; runs of equal lines are folded away.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from shadow_compare.core.evidence import Leaf

CONTEXT_LINES: Final = 2
_WORTH_FOLDING: Final = 4
MAX_LINES: Final = 4_000
_MAX_MATCHED_LINES: Final = 1_500


class _Absent:
    """A key or element that one side lacks."""


class _Number(str):
    """A number as it was written: 1.50 is not 1.5 to a reader of differences."""

    __slots__ = ()


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Cell:
    """One side's line: `head` (indent and key) and `value`, the part that may differ."""

    head: str
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of both sides.

    Attributes:
        path: where in the document, "" outside JSON.
        differs: the two cells are not the same.
        counted: the comparer counted this difference; False for one that a rule accepts.
    """

    path: str
    legacy: Cell | None
    core: Cell | None
    differs: bool
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows; folded when they are all equal and many."""

    folded: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The whole comparison. `cut` tells how many lines are not shown."""

    blocks: tuple[Block, ...]
    cut: int


def side_by_side(legacy: str, core: str, leaves: Sequence[Leaf]) -> SideBySide:
    """Lay two bodies against each other; JSON by structure, anything else by lines."""
    places = tuple(_normal(leaf.path) for leaf in leaves)
    try:
        rows = list(_json_rows(_parse(legacy), _parse(core), places))
    except (ValueError, RecursionError):
        rows = list(_text_rows(legacy, core))
    return SideBySide(_fold(rows[:MAX_LINES]), max(0, len(rows) - MAX_LINES))


def _parse(text: str) -> Any:
    return json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_Number)


def _normal(path: str) -> str:
    return re.sub(r"\[['\"]([^'\"]*)['\"]\]", r".\1", path)


def _json_rows(legacy: Any, core: Any, places: tuple[str, ...]) -> Iterator[Row]:
    def counted(path: str) -> bool:
        return any(_within(path, place) or _within(place, path) for place in places)

    def walk(path: str, head: str, pair: tuple[Any, Any], tail: str) -> Iterator[Row]:
        left, right = pair
        if isinstance(left, dict) and isinstance(right, dict):
            keys = list(left) + [key for key in right if key not in left]
            members = [
                (f"{path}.{key}", f"{_text(key)}: ", left.get(key, ABSENT), right.get(key, ABSENT))
                for key in keys
            ]
            yield from inside(path, head, members, ("{", "}" + tail))
        elif isinstance(left, list) and isinstance(right, list):
            members = [
                (f"{path}[{index}]", "", *both)
                for index, both in enumerate(zip_longest(left, right, fillvalue=ABSENT))
            ]
            yield from inside(path, head, members, ("[", "]" + tail))
        else:
            yield from _leaf_rows(path, head, pair, tail, counted)

    def inside(
        path: str, head: str, members: list[tuple[str, str, Any, Any]], ends: tuple[str, str]
    ) -> Iterator[Row]:
        indent = head[: len(head) - len(head.lstrip(" "))]
        if not members:
            yield _same(path, head, ends[0] + ends[1])
            return
        yield _same(path, head, ends[0])
        for number, (at, key, left, right) in enumerate(members, 1):
            comma = "," if number < len(members) else ""
            yield from walk(at, f"{indent}  {key}", (left, right), comma)
        yield _same(path, indent, ends[1])

    yield from walk("$", "", (legacy, core), "")


def _leaf_rows(
    path: str, head: str, pair: tuple[Any, Any], tail: str, counted: Any
) -> Iterator[Row]:
    left, right = (_lines(value, head, tail) for value in pair)
    differs = left != right
    marked = differs and counted(path)
    for one, other in zip_longest(left, right):
        yield Row(path, one, other, differs=one != other, counted=marked and one != other)


def _lines(value: Any, head: str, tail: str) -> list[Cell]:
    """A value on one side alone, over as many lines as it takes."""
    indent = head[: len(head) - len(head.lstrip(" "))]
    if value is ABSENT:
        return []
    if isinstance(value, dict) and value:
        parts = [(f"{_text(key)}: ", member) for key, member in value.items()]
        ends = ("{", "}")
    elif isinstance(value, list) and value:
        parts, ends = [("", member) for member in value], ("[", "]")
    else:
        return [Cell(head, _text(value) + tail)]
    lines = [Cell(head, ends[0])]
    for number, (key, member) in enumerate(parts, 1):
        lines += _lines(member, f"{indent}  {key}", "," if number < len(parts) else "")
    return [*lines, Cell(indent, ends[1] + tail)]


def _text(value: Any) -> str:
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _same(path: str, head: str, value: str) -> Row:
    cell = Cell(head, value)
    return Row(path, cell, cell, differs=False)


def _within(path: str, place: str) -> bool:
    return path == place or (path.startswith(place) and path[len(place)] in ".[")


def _text_rows(legacy: str, core: str) -> Iterator[Row]:
    left, right = ([Cell("", line) for line in text.splitlines()] for text in (legacy, core))
    if max(len(left), len(right)) > _MAX_MATCHED_LINES:
        for one, other in zip_longest(left, right):
            yield Row("", one, other, differs=one != other, counted=one != other)
        return
    matcher = difflib.SequenceMatcher(
        None, [cell.value for cell in left], [cell.value for cell in right], autojunk=False
    )
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for one, other in zip_longest(left[i1:i2], right[j1:j2]):
            yield Row("", one, other, differs=tag != "equal", counted=tag != "equal")


def _fold(rows: Sequence[Row]) -> tuple[Block, ...]:
    """Keep each difference with its neighbours in sight; fold longer equal runs."""
    near = {
        place
        for index, row in enumerate(rows)
        if row.differs
        for place in range(index - CONTEXT_LINES, index + CONTEXT_LINES + 1)
    }
    blocks: list[Block] = []
    run: list[Row] = []
    hidden = False
    for index, row in enumerate(rows):
        if (index not in near) != hidden and run:
            blocks.append(Block(hidden and len(run) >= _WORTH_FOLDING, tuple(run)))
            run = []
        hidden = index not in near
        run.append(row)
    if run:
        blocks.append(Block(hidden and len(run) >= _WORTH_FOLDING, tuple(run)))
    return tuple(blocks)
