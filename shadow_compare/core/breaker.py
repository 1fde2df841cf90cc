"""A circuit breaker: a store that is down is left alone, and tried again by one request."""

from __future__ import annotations

FAILURES_TO_OPEN = 5
OPEN_S = 5.0


class Breaker:
    """Opens after consecutive failures; once `OPEN_S` have passed, one request may try.

    Times are seconds on any clock that only goes forward.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._open_until_s: float | None = None
        self._trying = False

    def allows(self, now_s: float) -> bool:
        """Whether a request may be sent now. Yes while open means: this one is the try."""
        if self._open_until_s is None:
            return True
        if self._trying or now_s < self._open_until_s:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """An answer came, whatever it says: the store is there."""
        self._failures = 0
        self._open_until_s = None
        self._trying = False

    def failed(self, now_s: float) -> None:
        """No answer came."""
        self._failures += 1
        self._trying = False
        if self._failures >= FAILURES_TO_OPEN:
            self._open_until_s = now_s + OPEN_S

    def abandoned(self) -> None:
        """The request was given up on our side; it says nothing about the store."""
        self._trying = False
