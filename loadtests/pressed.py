"""What a press has seen: counts and times per route, and second by second."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from loadtests.tally import Times


@dataclass(slots=True)
class Route:
    """Of one route.

    Attributes:
        errors: kind to count; a kind is a status from 500 on, or what became of the connection.
        refused: answers with a status from 400 to 499.
    """

    requests: int = 0
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    times: Times = field(default_factory=Times)

    def as_json(self) -> dict[str, object]:
        """Times stay in buckets, so that the figures of several presses can be added."""
        return {
            "requests": self.requests,
            "refused": self.refused,
            "errors": dict(self.errors),
            "buckets": {str(bucket): count for bucket, count in self.times.buckets.items()},
            "max_ms": round(self.times.max_ms, 3),
        }


@dataclass(slots=True)
class Second:
    """Of the requests that were answered in one second."""

    errors: int = 0
    times_ms: list[float] = field(default_factory=list)

    def as_json(self) -> list[float]:
        """Requests, errors, p50 and p99 in milliseconds."""
        times = sorted(self.times_ms)
        p50, p99 = (_rank(times, share) for share in (0.5, 0.99))
        return [len(times), self.errors, round(p50, 3), round(p99, 3)]


@dataclass(slots=True)
class Pressed:
    """Of the whole run.

    Attributes:
        late: requests for which nobody was free when they were due.
        lag_ms: by how much this process's own timer was late, sampled.
        sides: who answered, by X-Served-By.
    """

    routes: dict[str, Route] = field(default_factory=dict)
    seconds: dict[int, Second] = field(default_factory=dict)
    sides: Counter[str] = field(default_factory=Counter)
    late: int = 0
    lag_ms: list[float] = field(default_factory=list)

    def add(self, name: str, at_s: float, elapsed_ms: float, status: int, error: str) -> None:
        """Note one answer; `status` 0 and a word where there was none."""
        route = self.routes.setdefault(name, Route())
        second = self.seconds.setdefault(int(at_s), Second())
        route.requests += 1
        route.times.add(elapsed_ms)
        second.times_ms.append(elapsed_ms)
        if 400 <= status < 500:
            route.refused += 1
        elif not status or status >= 500:
            route.errors[error or str(status)] += 1
            second.errors += 1

    @property
    def requests(self) -> int:
        """Answered, or given up."""
        return sum(route.requests for route in self.routes.values())

    def as_json(self) -> dict[str, object]:
        """All of it."""
        return {
            "requests": self.requests,
            "late": self.late,
            "lag_p95_ms": round(_rank(sorted(self.lag_ms), 0.95), 3),
            "sides": dict(self.sides),
            "routes": {name: self.routes[name].as_json() for name in sorted(self.routes)},
            "seconds": {str(at): one.as_json() for at, one in sorted(self.seconds.items())},
        }


def _rank(values: list[float], share: float) -> float:
    return values[max(math.ceil(share * len(values)) - 1, 0)] if values else 0.0
