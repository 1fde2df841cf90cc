"""What the proxy has counted of both sides, out of the text of its metrics.

Read line by line: two hundred domains are tens of thousands of lines, for which the library's
parser takes four times as long. No name of ours needs escapes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from cutover.core.health import Counts, Orders, Place
from cutover.core.live import Tally
from proxy.routing import Side

_DURATION = "banyan_request_duration_seconds"
_REQUESTS, _FALLBACK = "banyan_requests_total", "banyan_fallback_total"
_READ = tuple(f"{name}{{" for name in (_REQUESTS, _FALLBACK, f"{_DURATION}_bucket"))
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_SIDES = frozenset(map(str, Side))
_COMPLETED = frozenset({"1xx", "2xx", "3xx"})


@dataclass(slots=True)
class _Sums:
    count: int = 0
    good: int = 0
    up_to: defaultdict[float, int] = field(default_factory=lambda: defaultdict(int))

    def within(self) -> dict[int, int]:
        """From how many took at most so long to how many fell into each bucket."""
        found: dict[int, int] = {}
        below = 0
        for bound_s in sorted(self.up_to):
            found[round(bound_s * 1e6)] = self.up_to[bound_s] - below
            below = self.up_to[bound_s]
        return found


def counts_in(text: str, order_routes: Collection[str]) -> Counts:
    """Read the counters.

    Raises:
        ValueError: a line of them is torn.
    """
    answers: defaultdict[Place, _Sums] = defaultdict(_Sums)
    orders: defaultdict[Place, _Sums] = defaultdict(_Sums)
    for line in text.splitlines():
        if not line.startswith(_READ):
            continue
        name, _, rest = line.partition("{")
        spelled, brace, value = rest.rpartition("} ")
        if not brace:
            raise ValueError(f"{line!r} is no sample")
        labels, count = dict(_LABEL.findall(spelled)), int(float(value))
        if name == _FALLBACK:
            # Legacy answered, since the core had failed to: the core's error.
            answers[labels.get("domain", ""), Side.CORE].count += count
            continue
        if labels.get("side") not in _SIDES:
            continue
        place = labels.get("domain", ""), Side(labels["side"])
        is_order = labels.get("route") in order_routes
        if name == _REQUESTS:
            status = labels.get("status_class")
            answers[place].count += count
            answers[place].good += count if status != "5xx" else 0
            if is_order:
                orders[place].count += count
                orders[place].good += count if status in _COMPLETED else 0
        elif is_order and labels.get("le") != "+Inf":
            orders[place].up_to[float(labels.get("le", ""))] += count
    return Counts(
        {place: Tally(one.count, one.count - one.good) for place, one in answers.items()},
        {place: Orders(one.count, one.good, one.within()) for place, one in orders.items()},
    )
