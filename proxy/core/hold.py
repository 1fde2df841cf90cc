"""How a hold of a domain's writes goes: a table of states, and who may still wait.

A hold stops the writes of one domain for a bounded time, so that data can move while
nobody changes it. Pure: the edge keeps the clock and wakes those who wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

MIB = 1024 * 1024


class HoldState(StrEnum):
    """open: writes pass. holding: they wait. released and expired: the hold is over."""

    OPEN = "open"
    HOLDING = "holding"
    RELEASED = "released"
    EXPIRED = "expired"


class HoldEvent(StrEnum):
    """What happens to a hold."""

    HOLD = "hold"
    RELEASE = "release"
    EXPIRE = "expire"


class HoldEnd(StrEnum):
    """Why a request waits no longer.

    released, expired: decide anew, with the table then in force. overflow: too many wait
    already; 503 with Retry-After.
    """

    RELEASED = "released"
    EXPIRED = "expired"
    OVERFLOW = "overflow"


# A hold in force that is asked for again is made longer or shorter; it stays one hold. A
# hold that is over is forgotten; what comes late (a timer, a second release) changes nothing.
STEPS: Mapping[HoldState, Mapping[HoldEvent, HoldState]] = MappingProxyType(
    {
        HoldState.OPEN: {
            HoldEvent.HOLD: HoldState.HOLDING,
            HoldEvent.RELEASE: HoldState.OPEN,
            HoldEvent.EXPIRE: HoldState.OPEN,
        },
        HoldState.HOLDING: {
            HoldEvent.HOLD: HoldState.HOLDING,
            HoldEvent.RELEASE: HoldState.RELEASED,
            HoldEvent.EXPIRE: HoldState.EXPIRED,
        },
        HoldState.RELEASED: {
            HoldEvent.HOLD: HoldState.HOLDING,
            HoldEvent.RELEASE: HoldState.RELEASED,
            HoldEvent.EXPIRE: HoldState.RELEASED,
        },
        HoldState.EXPIRED: {
            HoldEvent.HOLD: HoldState.HOLDING,
            HoldEvent.RELEASE: HoldState.EXPIRED,
            HoldEvent.EXPIRE: HoldState.EXPIRED,
        },
    }
)


class HoldLimits(msgspec.Struct, frozen=True):
    """Per worker and domain; `longest_s` is for each hold.

    Attributes:
        requests: requests that wait at the same time.
        waiting_bytes: bytes of them in memory.
        longest_s: no hold may be asked for longer.
    """

    requests: int = 1_000
    waiting_bytes: int = 64 * MIB
    longest_s: float = 30.0


class Room(msgspec.Struct, frozen=True):
    """What waits in a hold. Every request that enters leaves exactly once."""

    requests: int = 0
    waiting_bytes: int = 0

    def enter(self, size_bytes: int, limits: HoldLimits) -> Room | None:
        """With one request more, or None when there is no room for it."""
        requests, waiting = self.requests + 1, self.waiting_bytes + size_bytes
        if requests > limits.requests or waiting > limits.waiting_bytes:
            return None
        return Room(requests, waiting)

    def leave(self, size_bytes: int) -> Room:
        """With one request less."""
        return Room(self.requests - 1, self.waiting_bytes - size_bytes)


def step(state: HoldState, event: HoldEvent) -> HoldState:
    """The state after an event. Total: every event is allowed in every state."""
    return STEPS[state][event]
