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
    """A difference and the name of the rule that accepts it, e.g. "timestamp $.at"."""

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
        used: names of the rules that made a difference to this verdict, sorted. A rule
            that is never among them forgives nothing and may go.
    """

    outcome: Outcome
    leaves: tuple[Leaf, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    noise: tuple[Leaf, ...] = ()
    reason: str | None = None
    used: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldCoverage:
    """What comparing did with one place of the documents, however often it stands there.

    Attributes:
        pattern: index-free, as in `Leaf`.
        compared: values that were held against the other side's, or found to lack one.
        accepted: values whose difference a rule accepted.
        unseen: values that an `any` rule kept from being compared, whether they differ
            or not.
        rules: names of the rules behind `accepted` and `unseen`, sorted.
    """

    pattern: str
    compared: int = 0
    accepted: int = 0
    unseen: int = 0
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which leaves of one exchange were really compared.

    Attributes:
        fields: every place that holds a value on either side, by pattern.
        reason: why nothing could be compared; None when it was.
    """

    fields: tuple[FieldCoverage, ...] = ()
    reason: str | None = None


MAX_LEAVES = 500
