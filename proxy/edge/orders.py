"""What a supervisor gives a worker to start with."""

from __future__ import annotations

import msgspec

from proxy.core.entrance import Entrance
from proxy.core.hold import HoldLimits
from proxy.core.limits import CaptureLimits, Limits, Timeouts
from proxy.edge.control import Handed
from proxy.edge.watching import WatchOrders


class WorkerOrders(msgspec.Struct, frozen=True):
    """What the supervisor gives a worker to start with.

    Attributes:
        listen_fd: a bound, listening socket, inherited.
        config: the routing file's name, for messages and for relative paths in it; it is
            the supervisor who reads it.
        handed: the table in force, and certificates that were good.
        entrance: what connections have to show before their first request.
        is_compiled: take the compiled modules when a fresh build is there.
        redaction_key, sealing_key: None takes the spool's own.
        told_kill: what is killed besides what the kill file says.
        holds: when each hold in force ends, by domain, on the monotonic clock.
    """

    config: str
    handed: Handed
    listen_fd: int
    spool: str
    run: str
    redaction_key: bytes | None
    trusted_peers: str
    limits: Limits
    timeouts: Timeouts
    capture: CaptureLimits
    log_level: str
    kill_file: str
    watch: WatchOrders
    is_compiled: bool = True
    entrance: Entrance = Entrance()
    told_kill: str = ""
    holds: dict[str, float] = {}
    hold_limits: HoldLimits = HoldLimits()
    sealing_key: bytes | None = None
