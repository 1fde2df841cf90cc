"""How a domain moves by itself, and when nobody may move it forward. Frozen, free of I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RollbackRule:
    """What shoppers may meet on the core before its domain goes back by itself.

    Attributes:
        errors_ppm: by how much the core's share of answers with a status of 500 or more may
            exceed legacy's; None where errors are not judged.
        slow_ppm: by how much the core's share of slow answers may exceed legacy's; slow is
            what takes longer than 99 % of legacy's answers. None where it is not judged.
        requests: answers of the core that are needed before anything is judged.
        window_s: how far back is looked for what has just begun. What built up since the
            domain's last step is judged besides.
    """

    errors_ppm: int | None
    slow_ppm: int | None
    requests: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Ramp:
    """The shares that a domain in canary takes one after the other, by itself.

    Attributes:
        steps_bp: ascending, at least one.
        soak_s: how long each is lived through before the next.
        requests: answers of the core that each must have seen.
    """

    steps_bp: tuple[int, ...]
    soak_s: float
    requests: int

    def after(self, share_bp: int) -> int | None:
        """The next share; None at the end."""
        return next((step for step in self.steps_bp if step > share_bp), None)


@dataclass(frozen=True, slots=True)
class Freeze:
    """Days on which nothing moves forward, the first and the last included."""

    first: date
    last: date
    why: str


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of some weekdays: 0 is Monday, and minutes count from midnight."""

    weekdays: frozenset[int]
    from_minute: int
    until_minute: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """When steps forward may be taken.

    Attributes:
        zone: name of the time zone that days and hours are meant in.
        hours: a step is taken within one of them; empty means at any time.
    """

    zone: str = "UTC"
    hours: tuple[Hours, ...] = ()
    freezes: tuple[Freeze, ...] = ()


@dataclass(frozen=True, slots=True)
class Approvals:
    """How many people must have said yes to a change of stage.

    Attributes:
        within_s: how old a yes may be.
    """

    count: int
    within_s: float


class LoadProfile(StrEnum):
    """How much of a domain's recorded rate a load test asks for.

    spike: the recorded rate, ten times as much for the middle third, and the recorded rate.
    """

    ONE = "1x"
    THREE = "3x"
    TEN = "10x"
    SPIKE = "spike"


@dataclass(frozen=True, slots=True)
class LoadGate:
    """What a load test must have shown before the core answers shoppers, or more of them.

    Attributes:
        p99: how long the core's may be, in thousandths of legacy's.
        errors_ppm: by how much the core's share of failed answers may exceed legacy's.
        max_age_s: how old the test may be.
        requests: that each side must have been asked; a p99 of a few says nothing.
        rate_per_s: the rate that was asked for at least; None where any will do.
    """

    profile: LoadProfile
    p99: int
    errors_ppm: int
    max_age_s: float
    requests: int
    rate_per_s: int | None = None
