"""Slow down: not more than so many requests a second."""

from __future__ import annotations


class Pace:
    """Hands out moments, evenly spaced, after a burst of at most one second's worth.

    Args:
        per_s: requests a second; more than 0.
    """

    def __init__(self, per_s: float) -> None:
        self._interval_s = 1 / per_s
        self._next_s = float("-inf")

    def wait_s(self, now_s: float) -> float:
        """Take the next moment. Returns how long to wait for it, in seconds."""
        self._next_s = max(self._next_s, now_s - 1) + self._interval_s
        return max(0.0, self._next_s - now_s)


def next_batch(size: int, took_s: float, *, least: int = 16, most: int = 200) -> int:
    """How many frames to take at once, so that a batch takes about half a second.

    Evidence is stored when a batch is done: where the other side is slow, batches are
    small, so that what is known is seen and a kill repeats little.
    """
    if took_s > 0.8:
        return max(least, size // 2)
    if took_s < 0.3:
        return min(most, size * 2)
    return size
