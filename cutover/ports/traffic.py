"""What is known of the traffic that shoppers make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from cutover.core.live import Tally
from proxy.routing import Side

#: (domain, side) to all that it answered since the proxy began to count; None where the proxy
#: does not say.
Counted = Mapping[tuple[str, Side], Tally]
AskTraffic = Callable[[], Awaitable[Counted | None]]
