"""How far the books of stock can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Drift:
    """A level that is not what its book says.

    Attributes:
        on_hand, reserved: of the level; what is not counted is 0.
        moved_on_hand, moved_reserved: the sums of its movements.
        promised: its active reservations, with what other systems promised.
    """

    stock_level_id: UUID
    on_hand: int
    reserved: int
    moved_on_hand: int
    moved_reserved: int
    promised: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What was found on shelves since some time.

    Attributes:
        counts: how many shelves were counted.
        counted: units found in all.
        off_by: units by which the books were wrong, up and down added.
    """

    counts: int
    counted: int
    off_by: int

    @property
    def accuracy_ppm(self) -> int | None:
        """1 - off_by / counted in millionths, at least 0; None while nothing was counted."""
        if self.counts == 0:
            return None
        if self.counted == 0:
            return 0 if self.off_by else _MILLION
        return max(0, _MILLION - self.off_by * _MILLION // self.counted)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One measurement.

    Attributes:
        since: counts from then on are in it.
        levels: how many levels were compared with their book.
        drifted: how many of them are not what it says.
        drifts: some of those, ascending by id.
    """

    id: UUID
    at: datetime
    since: datetime
    counts: Counts
    levels: int
    drifted: int
    drifts: tuple[Drift, ...] = ()
