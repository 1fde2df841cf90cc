"""A document as values with line numbers: what the parser reads, whatever wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ScalarKind(StrEnum):
    """What a scalar looks like to the format it was written in."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    NOTHING = "nothing"
    DATE = "date"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as written. `line` is 1-based, here and below."""

    line: int
    text: str
    kind: ScalarKind = ScalarKind.TEXT


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list of nodes."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapNode:
    """Keys and values in the file's order; a key that stands twice stands here twice."""

    line: int
    entries: tuple[tuple[Scalar, Node], ...]


Node = Scalar | ListNode | MapNode
