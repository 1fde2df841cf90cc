"""What is known of the traffic that shoppers make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from cutover.core.live import Tally, WritesApart
from proxy.routing import Side

#: (domain, side) to all that it answered since the proxy began to count.
Counted = Mapping[tuple[str, Side], Tally]
#: Asks for it, without writes that stay with legacy; None where the proxy does not say.
AskTraffic = Callable[[Mapping[str, WritesApart]], Awaitable[Counted | None]]
