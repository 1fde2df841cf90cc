"""Counts to statements of parity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter, sub
from typing import NamedTuple

from proxy.routing.model import PPM
from shadow_compare.core.anytime import anytime_bounds_ppm
from shadow_compare.core.confidence import lower_bound_ppm
from shadow_compare.core.evidence import Parity, StratumParity, TrendPoint
from shadow_compare.core.sampling import Stratum

DEFAULT_CONFIDENCE_BP = 9_500


@dataclass(frozen=True, slots=True)
class Counts:
    """How many comparisons ended in each outcome, and what they were worth.

    Attributes:
        samples: distinct pairs of shopper and request among them, of which `unequal`
            were unequal.
        asked_twice: comparisons for which the live side was asked again; in `noisy` of
            them it differed from itself.
    """

    matched: int = 0
    accepted: int = 0
    mismatched: int = 0
    incomparable: int = 0
    broken: int = 0
    samples: int = 0
    unequal: int = 0
    asked_twice: int = 0
    noisy: int = 0

    def __add__(self, other: Counts) -> Counts:
        pairs = zip(_figures(self), _figures(other), strict=True)
        return Counts(*(ours + theirs for ours, theirs in pairs))

    def __sub__(self, other: Counts) -> Counts:
        pairs = zip(_figures(self), _figures(other), strict=True)
        return Counts(*(ours - theirs for ours, theirs in pairs))

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


# As `astuple` gives them, which copies each as if it could change: pages add up thousands.
_figures = attrgetter(*(field.name for field in fields(Counts)))


class StratumCounts(NamedTuple):
    """Of one stratum: comparisons and mismatches, samples and unequal ones."""

    compared: int = 0
    mismatched: int = 0
    samples: int = 0
    unequal: int = 0


def parity(route: str | None, counts: Counts, confidence_bp: int) -> Parity:
    """The statement that these counts support."""
    equal = counts.samples - counts.unequal
    bounds = anytime_bounds_ppm(equal, counts.samples, confidence_bp)
    return Parity(
        route=route,
        matched=counts.matched,
        accepted=counts.accepted,
        mismatched=counts.mismatched,
        incomparable=counts.incomparable,
        broken=counts.broken,
        lower_ppm=bounds.lower_ppm,
        confidence_bp=confidence_bp,
        samples=counts.samples,
        unequal=counts.unequal,
        upper_ppm=bounds.upper_ppm,
        exact_ppm=lower_bound_ppm(equal, counts.samples, confidence_bp),
        hidden_at_most=hidden_at_most(counts, confidence_bp),
    )


def hidden_at_most(counts: Counts, confidence_bp: int) -> int | None:
    """Mismatches that could have passed for noise: the rate of noise times the comparisons.

    The rate is the upper bound on how often the live side differs from itself, so a small
    sample of it hides much. None when the live side was never asked twice.
    """
    if not counts.asked_twice:
        return None
    quiet = counts.asked_twice - counts.noisy
    noise_ppm = PPM - lower_bound_ppm(quiet, counts.asked_twice, confidence_bp)
    return min(counts.compared, -(-noise_ppm * counts.compared // PPM))


def stratum_parity(stratum: Stratum, counts: StratumCounts, confidence_bp: int) -> StratumParity:
    """The statement that a stratum's counts support."""
    equal = counts.samples - counts.unequal
    bounds = anytime_bounds_ppm(equal, counts.samples, confidence_bp)
    return StratumParity(
        stratum=stratum,
        compared=counts.compared,
        mismatched=counts.mismatched,
        samples=counts.samples,
        unequal=counts.unequal,
        lower_ppm=bounds.lower_ppm,
        upper_ppm=bounds.upper_ppm,
        exact_ppm=lower_bound_ppm(equal, counts.samples, confidence_bp),
        confidence_bp=confidence_bp,
    )


def strata_worst_first(
    strata: Mapping[Stratum, StratumCounts], confidence_bp: int
) -> tuple[StratumParity, ...]:
    """Every stratum's parity, the least sure one first."""
    found = (stratum_parity(at, counts, confidence_bp) for at, counts in strata.items())
    return tuple(sorted(found, key=lambda p: (p.lower_ppm, p.upper_ppm, p.stratum)))


def worst_first(routes: Mapping[str, Counts], confidence_bp: int) -> tuple[Parity, ...]:
    """Every route's parity, the least sure one first."""
    statements = (parity(route, counts, confidence_bp) for route, counts in routes.items())
    return tuple(sorted(statements, key=lambda p: (p.lower_ppm, -p.samples, p.route or "")))


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
    upto = {epoch: _worth(counts) for epoch, counts in totals.items()}
    points: list[TrendPoint] = []
    # From the newest back: before an interval stood what stands behind it less its own.
    for at_s, epoch, counts in reversed(intervals):
        stood, own = upto.get(epoch, _NOTHING), _worth(counts)
        upto[epoch] = tuple(map(sub, stood, own))
        if not counts.compared:
            continue
        equal, compared, equal_samples, samples = stood
        ratio_ppm = equal * 1_000_000 // compared
        lower_ppm = anytime_bounds_ppm(equal_samples, samples, confidence_bp).lower_ppm
        points.append(
            TrendPoint(at_s, counts.equal, counts.mismatched, ratio_ppm, lower_ppm, epoch)
        )
    return tuple(reversed(points))


_NOTHING = (0, 0, 0, 0)


def _worth(counts: Counts) -> tuple[int, ...]:
    """What a point of a trend is made of: equal and all comparisons, equal and all samples."""
    return counts.equal, counts.compared, counts.samples - counts.unequal, counts.samples
