"""What moves by itself: a side is asked the same twice and differs from itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from proxy.routing.model import Accept
from shadow_compare.core.evidence import Leaf
from shadow_compare.core.forgiving import is_uuid
from shadow_compare.core.times import distance_s, read_time

SAMPLES = 5
SURVEYED = ""
BETWEEN = "between"


class Nature(StrEnum):
    """What all of a field's drift has in common. `other`: nothing that a rule could state."""

    TIMESTAMP = "timestamp"
    UUID = "uuid"
    NUMBER = "number"
    UNORDERED = "unordered"
    NULL_OR_ABSENT = "null_or_absent"
    OTHER = "other"

    @property
    def accept(self) -> Accept:
        """The least that a rule must forgive to accept it."""
        return Accept.ANY if self is Nature.OTHER else Accept(self.value)


@dataclass(frozen=True, slots=True)
class Drift:
    """What was seen of one field.

    Attributes:
        side: "legacy" or "core", asked twice; "between", one against the other.
        pattern: index-free; "" stands for the survey itself, whatever drifted in it.
        pairs: pairs of answers that could be compared on this route.
        drifted: those of them that differed at this pattern.
        bound: the greatest difference seen: seconds between times, or between numbers.
        samples: up to five pairs of values, as canonical JSON; None for no such member.
    """

    side: str
    route: str
    pattern: str
    pairs: int
    drifted: int = 0
    nature: Nature = Nature.OTHER
    bound: Decimal | None = None
    samples: tuple[tuple[str | None, str | None], ...] = ()


class DriftCounter:
    """Counts one route of one side. Belongs to one task."""

    def __init__(self, side: str, route: str) -> None:
        self._side = side
        self._route = route
        self._pairs = 0
        self._drifted: dict[str, int] = {}
        self._leaves: dict[str, list[Leaf]] = {}

    def add(self, leaves: Sequence[Leaf]) -> None:
        """One pair of answers that could be compared, and where they differed."""
        self._pairs += 1
        for pattern in {leaf.pattern for leaf in leaves}:
            self._drifted[pattern] = self._drifted.get(pattern, 0) + 1
        for leaf in leaves:
            self._leaves.setdefault(leaf.pattern, []).append(leaf)

    def drifts(self) -> tuple[Drift, ...]:
        """The survey, and each field that moved, those that moved most often first."""
        survey = Drift(
            self._side, self._route, SURVEYED, self._pairs, max(self._drifted.values(), default=0)
        )
        fields = [self._field(pattern, count) for pattern, count in self._drifted.items()]
        return (survey, *sorted(fields, key=lambda one: (-one.drifted, one.pattern)))

    def _field(self, pattern: str, drifted: int) -> Drift:
        leaves = self._leaves[pattern]
        nature, bound = nature_of(leaves)
        samples = tuple((leaf.legacy, leaf.core) for leaf in leaves[:SAMPLES])
        return Drift(self._side, self._route, pattern, self._pairs, drifted, nature, bound, samples)


def nature_of(leaves: Iterable[Leaf]) -> tuple[Nature, Decimal | None]:
    """What explains all of these differences at one pattern, and how far they reach."""
    common: Nature | None = None
    bound: Decimal | None = None
    for leaf in leaves:
        nature, reach = _one(leaf)
        if common not in (None, nature):
            return Nature.OTHER, None
        common = nature
        if reach is not None:
            bound = reach if bound is None else max(bound, reach)
    return common or Nature.OTHER, bound


def _one(leaf: Leaf) -> tuple[Nature, Decimal | None]:
    if leaf.kind == "order":
        return Nature.UNORDERED, None
    if leaf.kind in ("missing", "added") and "null" in (leaf.legacy, leaf.core):
        return Nature.NULL_OR_ABSENT, None
    if leaf.kind != "value" or leaf.legacy is None or leaf.core is None:
        return Nature.OTHER, None
    return _of_values(_scalar(leaf.legacy), _scalar(leaf.core))


def _of_values(
    ours: str | Decimal | None, theirs: str | Decimal | None
) -> tuple[Nature, Decimal | None]:
    if isinstance(ours, Decimal) and isinstance(theirs, Decimal):
        return Nature.NUMBER, abs(ours - theirs)
    if isinstance(ours, str) and isinstance(theirs, str):
        if is_uuid(ours) and is_uuid(theirs):
            return Nature.UUID, None
        one, other = read_time(ours), read_time(theirs)
        if one and other and (apart := distance_s(one, other)) is not None:
            return Nature.TIMESTAMP, apart
    return Nature.OTHER, None


def _scalar(text: str) -> str | Decimal | None:
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:  # a stored text may have been cut
            return None
        return value if isinstance(value, str) else None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def merged(drifts: Iterable[Drift]) -> Mapping[tuple[str, str], tuple[Drift, ...]]:
    """The fields that moved, by route and pattern; what is "between" does not count."""
    found: dict[tuple[str, str], list[Drift]] = {}
    for one in drifts:
        if one.pattern != SURVEYED and one.side != BETWEEN:
            found.setdefault((one.route, one.pattern), []).append(one)
    return {place: tuple(sides) for place, sides in found.items()}
