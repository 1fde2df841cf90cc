"""A pass over a domain: what it is about, how far it is, and what may be said at its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shadow_compare.core.reconcile_digest import NOTHING, Digest


class PassKind(StrEnum):
    """full: every aggregate of both sides, at once. continuous: the same, slowly, for ever.
    hot: what changed since the last clean pass.
    """

    FULL = "full"
    CONTINUOUS = "continuous"
    HOT = "hot"


class Leg(StrEnum):
    """owner: each aggregate of the owner is looked up on the other side. other: each one of
    the other side is looked up at the owner, which finds what is there too much. changed: each
    one that something was applied to lately.
    """

    OWNER = "owner"
    OTHER = "other"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Tally:
    """What was found so far.

    Attributes:
        checked: aggregates that a verdict was reached on.
        rows: of the owner, that these aggregates are made of.
        unsettled: never stood still long enough.
        looked_again: looks beyond the first.
        owner, other: of the equal documents; the same unless the judgement itself is broken.
    """

    checked: int = 0
    rows: int = 0
    different: int = 0
    unsettled: int = 0
    looked_again: int = 0
    owner: Digest = NOTHING
    other: Digest = NOTHING

    def __add__(self, more: Tally) -> Tally:
        return Tally(
            self.checked + more.checked,
            self.rows + more.rows,
            self.different + more.different,
            self.unsettled + more.unsettled,
            self.looked_again + more.looked_again,
            self.owner + more.owner,
            self.other + more.other,
        )


_NONE = Tally()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a pass that one worker goes through, in the order of keys.

    Attributes:
        number: of the part in its pass.
        first: begins behind this key; None at the very first.
        last: ends with this key; None at the very last.
        cursor: read up to and with this key; None when not begun.
        pending: keys up to there that no verdict was reached on.
        behind: of a leg of changes, the place in the owner's log that they are behind.
    """

    number: int
    kind: str
    leg: Leg
    first: str | None = None
    last: str | None = None
    cursor: str | None = None
    is_done: bool = False
    tally: Tally = _NONE
    pending: tuple[str, ...] = ()
    behind: int = 0

    @property
    def after(self) -> str | None:
        """Where to read on."""
        return self.cursor if self.cursor is not None else self.first


@dataclass(frozen=True, slots=True)
class PassRecord:
    """One pass, as it is kept.

    Attributes:
        owner: the side that it took as right.
        from_order: in the owner's log; whatever changed behind it may have been missed.
        ended_s: None while it runs.
        expected: aggregates, as guessed at the start.
        holder: the process that runs it; "" when none does.
        problem: why it was given up; "" when it was not.
    """

    id: str
    kind: PassKind
    domain: str
    owner: str
    from_order: int
    started_s: float
    ended_s: float | None
    expected: int
    tally: Tally
    is_clean: bool
    holder: str = ""
    problem: str = ""


_LEAST_UNSETTLED = 10
_UNSETTLED_SHARE = 1_000


def is_clean(tally: Tally, drift: int) -> bool:
    """Whether a pass that came to its end shows that both sides are equal.

    What never stood still is compared on frozen data before a flip, so a little of it is
    left; but a pass that settled next to nothing, as while the applier stands, shows nothing.

    Args:
        tally: of the pass.
        drift: open differences of the domain after the pass, without accepted ones.
    """
    most = max(_LEAST_UNSETTLED, tally.checked // _UNSETTLED_SHARE)
    agrees = tally.owner == tally.other
    if tally.unsettled and not tally.checked:
        return False
    return drift == 0 and agrees and tally.unsettled <= most


def remaining_s(elapsed_s: float, done: int, expected: int) -> float | None:
    """How long it will still take, if it goes on as it did; None before anything is known."""
    if done <= 0 or expected <= 0:
        return None
    return max(0.0, elapsed_s * (expected - done) / done)


def rest_s(worked_s: float, share: float) -> float:
    """How long to rest after so much work, to be at it for `share` of the time only.

    Args:
        worked_s: seconds.
        share: above 0, up to 1.
    """
    return 0.0 if share >= 1 else worked_s * (1 - share) / share
