"""Whether a store is healthy, out of checks and of connections that fail."""

from __future__ import annotations

from enum import StrEnum
from math import inf


class HealthState(StrEnum):
    """healthy: takes requests, also before its first check. unhealthy: takes none."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Health:
    """A pure machine: times are monotonic seconds that the caller passes in.

    Two things take a store out: `unhealthy_after` failed checks in a row, or as many
    failed connects in a row. Only `healthy_after` good checks in a row bring it back,
    because nobody else asks it meanwhile.

    Connects that ran side by side tell one thing, not many: when a store restarts, fifty
    requests are refused within a millisecond. So a failed connect counts only when it
    began after the last one that counted had failed.
    """

    __slots__ = (
        "_checks_in_row",
        "_connects_in_row",
        "_failed_at_s",
        "_healthy_after",
        "_unhealthy_after",
        "state",
    )

    def __init__(self, *, unhealthy_after: int, healthy_after: int) -> None:
        self._unhealthy_after = unhealthy_after
        self._healthy_after = healthy_after
        self._checks_in_row = 0
        self._connects_in_row = 0
        self._failed_at_s = -inf
        self.state = HealthState.HEALTHY

    def checked(self, *, is_good: bool) -> None:
        """A check was answered as it should be in time, or was not."""
        is_healthy = self.state is HealthState.HEALTHY
        if is_good is is_healthy:
            self._checks_in_row = 0
            return
        self._checks_in_row += 1
        needed = self._unhealthy_after if is_healthy else self._healthy_after
        if self._checks_in_row >= needed:
            self._move(HealthState.UNHEALTHY if is_healthy else HealthState.HEALTHY)

    def connected(self) -> None:
        """A connection was made for a request."""
        self._connects_in_row = 0

    def connect_failed(self, now_s: float, began_s: float) -> None:
        """A connection that was tried for a request was not made."""
        if began_s < self._failed_at_s or self.state is HealthState.UNHEALTHY:
            return
        self._failed_at_s = now_s
        self._connects_in_row += 1
        if self._connects_in_row >= self._unhealthy_after:
            self._move(HealthState.UNHEALTHY)

    def _move(self, state: HealthState) -> None:
        self.state = state
        self._checks_in_row = 0
        self._connects_in_row = 0
