"""How shoppers and the proxy fare while a store is under load, out of the proxy's metrics."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from dataclasses import dataclass, field

from cutover.core.load_way import Live, hurt_because
from cutover.edge.proxy_traffic import counted_in

_IN_FLIGHT = re.compile(r'^banyan_in_flight\{side="(\w+)"\} (\S+)$', re.MULTILINE)
_TIMEOUT_S = 2
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class LoadWatch:
    """Asks the side door at a URL. A door that does not answer is no reason to stop.

    Attributes:
        most: the highest numbers seen, by name.
        blind: whether it never answered.
    """

    door: str
    most: dict[str, float] = field(default_factory=dict)
    blind: bool = True
    _began: Live | None = None

    async def hurt(self) -> str:
        """Look; says why the load has to end, "" for no reason."""
        try:
            text = await asyncio.to_thread(self._ask)
            counted = counted_in(text)
        except (OSError, ValueError):
            return ""
        self.blind = False
        for side, value in _IN_FLIGHT.findall(text):
            name = f"in flight, {side}"
            self.most[name] = max(self.most.get(name, 0.0), float(value))
        now = Live(
            sum(tally.answers for tally in counted.values()),
            sum(tally.errors for tally in counted.values()),
        )
        if self._began is None:
            self._began = now
            return ""
        if now.answers < self._began.answers:
            self._began = now  # the proxy was started anew, and counts from 0
        return hurt_because(self._began, now)

    def _ask(self) -> str:
        with urllib.request.urlopen(f"{self.door}/metrics", timeout=_TIMEOUT_S) as got:  # noqa: S310 - ours
            return str(got.read(_MOST_BYTES).decode())
