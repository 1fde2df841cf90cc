"""How fast and how safely domains move: four figures from what the ledger wrote down.

A forward step leads a domain to a later stage, or to a larger share. It failed when the domain
was taken back before its next forward step. A domain that is new takes no step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from statistics import median

from cutover.core.revision import RevisionKind, Told
from cutover.core.stages import READS_ALONE, Direction, Position, direction
from proxy.routing import Stage

PPM = 1_000_000
WEEK_S = 7 * 86_400.0
_SHARE = r"canary (?:\d{1,3}(?:\.\d{1,2})?) %"
_PLACE = rf"(legacy|shadow|(?:{_SHARE}|core)(?:{READS_ALONE})?|retired)"
_MOVE = re.compile(
    rf"([a-z][a-z0-9_-]{{0,62}}): (?:{_PLACE} -> {_PLACE}(?:, by a flip)?|new, in stage {_PLACE}"
    rf"|removed from stage {_PLACE}; .*|stays in stage {_PLACE}(?:; .*)?)",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Move:
    """What a sentence of the ledger says became of a domain.

    Attributes:
        before: None for a new domain; equal to `after` where only its rules changed.
        after: None for one that was removed.
    """

    domain: str
    before: Position | None
    after: Position | None

    @property
    def direction(self) -> Direction:
        """Where it led. A new domain takes no step; a removed one goes back to legacy, and a
        flip goes forward over canary, where two would write.
        """
        if self.before is None:
            return Direction.SAME
        found = direction(self.before, self.after or Position(Stage.LEGACY))
        return Direction.FORWARD if found is Direction.SKIP else found


@dataclass(frozen=True, slots=True)
class Step:
    """A forward step that was taken.

    Attributes:
        waited_s: how long the domain stood where the step left from; None where the ledger
            does not know since when.
        undone_at: when it was taken back before the next forward step; None when it was not.
        undone_n: the revision that did it; 0 for none.
    """

    n: int
    domain: str
    at: datetime
    before: Position
    after: Position
    waited_s: float | None
    undone_at: datetime | None = None
    undone_n: int = 0

    @property
    def restore_s(self) -> float | None:
        """From the step to its taking back. Clocks of two machines may disagree: never below 0."""
        if self.undone_at is None:
            return None
        return max(0.0, (self.undone_at - self.at).total_seconds())


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, both ends in it."""

    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.since <= at <= self.until


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, of at least one time that it happened."""

    count: int
    median_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """The figures of one domain, or of all together.

    Attributes:
        applies: revisions by apply that changed a rule; of a domain, that named it.
        steps: forward steps; `failed` of them were taken back.
        restore: from a failed step to its taking back, of those taken back in the window.
        in_stage: how long a domain stood where a step of the window left from.
    """

    applies: int
    steps: int
    failed: int
    restore: Spread | None
    in_stage: Spread | None

    @property
    def failure_ppm(self) -> int | None:
        """The change failure rate, rounded up; None without a step: there is no rate of none."""
        return -(-PPM * self.failed // self.steps) if self.steps else None


@dataclass(frozen=True, slots=True)
class Delivery:
    """All figures of a window.

    Attributes:
        covered_s: how much of the window the ledger was there for.
        rollbacks: revisions by rollback.
        domains: by name, those that changed in the window or were taken back in it.
    """

    window: Window
    covered_s: float
    rollbacks: int
    total: Delivered
    domains: tuple[tuple[str, Delivered], ...]

    @property
    def applies_per_week(self) -> float | None:
        """None below a week: three changes in an hour are not 504 a week."""
        if self.covered_s < WEEK_S:
            return None
        return self.total.applies * WEEK_S / self.covered_s


@lru_cache(maxsize=16_384)
def read_move(sentence: str) -> Move | None:
    """What a line of a revision's changes says of a domain; None for any other line."""
    found = _MOVE.fullmatch(sentence)
    if found is None:
        return None
    domain, before, after, new, removed, same = found.groups()
    start, end = before or removed or same, after or new or same
    return Move(domain, _position(start), _position(end))


def _position(words: str | None) -> Position | None:
    if words is None:
        return None
    place = words.removesuffix(READS_ALONE)
    stage, _, share = place.partition(" ")
    share_bp = round(float(share.removesuffix(" %")) * 100) if share else 0
    return Position(Stage(stage), share_bp, writes_stay=place != words)


def steps_taken(revisions: Iterable[Told]) -> tuple[Step, ...]:
    """Every forward step, by the ledger's order, with what became of it.

    A rollback is of the domain's last step, once: what goes back further, or back from a
    step that the ledger does not know, is nobody's.
    """
    steps: list[Step] = []
    entered: dict[str, tuple[Position, datetime]] = {}
    standing: dict[str, int] = {}
    for revision in revisions:
        for move in moves_of(revision):
            way = move.direction
            if way is Direction.BACKWARD:
                last = standing.pop(move.domain, None)
                if last is not None:
                    steps[last] = replace(steps[last], undone_at=revision.at, undone_n=revision.n)
            elif way is not Direction.SAME:
                standing[move.domain] = len(steps)
                steps.append(_step(move, revision, entered.get(move.domain)))
            if move.after is None:
                entered.pop(move.domain, None)
            elif move.after != move.before:
                entered[move.domain] = move.after, revision.at
    return tuple(steps)


def moves_of(revision: Told) -> tuple[Move, ...]:
    """What a revision says became of each domain that it names. A yes moves nothing."""
    if revision.kind is RevisionKind.APPROVAL:
        return ()
    found = (read_move(sentence) for sentence in revision.changes)
    return tuple(move for move in found if move is not None)


def _step(move: Move, revision: Told, entered: tuple[Position, datetime] | None) -> Step:
    assert move.before is not None  # noqa: S101 - only a move from somewhere is a step
    assert move.after is not None  # noqa: S101 - a removal leads back
    is_known = entered is not None and entered[0] == move.before
    waited_s = (
        max(0.0, (revision.at - entered[1]).total_seconds()) if entered and is_known else None
    )
    return Step(revision.n, move.domain, revision.at, move.before, move.after, waited_s)


def delivery(revisions: Sequence[Told], window: Window, domain: str = "") -> Delivery:
    """The figures of a window.

    Args:
        revisions: the whole ledger, by number: what a step waited for lies before the window.
        window: of the time to speak of.
        domain: only this one's; "" for all.
    """
    steps = [step for step in steps_taken(revisions) if domain in ("", step.domain)]
    mine = [
        (revision, {move.domain for move in moves_of(revision)})
        for revision in revisions
        if window.holds(revision.at)
    ]
    mine = [(revision, names) for revision, names in mine if not domain or domain in names]
    applied = [names for revision, names in mine if revision.kind is RevisionKind.APPLY]
    touched = {name for _, names in mine for name in names if domain in ("", name)}
    begun = [step for step in steps if window.holds(step.at)]
    undone = [step for step in steps if step.undone_at and window.holds(step.undone_at)]
    return Delivery(
        window=window,
        covered_s=_covered(revisions, window),
        rollbacks=sum(revision.kind is RevisionKind.ROLLBACK for revision, _ in mine),
        total=_delivered(len(applied), begun, undone),
        domains=tuple(
            (
                name,
                _delivered(
                    sum(name in names for names in applied),
                    [step for step in begun if step.domain == name],
                    [step for step in undone if step.domain == name],
                ),
            )
            for name in sorted(touched)
        ),
    )


def _covered(revisions: Sequence[Told], window: Window) -> float:
    if not revisions:
        return 0.0
    began = max(window.since, min(revision.at for revision in revisions))
    return max(0.0, (window.until - began).total_seconds())


def _delivered(applies: int, begun: Sequence[Step], undone: Sequence[Step]) -> Delivered:
    return Delivered(
        applies=applies,
        steps=len(begun),
        failed=sum(step.undone_at is not None for step in begun),
        restore=_spread([step.restore_s for step in undone]),
        in_stage=_spread([step.waited_s for step in begun]),
    )


def _spread(durations_s: Iterable[float | None]) -> Spread | None:
    known = [duration_s for duration_s in durations_s if duration_s is not None]
    return Spread(len(known), median(known), max(known)) if known else None
