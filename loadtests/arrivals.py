"""When requests are due: moments that do not wait for answers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

#: Seconds, and requests per second in them.
Phase = tuple[float, float]


def arrivals(phases: Sequence[Phase], dice: random.Random) -> Iterator[float]:
    """Moments in seconds from the start, ascending, spaced as independent shoppers would.

    Each phase has the rate that it asks for, and a phase without requests is a pause.
    """
    begin_s = 0.0
    for length_s, rate in phases:
        at_s = begin_s
        while rate > 0:
            at_s += dice.expovariate(rate)
            if at_s >= begin_s + length_s:
                break
            yield at_s
        begin_s += length_s


def length_s(phases: Sequence[Phase]) -> float:
    """Of all phases together."""
    return sum(length for length, _ in phases)
