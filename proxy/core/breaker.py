"""When a store that keeps failing is left alone, and how it comes back."""

from __future__ import annotations

from enum import StrEnum
from math import inf

# A window is counted in this many slots: coarse enough to cost nothing, fine enough that
# an old failure is forgotten within a tenth of the window.
SLOTS = 10
# So many must come back well before the store gets everyone again.
TRIALS = 3
# Kinds of failure and statuses that speak about the store as a whole. 500 is not among
# them: one broken page would take a store away from all that still work. 502, 503 and 504
# say that what stands behind the store's front is overloaded or gone.
FAILING_STATUSES = frozenset((502, 503, 504))


class BreakerState(StrEnum):
    """closed: everyone is let through. open: nobody. half_open: a few trials."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerEvent(StrEnum):
    """What moves a breaker."""

    WINDOW_BAD = "window_bad"
    PAUSE_OVER = "pause_over"
    TRIALS_GOOD = "trials_good"
    TRIAL_BAD = "trial_bad"


TRANSITIONS: dict[BreakerState, dict[BreakerEvent, BreakerState]] = {
    BreakerState.CLOSED: {BreakerEvent.WINDOW_BAD: BreakerState.OPEN},
    BreakerState.OPEN: {BreakerEvent.PAUSE_OVER: BreakerState.HALF_OPEN},
    BreakerState.HALF_OPEN: {
        BreakerEvent.TRIALS_GOOD: BreakerState.CLOSED,
        BreakerEvent.TRIAL_BAD: BreakerState.OPEN,
    },
}


class CircuitBreaker:
    """A pure machine: times are monotonic seconds that the caller passes in.

    An exchange says when it began. What began before the last transition speaks about
    another time and moves nothing. The race behind it:
    1. the store hangs, a hundred exchanges wait for their deadline;
    2. the breaker opens, the store recovers, trials go well, the breaker closes;
    3. the hundred reach their deadline. They must not open it again.

    Attributes:
        state: as of the last call.
        good: successes since the slots were turned last. Whoever has one adds to it
            itself: that is all that a success costs while the breaker is closed.
    """

    __slots__ = (
        "_bad_slots",
        "_failures_bp",
        "_good_slots",
        "_good_trials",
        "_min_requests",
        "_open_s",
        "_since_s",
        "_slot_s",
        "_trials_left",
        "_trials_until_s",
        "_turned_at_s",
        "good",
        "state",
    )

    def __init__(
        self, *, failures_bp: int, min_requests: int, window_s: float, open_s: float, now_s: float
    ) -> None:
        """Begin closed.

        Args:
            failures_bp: share of failures in the window that opens it.
            min_requests: in the window, before it can open.
            window_s: how far back is looked.
            open_s: how long nobody is let through.
            now_s: when it begins.
        """
        self._failures_bp = failures_bp
        self._min_requests = min_requests
        self._slot_s = window_s / SLOTS
        self._open_s = open_s
        self._good_slots = [0] * SLOTS
        self._bad_slots = [0] * SLOTS
        self._turned_at_s = now_s
        self._since_s = -inf
        self._trials_left = 0
        self._trials_until_s = 0.0
        self._good_trials = 0
        self.good = 0
        self.state = BreakerState.CLOSED

    @property
    def counts(self) -> tuple[int, int]:
        """Successes and failures in the window, as of the last turn of its slots."""
        return sum(self._good_slots) + self.good, sum(self._bad_slots)

    @property
    def is_bad(self) -> bool:
        """Whether the window holds enough exchanges, and too many failures."""
        good, bad = self.counts
        total = good + bad
        return bad > 0 and total >= self._min_requests and bad * 10_000 >= self._failures_bp * total

    def advance(self, now_s: float) -> None:
        """Forget what has left the window. To be called about as often as slots turn."""
        turns = int((now_s - self._turned_at_s) / self._slot_s)
        if turns > 0:
            self._turned_at_s += turns * self._slot_s
            self._good_slots[0] += self.good
            self.good = 0
            for slots in (self._good_slots, self._bad_slots):
                kept = slots[: max(0, SLOTS - turns)]
                slots[:] = [0] * (SLOTS - len(kept)) + kept
        if self.state is BreakerState.CLOSED and self.is_bad:
            self._move(BreakerEvent.WINDOW_BAD, now_s)

    def failed(self, now_s: float, began_s: float) -> None:
        """An exchange failed by the store's fault."""
        if began_s < self._since_s:
            return
        if self.state is BreakerState.CLOSED:
            self.advance(now_s)
        if self.state is BreakerState.CLOSED:
            self._bad_slots[0] += 1
            if self.is_bad:
                self._move(BreakerEvent.WINDOW_BAD, now_s)
        elif self.state is BreakerState.HALF_OPEN:
            self._move(BreakerEvent.TRIAL_BAD, now_s)

    def recovered(self, now_s: float, began_s: float) -> None:
        """An exchange went well while the breaker is not closed."""
        if self.state is not BreakerState.HALF_OPEN or began_s < self._since_s:
            return
        self._good_trials += 1
        if self._good_trials >= TRIALS:
            self._move(BreakerEvent.TRIALS_GOOD, now_s)

    def admit(self, now_s: float) -> bool:
        """Whether one more exchange may go to the store.

        A trial may end without a verdict, because its client left. So trials are not
        counted back: when a round of them decided nothing in `open_s`, there is another.
        """
        if self.state is BreakerState.CLOSED:
            return True
        if self.state is BreakerState.OPEN:
            if now_s < self._since_s + self._open_s:
                return False
            self._move(BreakerEvent.PAUSE_OVER, now_s)
        if self._trials_left == 0 and now_s >= self._trials_until_s:
            self._trials_left = TRIALS
            self._trials_until_s = now_s + self._open_s
        if self._trials_left == 0:
            return False
        self._trials_left -= 1
        return True

    def pause_s(self, now_s: float) -> float:
        """Seconds until somebody may be let through, at most as long as it stays open."""
        until_s = now_s
        if self.state is BreakerState.OPEN:
            until_s = self._since_s + self._open_s
        elif self.state is BreakerState.HALF_OPEN and self._trials_left == 0:
            until_s = self._trials_until_s
        # The upper bound holds off what rounding adds: 5.0000000000000036 s are 5, not 6.
        return min(self._open_s, max(0.0, until_s - now_s))

    def _move(self, event: BreakerEvent, now_s: float) -> None:
        self.state = TRANSITIONS[self.state][event]
        self._since_s = now_s
        self._trials_left = 0
        self._trials_until_s = now_s
        self._good_trials = 0
        if self.state is BreakerState.CLOSED:
            self._good_slots = [0] * SLOTS
            self._bad_slots = [0] * SLOTS
            self._turned_at_s = now_s
            self.good = 0
