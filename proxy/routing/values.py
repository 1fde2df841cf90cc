"""Read single values out of nodes, and note what is wrong with them instead of failing.

Every method returns None (or what could be read) after noting a problem, so that one
run over a file finds all that is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from proxy.errors import Problem
from proxy.routing.nodes import ListNode, MapNode, Node, Scalar, ScalarKind

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")
Nodes = tuple[Node, ...]

_PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,12}))?[ \t]?%", re.ASCII)
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)[ \t]?(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SIZE = re.compile(r"(\d{1,9})[ \t]?(B|KiB|MiB)", re.ASCII)
_BYTES = {"B": 1, "KiB": 1_024, "MiB": 1_048_576}
_INTEGER = re.compile(r"\d{1,15}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    found = get_close_matches(word.lower()[:64], list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def listed(words: Iterable[str]) -> str:
    """Words as a person writes them: "a, b or c"."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def spelled(seconds: float) -> str:
    """A span as a file writes it."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    unit = next(
        unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0 or unit == "s"
    )
    return f"{seconds / _SECONDS[unit]:g}{unit}"


def shown(text: str) -> str:
    """A value in quotes, on one line, not too long."""
    flat = " ".join(text.split())
    return f'"{flat if len(flat) <= 60 else flat[:57] + "..."}"'


class Reader:
    """Reads values of one file and collects what is wrong."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def note(self, line: int, key: str, what: str, fix: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(self.file, line, key or "file", what, fix))

    def fields(self, node: Node, key: str, known: tuple[str, ...]) -> dict[str, Node] | None:
        """A mapping with a closed set of keys; None when it is no mapping."""
        found = self.entries(node, key)
        if found is None:
            return None
        for name, (line, _) in found.items():
            if name in known:
                continue
            meant = nearest(name, known)
            fix = f'Did you mean "{meant}"?' if meant else f"Known keys: {', '.join(known)}."
            self.note(line, join(key, name), f"Unknown key {shown(name)}.", fix)
        return {name: value for name, (_, value) in found.items() if name in known}

    def entries(self, node: Node, key: str) -> dict[str, tuple[int, Node]] | None:
        """A mapping with free keys, to the key's line and value; None when it is none."""
        if not isinstance(node, MapNode):
            self.note(node.line, key, "A mapping is expected here.", 'Write "key: value" pairs.')
            return None
        found: dict[str, tuple[int, Node]] = {}
        for name, value in node.entries:
            if name.text in found:
                self.note(
                    name.line,
                    join(key, name.text),
                    f"The key stands here a second time; the first is in line"
                    f" {found[name.text][0]}.",
                    "Keep one of them.",
                )
                continue
            found[name.text] = (name.line, value)
        return found

    def items(self, node: Node, key: str, *, empty: tuple[str, str] | None = None) -> Nodes:
        """A list's items; empty after noting that it is no list.

        `empty` says what is wrong with an empty list, and the fix, where that is an error.
        """
        if not isinstance(node, ListNode):
            fix = "Write [a, b], or lines with a dash."
            self.note(node.line, key, "A list is expected here.", fix)
            return ()
        if not node.items and empty is not None:
            self.note(node.line, key, *empty)
        return node.items

    def each(
        self, node: Node | None, key: str, read: Callable[[Reader, str, Node], T | None]
    ) -> tuple[T, ...]:
        """What could be read of a list's items; none where there is no list."""
        items = () if node is None else self.items(node, key)
        found = (read(self, f"{key}[{index}]", item) for index, item in enumerate(items))
        return tuple(one for one in found if one is not None)

    def if_given(
        self,
        fields: Mapping[str, Node],
        key: str,
        name: str,
        read: Callable[[Reader, str, Node], T | None],
    ) -> T | None:
        """A field by its reader; None where it is absent."""
        return read(self, f"{key}.{name}", fields[name]) if name in fields else None

    def missing(self, line: int, key: str, name: str, fix: str) -> None:
        """Note a required key that is not there."""
        self.note(line, join(key, name), f'"{name}" is missing.', fix)

    def text(self, node: Node, key: str) -> str | None:
        """One line of text as written; numbers and dates are text too."""
        if not isinstance(node, Scalar) or node.kind in (ScalarKind.NOTHING, ScalarKind.OTHER):
            self.note(node.line, key, "Text is expected here.", "Write a word or a sentence.")
            return None
        text = " ".join(node.text.split())
        if not text or _CONTROL.search(node.text.replace("\n", " ")):
            self.note(node.line, key, "The text is empty or unreadable.", "Write plain text.")
            return None
        return text

    def choice(self, node: Node, key: str, kind: type[E]) -> E | None:
        """One of a closed set of words."""
        text = self.text(node, key)
        if text is None:
            return None
        try:
            return kind(text)
        except ValueError:
            meant = nearest(text, kind)
            fix = f'Did you mean "{meant}"?' if meant else f"Write {listed(kind)}."
            what = f"{shown(text)} is none of {', '.join(kind)}."
            self.note(node.line, key, what, fix)
            return None

    def header(self, node: Scalar, key: str, text: str) -> str | None:
        """A header's or cookie's name, as written."""
        if _TOKEN.fullmatch(text):
            return text
        self.note(
            node.line, key, f"{shown(text)} is no name of a header or cookie.", "Write its name."
        )
        return None

    def integer(self, node: Node, key: str, *, least: int, most: int) -> int | None:
        """A whole number between two bounds, both legal."""
        text = self.text(node, key)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
            fix = f"Write a whole number from {least} to {most}."
            self.note(node.line, key, f"{shown(text)} is no such number.", fix)
            return None
        return int(text)

    def share(self, node: Node, key: str, *, whole: int) -> int | None:
        """A percentage in parts of `whole` (10,000 or 1,000,000). Exact: never rounded."""
        text = self.text(node, key)
        if text is None:
            return None
        found = _PERCENT.fullmatch(text)
        if found is None:
            fix = f"Write {text}%." if _INTEGER.fullmatch(text) else "Write it like 12.5%."
            self.note(node.line, key, f"{shown(text)} is no percentage.", fix)
            return None
        digits = len(str(whole)) - 3
        fraction = (found[2] or "").rstrip("0")
        value = int(found[1]) * (whole // 100) + int(fraction.ljust(digits, "0") or "0")
        if len(fraction) > digits:
            what = f"{shown(text)} is finer than {digits} decimals."
            self.note(node.line, key, what, f"Write at most {digits} decimals.")
            return None
        if value > whole:
            self.note(node.line, key, f"{shown(text)} is more than all.", "Write 100% or less.")
            return None
        return value

    def duration(self, node: Node, key: str, *, least_s: float, most_s: float) -> float | None:
        """A span such as 250ms, 5s, 2m, 12h or 30d, in seconds; both bounds are legal."""
        text = self.text(node, key)
        if text is None:
            return None
        found = _DURATION.fullmatch(text)
        if found is None:
            fix = (
                f"Write {text}s." if _INTEGER.fullmatch(text) else "Write it like 250ms, 5s or 2m."
            )
            self.note(node.line, key, f"{shown(text)} is no duration.", fix)
            return None
        seconds = float(found[1]) * _SECONDS[found[2]]
        if least_s <= seconds <= most_s:
            return seconds
        fix = f"Write {spelled(least_s)} to {spelled(most_s)}."
        self.note(node.line, key, f"{shown(text)} is out of bounds.", fix)
        return None

    def size(self, node: Node, key: str, *, least: int, most: int) -> int | None:
        """A number of bytes such as 64KiB or 1MiB; both bounds are legal."""
        text = self.text(node, key)
        if text is None:
            return None
        found = _SIZE.fullmatch(text)
        if found is not None and least <= int(found[1]) * _BYTES[found[2]] <= most:
            return int(found[1]) * _BYTES[found[2]]
        fix = f"Write {least // 1024}KiB to {most // 1024}KiB."
        self.note(node.line, key, f"{shown(text)} is no such size.", fix)
        return None

    def day(self, node: Node, key: str) -> date | None:
        """A calendar day, YYYY-MM-DD."""
        text = self.text(node, key)
        if text is None:
            return None
        if _DATE.fullmatch(text):
            try:
                return date.fromisoformat(text)
            except ValueError:
                pass
        self.note(node.line, key, f"{shown(text)} is no calendar day.", "Write it like 2027-06-30.")
        return None


def join(key: str, name: str) -> str:
    """A dotted key, one step further down."""
    name = " ".join(name.split())[:80]
    return f"{key}.{name}" if key else name
