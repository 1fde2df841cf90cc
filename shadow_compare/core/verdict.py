"""What a comparison can end in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shadow_compare.core.evidence import Leaf


class Outcome(StrEnum):
    """How a comparison ended.

    match: equal. accepted: only rules or noise explain what differs. mismatch: something
    differs that nothing explains. incomparable: an answer could not be read; never
    counted as equal. broken: the comparer itself failed; never counted as equal.
    """

    MATCH = "match"
    ACCEPTED = "accepted"
    MISMATCH = "mismatch"
    INCOMPARABLE = "incomparable"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A difference and the path of the rule that accepts it."""

    leaf: Leaf
    rule: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One comparison's result.

    Attributes:
        leaves: differences that count against parity, in document order, at most
            `MAX_LEAVES` of them.
        accepted: differences that a rule accepts, at most `MAX_LEAVES` of them.
        noise: differences at places where the side that answered the shopper differed
            from itself when it was asked again.
        reason: why the answers are incomparable, or what broke.
    """

    outcome: Outcome
    leaves: tuple[Leaf, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    noise: tuple[Leaf, ...] = ()
    reason: str | None = None


MAX_LEAVES = 500
