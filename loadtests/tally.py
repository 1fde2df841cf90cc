"""Counts and times of a run, small enough to keep for every step for ever."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How a step ended.

    ok: as expected. refused: the shop said no, as shops do ("Unavailable"). failed:
    connection error, timeout, 5xx, or an answer that no shopper should get.
    """

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(slots=True)
class Times:
    """Answer times in buckets of 2 % width."""

    buckets: Counter[int] = field(default_factory=Counter)
    max_ms: float = 0.0

    def add(self, elapsed_ms: float) -> None:
        """Note one answer time."""
        self.buckets[math.ceil(math.log(max(elapsed_ms, 0.001), _GROWTH))] += 1
        self.max_ms = max(self.max_ms, elapsed_ms)

    def quantile_ms(self, share: float) -> float | None:
        """An upper bound within 2 % of the quantile, None before the first answer."""
        wanted = math.ceil(share * self.buckets.total())
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return round(min(_GROWTH**bucket, self.max_ms), 3)
        return None


_GROWTH = 1.02


@dataclass(slots=True)
class StepTally:
    """Everything that is known of one step."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    times: Times = field(default_factory=Times)

    def as_json(self) -> dict[str, object]:
        """The JSON object of the summary."""
        return {
            "requests": self.outcomes.total(),
            "failures": self.outcomes[Outcome.FAILED],
            "refused": self.outcomes[Outcome.REFUSED],
            "p50_ms": self.times.quantile_ms(0.50),
            "p95_ms": self.times.quantile_ms(0.95),
            "p99_ms": self.times.quantile_ms(0.99),
            "max_ms": round(self.times.max_ms, 3),
        }


class Tally:
    """Per step, and all steps together."""

    def __init__(self) -> None:
        self.steps: dict[str, StepTally] = {}
        self.total = StepTally()
        self.reasons: Counter[str] = Counter()
        self.journeys: Counter[str] = Counter()

    def add(self, step: str, outcome: Outcome, elapsed_ms: float, reason: str = "") -> None:
        """Note one finished step; the reason is kept when it failed."""
        for entry in (self.steps.setdefault(step, StepTally()), self.total):
            entry.outcomes[outcome] += 1
            entry.times.add(elapsed_ms)
        if outcome is Outcome.FAILED:
            self.reasons[f"{step}: {reason}"] += 1

    @property
    def requests(self) -> int:
        """Steps that ended, however."""
        return self.total.outcomes.total()

    @property
    def failures(self) -> int:
        """Steps that failed."""
        return self.total.outcomes[Outcome.FAILED]

    def as_json(self) -> dict[str, object]:
        """The JSON object of the summary, without what the runner adds."""
        total = self.total.as_json()
        return {
            **total,
            "orders": self._ok("checkout"),
            "journeys": dict(sorted(self.journeys.items())),
            "steps": {name: self.steps[name].as_json() for name in sorted(self.steps)},
            "failure_reasons": dict(self.reasons.most_common(20)),
        }

    def _ok(self, step: str) -> int:
        entry = self.steps.get(step)
        return entry.outcomes[Outcome.OK] if entry else 0
