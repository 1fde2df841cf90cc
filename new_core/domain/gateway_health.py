"""Whether a gateway is asked at all: a breaker per gateway, shared by all processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from new_core.domain.gateway import Reach


class Breaker(StrEnum):
    """`OPEN`: not asked. `TRYING`: the time is over, and the next payment finds out."""

    CLOSED = "closed"
    OPEN = "open"
    TRYING = "trying"


@dataclass(frozen=True, slots=True)
class Patience:
    """How much a gateway may fail.

    Attributes:
        failures: calls in a row without an answer before it is not asked any more.
        open_s: for how long then.
    """

    failures: int = 5
    open_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """How a gateway has been.

    Attributes:
        failures: calls in a row without an answer.
        open_until: None while it is asked as usual.
    """

    gateway: str
    failures: int = 0
    open_until: datetime | None = None

    def breaker(self, now: datetime) -> Breaker:
        """Where its breaker stands."""
        if self.open_until is None:
            return Breaker.CLOSED
        return Breaker.OPEN if now < self.open_until else Breaker.TRYING

    def after(self, reach: Reach, now: datetime, patience: Patience) -> Health:
        """How it is after a call. A decline is an answer, and a sign of health."""
        if reach is Reach.ANSWERED:
            return replace(self, failures=0, open_until=None)
        failures = self.failures + 1
        # One that fails while it is tried goes back at once.
        if failures >= patience.failures or self.open_until is not None:
            return replace(
                self, failures=failures, open_until=now + timedelta(seconds=patience.open_s)
            )
        return replace(self, failures=failures)
