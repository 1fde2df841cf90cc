"""Counters that only grow, as what came within spans of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from cutover.core.live import Both, Tally
from proxy.routing import Side

#: Readings of a window are kept at no finer grain than this part of it.
_GRAINS = 60


@dataclass(slots=True)
class Spans:
    """What a domain's sides answered, since its last step and lately.

    Belongs to one domain that stands in one place; a step begins a new one.

    Attributes:
        known: what legacy was like when it last answered many.
        since_step: all of both sides that was seen here.
    """

    known: Tally
    window_s: float
    since_step: dict[Side, Tally] = field(default_factory=dict)
    _before: Mapping[Side, Tally] | None = None
    _lately: deque[tuple[float, Both]] = field(default_factory=deque)

    def take(self, now_s: float, counted: Both) -> None:
        """Take a reading of the counters. The first one only says where counting begins."""
        before, self._before = self._before, dict(counted)
        if before is None:
            return
        came = {side: tally.since(before.get(side, Tally())) for side, tally in counted.items()}
        for side, tally in came.items():
            self.since_step[side] = self.since_step.get(side, Tally()).plus(tally)
        grain_s = self.window_s / _GRAINS
        if self._lately and now_s - self._lately[-1][0] < grain_s:
            at_s, last = self._lately.pop()
            self._lately.append((at_s, _together(last, came)))
        else:
            self._lately.append((now_s, came))
        while self._lately and now_s - self._lately[0][0] > self.window_s:
            self._lately.popleft()

    def next_step(self, window_s: float, requests: int) -> Spans:
        """The spans of the place that comes after this one; no answer is lost in between."""
        return Spans(self.learnt(requests), window_s, _before=self._before)

    def lately(self) -> Both:
        """What came within the window."""
        found: Both = {}
        for _, came in self._lately:
            found = _together(found, came)
        return found

    def learnt(self, requests: int) -> Tally:
        """What legacy is like, for the time when it answers nobody any more."""
        legacy = self.since_step.get(Side.LEGACY, Tally())
        return legacy if legacy.answers >= requests else self.known


def _together(one: Both, other: Both) -> dict[Side, Tally]:
    sides = one.keys() | other.keys()
    return {side: one.get(side, Tally()).plus(other.get(side, Tally())) for side in sides}
