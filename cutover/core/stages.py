"""The stages as a state machine: one step forward at a time, back from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import override

from proxy.routing import Domain, Stage


class Direction(StrEnum):
    """Where a change of stage or share leads.

    skip: forward over a stage that has to be lived through; never legal.
    """

    SAME = "same"
    FORWARD = "forward"
    BACKWARD = "backward"
    SKIP = "skip"


_S, _F, _B, _X = Direction.SAME, Direction.FORWARD, Direction.BACKWARD, Direction.SKIP

#: From (row) to (column): legacy, shadow, canary, core, retired.
_ROWS: Mapping[Stage, tuple[Direction, ...]] = {
    Stage.LEGACY: (_S, _F, _X, _X, _X),
    Stage.SHADOW: (_B, _S, _F, _X, _X),
    Stage.CANARY: (_B, _B, _S, _F, _X),
    Stage.CORE: (_B, _B, _B, _S, _F),
    Stage.RETIRED: (_B, _B, _B, _B, _S),
}
TRANSITIONS: Mapping[Stage, Mapping[Stage, Direction]] = {
    before: dict(zip(Stage, row, strict=True)) for before, row in _ROWS.items()
}

#: Where a rollback leads when nobody says otherwise. From shadow on legacy answers
#: everything, so shadow is far enough back, and the evidence goes on.
ROLLBACK: Mapping[Stage, Stage] = {
    Stage.LEGACY: Stage.LEGACY,
    Stage.SHADOW: Stage.LEGACY,
    Stage.CANARY: Stage.SHADOW,
    Stage.CORE: Stage.SHADOW,
    Stage.RETIRED: Stage.SHADOW,
}


#: Here the core answers shoppers.
SERVING = (Stage.CANARY, Stage.CORE, Stage.RETIRED)
#: Ends the words for a place where writes stay.
READS_ALONE = ", writes at legacy"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a domain has moved: its stage, and in canary the core's share.

    Attributes:
        writes_stay: the core answers reads alone; its writes are legacy's.
    """

    stage: Stage
    core_share_bp: int = 0
    writes_stay: bool = False

    @override
    def __str__(self) -> str:
        share = f" {self.core_share_bp / 100:g} %" if self.stage is Stage.CANARY else ""
        return f"{self.stage}{share}{READS_ALONE if self.writes_stay else ''}"

    @property
    def has_writes_at_core(self) -> bool:
        """Whether the core takes any of the domain's writes."""
        return self.stage in SERVING and not self.writes_stay


def position(domain: Domain) -> Position:
    """Where a domain stands."""
    return Position(
        domain.stage,
        domain.core_share_bp if domain.stage is Stage.CANARY else 0,
        domain.writes_stay and domain.stage in SERVING,
    )


def direction(before: Position, after: Position) -> Direction:
    """Where a change leads. Inside canary a larger share is a step forward.

    Writes that had stayed and go to the core step forward too, whatever else goes back; from
    writes that stay no step leads to retired.
    """
    found = TRANSITIONS[before.stage][after.stage]
    if before.writes_stay and after.stage is Stage.RETIRED:
        return Direction.SKIP
    if found is Direction.SAME:
        found = _compared(before.core_share_bp, after.core_share_bp)
    if found is Direction.SKIP or before.has_writes_at_core == after.has_writes_at_core:
        return found
    if after.has_writes_at_core:
        return Direction.FORWARD
    return Direction.BACKWARD if found is Direction.SAME else found


def _compared(before_bp: int, after_bp: int) -> Direction:
    if before_bp == after_bp:
        return Direction.SAME
    return Direction.FORWARD if after_bp > before_bp else Direction.BACKWARD


def needs_evidence(before: Position, after: Position) -> bool:
    """True for the forward steps that a gate guards: all but the one into shadow.

    Shadow risks nothing: legacy goes on answering.
    """
    return direction(before, after) is Direction.FORWARD and before.stage is not Stage.LEGACY


def next_steps(at: Position) -> str:
    """What may come next, for people."""
    match at.stage:
        case Stage.LEGACY:
            return "shadow"
        case Stage.SHADOW:
            return "canary"
        case Stage.CANARY:
            return "core" if at.core_share_bp == 10_000 else "a larger share, or core"
        case Stage.CORE:
            return "core with its writes" if at.writes_stay else "retired"
        case Stage.RETIRED:
            return "none"
