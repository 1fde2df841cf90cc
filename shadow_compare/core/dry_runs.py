"""Which side may be sent a write: one that has just proven that it takes writes back.

A side is asked first, with a question that changes nothing. Its word holds for a minute. A
side that then runs a write without saying that it took it back gets no further one: what it
has done cannot be undone, and it will do it again.
"""

from __future__ import annotations

from enum import StrEnum

PROOF_HOLDS_S = 60.0


class Ability(StrEnum):
    """What is known of a side.

    unknown: it has to be asked. proven: it said so within the last minute. refused: it
    said no, within the last minute. stopped: it broke its word.
    """

    UNKNOWN = "unknown"
    PROVEN = "proven"
    REFUSED = "refused"
    STOPPED = "stopped"


class DryRuns:
    """One side's ability, told by its answers. Times are seconds on any forward clock."""

    def __init__(self) -> None:
        self._ability = Ability.UNKNOWN
        self._until_s = 0.0

    def ability(self, now_s: float) -> Ability:
        """What may be done now."""
        if self._ability is Ability.STOPPED or now_s < self._until_s:
            return self._ability
        return Ability.UNKNOWN

    def proved(self, now_s: float, *, can: bool) -> None:
        """The side was asked whether it can."""
        if self._ability is not Ability.STOPPED:
            self._ability = Ability.PROVEN if can else Ability.REFUSED
            self._until_s = now_s + PROOF_HOLDS_S

    def ran(self, *, honoured: bool) -> bool:
        """The side answered a dry run. True when it is stopped by that."""
        if honoured or self._ability is Ability.STOPPED:
            return False
        self._ability = Ability.STOPPED
        return True
