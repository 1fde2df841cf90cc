"""Counts to statements of parity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shadow_compare.core.confidence import lower_bound_ppm
from shadow_compare.core.evidence import Parity, TrendPoint

DEFAULT_CONFIDENCE_BP = 9_500


@dataclass(frozen=True, slots=True)
class Counts:
    """How many comparisons ended in each outcome."""

    matched: int = 0
    accepted: int = 0
    mismatched: int = 0
    incomparable: int = 0
    broken: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.matched + other.matched,
            self.accepted + other.accepted,
            self.mismatched + other.mismatched,
            self.incomparable + other.incomparable,
            self.broken + other.broken,
        )

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.matched - other.matched,
            self.accepted - other.accepted,
            self.mismatched - other.mismatched,
            self.incomparable - other.incomparable,
            self.broken - other.broken,
        )

    @property
    def equal(self) -> int:
        """Equal, or different only where a rule or noise explains it."""
        return self.matched + self.accepted

    @property
    def compared(self) -> int:
        """Ended in equal or unequal."""
        return self.equal + self.mismatched

    @property
    def judged(self) -> int:
        """Every verdict, the unreadable and the broken ones included."""
        return self.compared + self.incomparable + self.broken


def parity(route: str | None, counts: Counts, confidence_bp: int) -> Parity:
    """The statement that these counts support."""
    return Parity(
        route=route,
        matched=counts.matched,
        accepted=counts.accepted,
        mismatched=counts.mismatched,
        incomparable=counts.incomparable,
        broken=counts.broken,
        lower_ppm=lower_bound_ppm(counts.equal, counts.compared, confidence_bp),
        confidence_bp=confidence_bp,
    )


def worst_first(routes: Mapping[str, Counts], confidence_bp: int) -> tuple[Parity, ...]:
    """Every route's parity, the least sure one first."""
    statements = (parity(route, counts, confidence_bp) for route, counts in routes.items())
    return tuple(sorted(statements, key=lambda p: (p.lower_ppm, -p.compared, p.route or "")))


def trend(
    intervals: list[tuple[int, str, Counts]], totals: Mapping[str, Counts], confidence_bp: int
) -> tuple[TrendPoint, ...]:
    """Points of a domain's trend, oldest first.

    Args:
        intervals: (start, epoch, counts of that interval), oldest first, the latest ones.
        totals: epoch to its counts up to now.
        confidence_bp: confidence of the bounds in basis points.

    Each point's counts are the interval's; ratio and bound are those of the epoch from
    its beginning to the interval's end, which is what a gate would have read then.
    """
    seen = dict(totals)
    for _, epoch, counts in intervals:
        seen[epoch] = seen.get(epoch, Counts()) - counts
    points: list[TrendPoint] = []
    for at_s, epoch, counts in intervals:
        seen[epoch] += counts
        upto = seen[epoch]
        if not counts.compared:
            continue
        ratio_ppm = upto.equal * 1_000_000 // upto.compared
        lower_ppm = lower_bound_ppm(upto.equal, upto.compared, confidence_bp)
        points.append(
            TrendPoint(at_s, counts.equal, counts.mismatched, ratio_ppm, lower_ppm, epoch)
        )
    return tuple(points)
