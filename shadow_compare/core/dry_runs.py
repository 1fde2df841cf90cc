"""Which side may be sent a write: one that has just proven that it takes writes back.

A side is asked first, with a question that changes nothing, for each route: some of its
writes may be able to be taken back and others not. Its word holds for a minute. A side that
then runs a write without saying that it took it back gets no further one on any route: what
it has done cannot be undone, and it will do it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

PROOF_HOLDS_S = 60.0


class Ability(StrEnum):
    """What is known of a side and one of its routes.

    unknown: it has to be asked. proven: it said so within the last minute. refused: it
    said no, within the last minute. stopped: it broke its word.
    """

    UNKNOWN = "unknown"
    PROVEN = "proven"
    REFUSED = "refused"
    STOPPED = "stopped"


class Word(StrEnum):
    """What an answer says of a dry run.

    honoured: it was run and taken back, or would be. refused: it was not run, or not to its
    end, and nothing stays. silent: anything else; it may have been run.
    """

    HONOURED = "honoured"
    REFUSED = "refused"
    SILENT = "silent"


def word_of(said: Sequence[str]) -> Word:
    """What the values of an answer's Banyan-Dry-Run say; two of them say nothing."""
    values = [value.strip().lower() for value in said]
    if values == [Word.HONOURED.value]:
        return Word.HONOURED
    return Word.REFUSED if values == [Word.REFUSED.value] else Word.SILENT


class DryRuns:
    """One side's ability, told by its answers. Times are seconds on any forward clock."""

    def __init__(self) -> None:
        self._is_stopped = False
        self._told: dict[str, tuple[Ability, float]] = {}

    def ability(self, route: str, now_s: float) -> Ability:
        """What may be done now on a route."""
        if self._is_stopped:
            return Ability.STOPPED
        ability, until_s = self._told.get(route, (Ability.UNKNOWN, now_s))
        return ability if now_s < until_s else Ability.UNKNOWN

    def proved(self, route: str, now_s: float, *, can: bool) -> None:
        """The side was asked whether it can."""
        ability = Ability.PROVEN if can else Ability.REFUSED
        self._told[route] = (ability, now_s + PROOF_HOLDS_S)

    def ran(self, route: str, now_s: float, word: Word) -> bool:
        """The side answered a dry run. True when it is stopped by that.

        A refusal takes the proof back and stops nothing: nothing of the write stays.
        """
        if word is Word.REFUSED:
            self.proved(route, now_s, can=False)
        if word is not Word.SILENT or self._is_stopped:
            return False
        self._is_stopped = True
        return True
