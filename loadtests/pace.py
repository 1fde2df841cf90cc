"""A cap on the requests per second of all shoppers together."""

from __future__ import annotations


class Pace:
    """Hands out evenly spaced moments. Without a cap every moment is now.

    Moments that nobody asked for are gone: after a slow store there is no burst to
    catch up.
    """

    def __init__(self, requests_per_s: float | None) -> None:
        """Raises ValueError unless the cap is positive or None."""
        if requests_per_s is not None and not requests_per_s > 0:
            message = f"a rate must be positive, not {requests_per_s}"
            raise ValueError(message)
        self._gap_s = 1 / requests_per_s if requests_per_s else 0.0
        self._next_s = 0.0

    def reserve(self, now_s: float) -> float:
        """Take the next moment; returns the seconds to wait for it from `now_s`."""
        moment_s = max(now_s, self._next_s)
        self._next_s = moment_s + self._gap_s
        return moment_s - now_s
