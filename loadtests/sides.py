"""Which store answered whom. Proves that no shopper changed side but at an applied step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from loadtests.journeys import DOMAINS, Step


@dataclass(frozen=True, slots=True)
class Observation:
    """An answer with `X-Served-By`. Times are seconds since the epoch.

    Attributes:
        side: what the header said.
        sent_at: just before the request was sent.
        at: when the answer was complete.
    """

    shopper: str
    step: Step
    side: str
    sent_at: float
    at: float


@dataclass(frozen=True, slots=True)
class SideChange:
    """A shopper who got a step from one side and later from the other.

    The table changed somewhere between `previous_sent_at` (the last request that the old
    side answered was under way) and `at`.
    """

    shopper: str
    domain: str
    step: Step
    from_side: str
    to_side: str
    previous_sent_at: float
    sent_at: float
    at: float

    def as_event(self) -> dict[str, object]:
        """The JSON object of the events file."""
        return {
            "kind": "side_change",
            "shopper": self.shopper,
            "domain": self.domain,
            "step": self.step.value,
            "from": self.from_side,
            "to": self.to_side,
            "previous_sent_at": self.previous_sent_at,
            "sent_at": self.sent_at,
            "at": self.at,
        }


class SideLog:
    """The last side of every shopper and step.

    Watched per step and not per domain: one domain of this package may be two in a
    routing table, and two domains draw different buckets for the same shopper.
    """

    def __init__(self, domains: Mapping[Step, str] = DOMAINS) -> None:
        self._domains = domains
        self._last: dict[tuple[str, Step], Observation] = {}
        self.answers: Counter[tuple[str, str]] = Counter()
        self.changes = 0
        self.repeated = 0

    def observe(self, seen: Observation) -> SideChange | None:
        """Note an answer; tells the change, when it is one."""
        key = (seen.shopper, seen.step)
        domain = self._domains[seen.step]
        before = self._last.get(key)
        self._last[key] = seen
        self.answers[domain, seen.side] += 1
        if before is None:
            return None
        self.repeated += 1
        if before.side == seen.side:
            return None
        self.changes += 1
        return SideChange(
            shopper=seen.shopper,
            domain=domain,
            step=seen.step,
            from_side=before.side,
            to_side=seen.side,
            previous_sent_at=before.sent_at,
            sent_at=seen.sent_at,
            at=seen.at,
        )

    def by_domain(self) -> dict[str, dict[str, int]]:
        """Answers per domain and side."""
        table: dict[str, dict[str, int]] = {}
        for (domain, side), count in sorted(self.answers.items()):
            table.setdefault(domain, {})[side] = count
        return table
