"""Looks after a flip for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cutover.core.flip_watch import Seen, breaches
from cutover.service.flipping_house import OURS, Pace

_LOOK_S = 1.0
_MOST_BLIND_S = 30.0


@dataclass(frozen=True, slots=True)
class Watched:
    """How a watch went.

    Attributes:
        broken: which bounds, a sentence each; the watch ends with the first look that finds one.
        answers, errors: since the flip.
    """

    for_s: float
    looks: int
    answers: int
    errors: int
    broken: tuple[str, ...]


async def watch(
    look: Callable[[], Awaitable[Seen]], before: Seen, pace: Pace, *, for_s: float
) -> Watched:
    """Look each second until a bound is broken or the time is over.

    A look that gets no answer is no breach; half a minute of them is.
    """
    began_s = seen_s = pace.now_s()
    looks, last = 0, before
    broken: tuple[str, ...] = ()
    while not broken and pace.now_s() - began_s < for_s:
        await pace.sleep(_LOOK_S)
        with contextlib.suppress(*OURS):
            last = await look()
            looks, seen_s = looks + 1, pace.now_s()
        broken = breaches(before, last)
        if pace.now_s() - seen_s > _MOST_BLIND_S:
            broken = (*broken, f"nothing was to be seen for {_MOST_BLIND_S:.0f} s")
    return Watched(
        pace.now_s() - began_s,
        looks,
        last.answers - before.answers,
        last.errors - before.errors,
        broken,
    )
