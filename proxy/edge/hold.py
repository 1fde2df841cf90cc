"""Writes that wait in a worker while their domain is held."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from proxy.core.hold import HoldEnd, HoldEvent, HoldLimits, HoldState, Room, step

log = logging.getLogger(__name__)

OnEnd = Callable[[HoldEnd], None]
Later = Callable[[float, Callable[[], None]], asyncio.TimerHandle]
Counted = Callable[[str, str], None]

_ENDS = {HoldState.RELEASED: HoldEnd.RELEASED, HoldState.EXPIRED: HoldEnd.EXPIRED}


class HoldPlace:
    """A request's place in a hold. Ends once: by the hold, or because its client left."""

    __slots__ = ("_hold", "is_over", "on_end", "size_bytes")

    def __init__(self, hold: _Hold | None, on_end: OnEnd, size_bytes: int) -> None:
        self._hold = hold
        self.on_end = on_end
        self.size_bytes = size_bytes
        self.is_over = hold is None

    def leave(self) -> None:
        """The client has gone. `on_end` is not called; a second call changes nothing."""
        if not self.is_over and self._hold is not None:
            self.is_over = True
            self._hold.forget(self)


class _Hold:
    """One domain's hold in one worker."""

    def __init__(self, domain: str, limits: HoldLimits) -> None:
        self.domain = domain
        self.state = HoldState.OPEN
        self.until_s = 0.0
        self.room = Room()
        self.timer: asyncio.TimerHandle | None = None
        self._limits = limits
        # In the order in which they came: so they go on when the hold ends.
        self._places: dict[HoldPlace, None] = {}

    def enter(self, on_end: OnEnd, size_bytes: int) -> HoldPlace | None:
        room = self.room.enter(size_bytes, self._limits)
        if room is None:
            return None
        self.room = room
        place = HoldPlace(self, on_end, size_bytes)
        self._places[place] = None
        return place

    def forget(self, place: HoldPlace) -> None:
        del self._places[place]
        self.room = self.room.leave(place.size_bytes)

    def end(self, end: HoldEnd) -> None:
        places, self._places = self._places, {}
        self.room = Room()
        for place in places:
            # A place may leave while those before it go on: its client shares a
            # connection's fate with one of them.
            if place.is_over:
                continue
            place.is_over = True
            try:
                place.on_end(end)
            except Exception:  # one request's defect must not keep the others waiting
                log.exception("a held request could not go on")


class Holds:
    """All holds of a worker. Belongs to the event loop.

    Attributes:
        is_active: some domain is held; the only thing that a request looks at otherwise.
    """

    __slots__ = ("_count", "_holds", "_later", "_limits", "_now", "is_active")

    def __init__(
        self,
        limits: HoldLimits,
        now: Callable[[], float],
        later: Later,
        count: Counted = lambda _domain, _how: None,
    ) -> None:
        """Take bounds, the loop's clock and timer, and who counts (domain, how it went)."""
        self._limits = limits
        self._now = now
        self._later = later
        self._count = count
        self._holds: dict[str, _Hold] = {}
        self.is_active = False

    def join(self, domain: str, on_end: OnEnd, size_bytes: int = 0) -> HoldPlace | None:
        """Wait when the domain is held; None when it is not, and the request goes on.

        `on_end` is called once, when the hold ends, unless the place was left before.
        When no room is left it is called with OVERFLOW before this returns.
        """
        hold = self._holds.get(domain)
        if hold is None:
            return None
        place = hold.enter(on_end, size_bytes)
        if place is None:
            self._count(domain, "overflow")
            on_end(HoldEnd.OVERFLOW)
            return HoldPlace(None, on_end, 0)
        self._count(domain, "held")
        return place

    def hold(self, domain: str, until_s: float) -> None:
        """Hold a domain's writes until `until_s` of the loop's clock, at the longest."""
        until_s = min(until_s, self._now() + self._limits.longest_s)
        hold = self._holds.get(domain)
        if hold is None:
            hold = self._holds[domain] = _Hold(domain, self._limits)
        if hold.timer is not None:
            hold.timer.cancel()
        hold.state = step(hold.state, HoldEvent.HOLD)
        hold.until_s = until_s
        hold.timer = self._later(max(0.0, until_s - self._now()), lambda: self._expire(hold))
        self.is_active = True

    def release(self, domain: str) -> bool:
        """End a hold; those who wait go on now, in their order. False when there was none."""
        hold = self._holds.get(domain)
        if hold is None:
            return False
        self._end(hold, HoldEvent.RELEASE)
        return True

    def waiting(self) -> Mapping[str, Room]:
        """What waits, by held domain."""
        return {domain: hold.room for domain, hold in self._holds.items()}

    def until(self) -> Mapping[str, float]:
        """When each hold ends by itself, on the loop's clock."""
        return {domain: hold.until_s for domain, hold in self._holds.items()}

    def _expire(self, hold: _Hold) -> None:
        # 1. the timer fires and its callback is queued, 2. the hold is released and a new
        # one of the same domain begins, 3. the callback runs: it must not end the new one.
        if self._holds.get(hold.domain) is hold and hold.until_s <= self._now() + 0.005:
            log.warning("the hold of %s ended because its time was over", hold.domain)
            self._end(hold, HoldEvent.EXPIRE)

    def _end(self, hold: _Hold, event: HoldEvent) -> None:
        if hold.timer is not None:
            hold.timer.cancel()
        hold.state = step(hold.state, event)
        # First forgotten, then ended: a request that goes on must not meet this hold again.
        del self._holds[hold.domain]
        self.is_active = bool(self._holds)
        end = _ENDS[hold.state]
        self._count(hold.domain, str(end))
        hold.end(end)
