"""Health of both sides of a domain, out of two readings of what the proxy has counted.

A figure of too few is not told: neither good nor bad, but "not enough data yet".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from cutover.core.live import Tally
from proxy.routing import PPM, Side

#: Fewer answers than these say nothing about a share.
LEAST_ANSWERS = 20
#: The quantiles of order times, by how many orders each wants at least.
QUANTILES = ((500_000, 20), (950_000, 20), (990_000, 100))
WINDOW_S = 3_600.0
_GRAIN_S = 15.0
Place = tuple[str, Side]


@dataclass(frozen=True, slots=True)
class Orders:
    """What came of the requests that place orders, on one side of a domain.

    Attributes:
        begun: such requests that were answered.
        completed: of these, with a status below 400.
        within: by the upper bound of their bucket, microseconds; those beyond the last bound
            are in none.
    """

    begun: int = 0
    completed: int = 0
    within: Mapping[int, int] = field(default_factory=dict)

    def since(self, before: Orders) -> Orders:
        """What came since an earlier reading; all of it where the counters began anew."""
        if self.begun < before.begun or self.completed < before.completed:
            return self
        within = {bound: n - before.within.get(bound, 0) for bound, n in self.within.items()}
        if any(n < 0 for n in within.values()):
            return self
        return Orders(self.begun - before.begun, self.completed - before.completed, within)


@dataclass(frozen=True, slots=True)
class Counts:
    """All that was counted until one moment, by domain and side.

    Attributes:
        orders: of the routes that place orders alone.
    """

    answers: Mapping[Place, Tally] = field(default_factory=dict)
    orders: Mapping[Place, Orders] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of something, None while there was too little of it.

    Attributes:
        ppm: rounded down, so that only all of it reads as all.
        of: how many there were.
    """

    ppm: int | None
    of: int


@dataclass(frozen=True, slots=True)
class SideHealth:
    """One side of a domain.

    Attributes:
        answered: requests that it answered without an error.
        completed: orders that were begun and came about; None where the domain places none.
        times_us: bound that each of `QUANTILES` of the orders keeps; None where there were too
            few, or where it lies beyond the last bound.
    """

    answered: Share
    completed: Share | None
    times_us: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Two readings. `before` is None where there is one only: then all that was ever counted.

    Attributes:
        elapsed_s: from the one to the other; None without `before`.
    """

    after: Counts
    before: Counts | None = None
    elapsed_s: float | None = None


def health(between: Between, domain: str, *, places_orders: bool) -> Mapping[Side, SideHealth]:
    """The figures of both sides of a domain."""
    before = between.before or Counts()
    found: dict[Side, SideHealth] = {}
    for side in Side:
        place = domain, side
        came = between.after.answers.get(place, Tally()).since(before.answers.get(place, Tally()))
        orders = between.after.orders.get(place, Orders()).since(before.orders.get(place, Orders()))
        found[side] = SideHealth(
            answered=share(came.answers - came.errors, came.answers),
            completed=share(orders.completed, orders.begun) if places_orders else None,
            times_us=tuple(_bound(orders, ppm, least) for ppm, least in QUANTILES),
        )
    return found


def share(part: int, whole: int) -> Share:
    """A share, as far as there was enough."""
    return Share(part * PPM // whole if whole >= LEAST_ANSWERS else None, whole)


def _bound(orders: Orders, ppm: int, least: int) -> int | None:
    """The least bound that so many of the orders keep."""
    if orders.begun < least:
        return None
    bounds = sorted(orders.within)
    reached = accumulate(orders.within[bound] for bound in bounds)
    pairs = zip(bounds, reached, strict=True)
    return next((bound for bound, so_far in pairs if so_far * PPM >= ppm * orders.begun), None)


@dataclass(slots=True)
class Readings:
    """The readings of the last hour. Belongs to one task."""

    _kept: list[tuple[float, Counts]] = field(default_factory=list)

    def take(self, now_s: float, counts: Counts) -> None:
        """Keep a reading, but none that comes right after another one."""
        if self._kept and now_s - self._kept[-1][0] < _GRAIN_S:
            return
        self._kept.append((now_s, counts))
        while now_s - self._kept[0][0] > WINDOW_S:
            del self._kept[0]

    def between(self) -> Between | None:
        """The oldest and the newest one; None while there is none."""
        kept: Sequence[tuple[float, Counts]] = self._kept
        if not kept:
            return None
        if len(kept) == 1:
            return Between(kept[0][1])
        return Between(kept[-1][1], kept[0][1], kept[-1][0] - kept[0][0])
