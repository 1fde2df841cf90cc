"""A defect is a pure function of an answer; a seeded one says where it was put."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

from shadow_compare.core.answer import Answer
from shadow_compare.core.bodies import BodyKind, body_kind
from shadow_compare.core.documents import Document, Json, as_written, read_json
from shadow_compare.core.places import pattern_of
from shadow_compare.errors import UnreadableError

Steps = tuple[str | int, ...]


class Removed:
    """Stands for a value that is not there any more."""


REMOVED: Final = Removed()

SeededJson: TypeAlias = "Json | Removed"
#: Takes the name of the nearest member and a value; gives values that a broken store might
#: have sent in its place, each with where it shows below the place ("" is the place itself).
Change = Callable[[str, Json], Iterator[tuple[SeededJson, str]]]


@dataclass(frozen=True, slots=True)
class Seeded:
    """An answer with one defect.

    Attributes:
        pattern: index-free path of what was spoilt; "status", "body", "header:NAME".
    """

    answer: Answer
    pattern: str


class Defect(Protocol):
    """A way in which a store goes wrong.

    Attributes:
        kind: its name, e.g. "price_cent_more".
        told: what goes wrong, in words.
        is_critical: it costs money or orders when nobody sees it.
    """

    @property
    def kind(self) -> str: ...
    @property
    def told(self) -> str: ...
    @property
    def is_critical(self) -> bool: ...

    def spots(self, answer: Answer, lot: int) -> Iterator[Seeded]:
        """Every way to seed it, one for each pattern at which it can stand.

        The answer's body is plain, not packed. `lot` draws which of several places with
        one pattern is taken; the same lot draws the same. Nothing comes where there is no
        place.
        """
        ...


@dataclass(frozen=True, slots=True)
class DocumentDefect:
    """A defect in a JSON document."""

    kind: str
    told: str
    change: Change
    is_critical: bool = False

    def spots(self, answer: Answer, lot: int) -> Iterator[Seeded]:
        document = document_of(answer)
        if document is None:
            return
        found: dict[str, list[tuple[Steps, SeededJson]]] = {}
        for steps, value in places(document.value):
            for changed, below in self.change(_name(steps), value):
                pattern = pattern_of(steps) + below
                found.setdefault(pattern, []).append((steps, changed))
        for pattern, ways in found.items():
            steps, changed = ways[drawn(lot, self.kind, pattern) % len(ways)]
            body = as_written(_put(document.value, steps, changed)).encode()
            yield Seeded(replace(answer, body=body), pattern)


def document_of(answer: Answer) -> Document | None:
    """The answer's JSON document; None when it has none that can be relied on."""
    if body_kind(answer, answer.body) is not BodyKind.JSON:
        return None
    try:
        return read_json(answer.body)
    except UnreadableError:
        return None


def places(value: Json, steps: Steps = ()) -> Iterator[tuple[Steps, Json]]:
    """Every node of a document, the document itself first."""
    yield steps, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*steps, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from places(item, (*steps, at))


def drawn(lot: int, *names: str) -> int:
    """A number that depends on nothing but the lot and the names."""
    text = "\0".join((str(lot), *names))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


def _name(steps: Steps) -> str:
    return next((step for step in reversed(steps) if isinstance(step, str)), "")


def _put(value: Json, steps: Steps, changed: SeededJson) -> Json:
    """The document with another value at a place; what is not on the way is shared."""
    if not steps:
        return None if isinstance(changed, Removed) else changed
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict) and isinstance(step, str):
        members = dict(value)
        if not rest and isinstance(changed, Removed):
            del members[step]
        else:
            members[step] = _put(value[step], rest, changed)
        return members
    if isinstance(value, list) and isinstance(step, int):
        items = list(value)
        if not rest and isinstance(changed, Removed):
            del items[step]
        else:
            items[step] = _put(value[step], rest, changed)
        return items
    raise LookupError(steps)
