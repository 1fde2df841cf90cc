"""What was acknowledged against what two databases have. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class End(StrEnum):
    """How an attempt to order ended, as the writer saw it.

    acknowledged: the shop gave a number. refused: the shop said no, before it did anything.
    unknown: no answer, or an answer that does not say whether the order was placed.
    """

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One order that a writer tried to place.

    Attributes:
        mark: a name that no other attempt has; the order carries it as its e-mail address.
        number: the shop's, "" without an answer.
        units: ordered.
        told: status or error of the answer.
        began_s: by the clock of `at_s`, which is its end.
    """

    mark: str
    end: End
    number: str
    units: int
    told: str
    at_s: float
    began_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Booked:
    """An order as a database has it."""

    mark: str
    number: str
    total_minor: int
    units: int
    lines: int
    status: str


def verify(
    attempts: Sequence[Attempt], legacy: Iterable[Booked], core: Iterable[Booked]
) -> tuple[str, ...]:
    """Everything that is wrong, a sentence each; nothing when the books are right."""
    return tuple(_wrong(attempts, _by_mark(legacy), _by_mark(core)))


def _by_mark(orders: Iterable[Booked]) -> Mapping[str, list[Booked]]:
    found: dict[str, list[Booked]] = defaultdict(list)
    for one in orders:
        found[one.mark].append(one)
    return found


def _wrong(
    attempts: Sequence[Attempt],
    legacy: Mapping[str, list[Booked]],
    core: Mapping[str, list[Booked]],
) -> Iterable[str]:
    for attempt in attempts:
        here, there = legacy.get(attempt.mark, []), core.get(attempt.mark, [])
        yield from _of_one(attempt, here, there)
    strangers = (legacy.keys() | core.keys()) - {attempt.mark for attempt in attempts}
    for mark in sorted(strangers):
        yield f"{mark}: nobody tried to place it"


def _of_one(attempt: Attempt, legacy: list[Booked], core: list[Booked]) -> Iterable[str]:
    mark = attempt.mark
    for side, found in (("legacy", legacy), ("core", core)):
        if len(found) > 1:
            yield f"{mark}: {len(found)} times on the {side} side, doubled"
        if not found and attempt.end is End.ACKNOWLEDGED:
            yield f"{mark}: acknowledged as {attempt.number}, lost on the {side} side"
        if found and attempt.end is End.REFUSED:
            yield f"{mark}: refused ({attempt.told}), yet on the {side} side"
        for one in found:
            yield from _whole(attempt, side, one)
    if attempt.end is End.UNKNOWN and bool(legacy) != bool(core):
        where = "legacy" if legacy else "core"
        yield f"{mark}: not acknowledged ({attempt.told}), and on the {where} side alone"
    if len(legacy) == len(core) == 1 and legacy != core:
        yield f"{mark}: differs: legacy {_told(legacy[0])}, core {_told(core[0])}"


def _whole(attempt: Attempt, side: str, one: Booked) -> Iterable[str]:
    if one.units != attempt.units or one.lines != 1:
        yield f"{attempt.mark}: torn on the {side} side: {one.lines} lines, {one.units} units"
    if attempt.end is End.ACKNOWLEDGED and one.number != attempt.number:
        yield f"{attempt.mark}: acknowledged as {attempt.number}, {one.number} on the {side} side"


def _told(one: Booked) -> str:
    return f"{one.number} {one.status} {one.total_minor} minor, {one.units} units"
