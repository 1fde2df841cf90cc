"""The pool that keeps a store's connections, and guards the store and its shoppers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from math import ceil, inf

from proxy.core.breaker import BreakerState, CircuitBreaker
from proxy.core.fields import FieldReader
from proxy.core.health import Health, HealthState
from proxy.edge.counters import (
    STORE_BREAKER_OPENED,
    STORE_CHECKS,
    STORE_CONNECT_FAILURES,
    STORE_TURNED_AWAY,
)
from proxy.edge.dial import Dialer, DialError
from proxy.edge.store import StoreConnection
from proxy.edge.treatment import Admission, Treatment
from proxy.errors import UpstreamError
from proxy.routing.model import HealthCheck

log = logging.getLogger(__name__)

# Connections being made at the same time. A burst on a store that has just died waits
# behind these few and fails with them, instead of knocking a thousand times.
MAX_CONNECTING = 32


def _uncounted(*_name: str) -> None:
    pass


class Pool:
    """Connections to one store. The one used last is used next, so that the number in
    use follows the load and the rest grow old and go. Belongs to the event loop.

    Attributes:
        is_shut: the breaker is not closed, or the store is unhealthy: ask `admission`.
        bound: exchanges at the same time: at the bound, ask `admission`.
        watches: exchanges are to be told with `answered` and `failed`.
        in_flight: exchanges that count against the bound; the askers keep it.
        connecting: connections being made.
        connections: open ones, idle or at work.
        checked_by: the rule that a running health check follows.
        dialer: makes the connections, for the health check too.
    """

    def __init__(
        self,
        side: str,
        dialer: Dialer,
        treatment: Treatment,
        *,
        now: Callable[[], float],
        count: Callable[..., None] = _uncounted,
    ) -> None:
        """Begin empty, healthy and closed.

        Args:
            side: "legacy" or "core".
            dialer: of the store's address.
            treatment: see there.
            now: monotonic seconds.
            count: adds one to a counter, given its kind and labels.
        """
        self.side = side
        self.dialer = dialer
        self.reader = FieldReader()
        self.in_flight = 0
        self.connecting = 0
        self.connections: set[StoreConnection] = set()
        self.opened_total = 0
        self.is_shut = False
        self.is_retired = False
        self.checked_by: HealthCheck | None = None
        self._now = now
        self._count = count
        self._idle: list[StoreConnection] = []
        self._waiters: deque[asyncio.Future[StoreConnection | None]] = deque()
        self._breaker: CircuitBreaker | None = None
        self._health: Health | None = None
        self._told = (BreakerState.CLOSED, HealthState.HEALTHY)
        self.treatment = treatment
        self.treat(treatment, is_first=True)

    def treat(self, treatment: Treatment, *, is_first: bool = False) -> None:
        """Go on under other rules. A guard whose rule changed begins anew."""
        before, self.treatment = self.treatment, treatment
        self.bound = treatment.bound
        self.head_bytes = treatment.head_bytes
        self.connect_s = treatment.connect_s
        self.first_byte_s = treatment.first_byte_s
        self.total_s = treatment.total_s
        self.watches = treatment.breaker is not None
        if is_first or treatment.breaker != before.breaker:
            self._breaker = treatment.new_breaker(self._now())
        if is_first or treatment.health != before.health:
            self._health = treatment.new_health()
        self._look()

    # Guards.

    @property
    def breaker_state(self) -> BreakerState | None:
        """None where no breaker is wanted."""
        return self._breaker.state if self._breaker is not None else None

    @property
    def health_state(self) -> HealthState | None:
        """None where no health check is wanted."""
        return self._health.state if self._health is not None else None

    def admission(self) -> Admission:
        """Ask for one exchange, when `is_shut` or the bound is reached; counted when it is
        turned away. To be called once for an exchange: a trial is given out.
        """
        found = Admission.OPEN
        if self._health is not None and self._health.state is HealthState.UNHEALTHY:
            found = Admission.UNHEALTHY
        elif self.in_flight >= self.bound:
            found = Admission.BUSY
        elif self._breaker is not None and self._breaker.state is not BreakerState.CLOSED:
            is_trial = self._breaker.admit(self._now())
            found = Admission.TRIAL if is_trial else Admission.BROKEN
            self._look()
        if not found.is_let_in:
            self._count(STORE_TURNED_AWAY, self.side, found.value)
        return found

    def retry_after_s(self, admission: Admission) -> int:
        """Whole seconds after which a client that was turned away may come back, 1 or more."""
        pause_s = 1.0
        if admission is Admission.BROKEN and self._breaker is not None:
            pause_s = self._breaker.pause_s(self._now())
        elif admission is Admission.UNHEALTHY and self.treatment.health is not None:
            pause_s = self.treatment.health.every_s * self.treatment.health.healthy_after
        return max(1, ceil(pause_s))

    def succeeded(self, began_s: float = inf) -> None:
        """An exchange went well. To be called where `watches`.

        Args:
            began_s: monotonic seconds when it began; by default it counts in any case.
        """
        breaker = self._breaker
        if breaker is not None:
            breaker.good += 1
            if self.is_shut:
                breaker.recovered(self._now(), began_s)
                self._look()

    def failed(self, kind: str, began_s: float = inf) -> None:
        """An exchange failed by the store's fault. To be called where `watches`.

        Args:
            kind: as in the metric of errors, for the log.
            began_s: as in `succeeded`.
        """
        if self._breaker is not None:
            log.debug("%s failed an exchange: %s", self.side, kind)
            self._breaker.failed(self._now(), began_s)
            self._look()

    def checked(self, problem: str | None) -> None:
        """A health check ended; None when it was good."""
        if self._health is None:
            return
        self._count(STORE_CHECKS, self.side, "failed" if problem else "good")
        self._health.checked(is_good=problem is None)
        self._look(problem or "")

    def tick(self) -> None:
        """Let the breaker forget what is long ago. To be called twice a second or so."""
        if self._breaker is not None:
            self._breaker.advance(self._now())
            self._look()

    def _look(self, problem: str = "") -> None:
        """Take over what the guards say, and tell what changed."""
        breaker = self.breaker_state or BreakerState.CLOSED
        health = self.health_state or HealthState.HEALTHY
        if (breaker, health) == self._told:
            return
        before, self._told = self._told, (breaker, health)
        self.is_shut = self._told != (BreakerState.CLOSED, HealthState.HEALTHY)
        if breaker is BreakerState.OPEN and before[0] is not BreakerState.OPEN:
            self._count(STORE_BREAKER_OPENED, self.side)
        if breaker is not before[0]:
            log.warning("the breaker of %s is %s", self.side, breaker)
        if health is not before[1]:
            log.warning("%s is %s%s", self.side, health, f": {problem}" if problem else "")

    # Connections.

    @property
    def idle(self) -> int:
        """Connections that wait for work."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Exchanges that wait for their turn to connect."""
        return sum(not waiter.done() for waiter in self._waiters)

    def take(self, max_idle_s: float) -> StoreConnection | None:
        """A kept connection that was used within the last `max_idle_s` seconds."""
        oldest = self._now() - max_idle_s
        while self._idle:
            connection = self._idle[-1]
            if connection.idle_since < oldest:
                return None
            self._idle.pop()
            if connection.is_open():
                return connection
        return None

    async def open(self, timeout_s: float | None = None) -> StoreConnection:
        """Connect, or take a connection that comes free before it is one's turn to.

        Args:
            timeout_s: for all of it; None takes the store's own.

        Raises:
            UpstreamError: nothing was sent, so that the request may be tried again.
            TimeoutError: the store did not take a connection in time.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + (self.connect_s if timeout_s is None else timeout_s)
        if self.connecting < MAX_CONNECTING:
            self.connecting += 1
        else:
            freed = await self._turn(deadline_s)
            if freed is not None:
                return freed
        return await self._connect(deadline_s)

    async def _turn(self, deadline_s: float) -> StoreConnection | None:
        """Wait for a connection that is given back, or (None) for a place in `connecting`."""
        waiter: asyncio.Future[StoreConnection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(deadline_s):
                return await waiter
        except BaseException:
            # 1. the waiter is given a connection, 2. before its task runs, its deadline
            # passes. What it was given must not be lost.
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                freed = waiter.result()
                if freed is not None:
                    self.give_back(freed)
                else:
                    self._leave_connecting()
            raise

    async def _connect(self, deadline_s: float) -> StoreConnection:
        began_s, opened = self._now(), self.opened_total
        try:
            async with asyncio.timeout_at(deadline_s):
                return await self.dialer.dial(lambda: StoreConnection(self))
        except DialError as exc:
            self._on_connect_failed(exc.reason, began_s)
            error = UpstreamError(self.side, str(exc), sent=False)
            self._fail_waiters(opened, error)
            raise error from exc
        except TimeoutError as exc:
            self._on_connect_failed("timeout", began_s)
            self._fail_waiters(opened, exc)
            raise
        finally:
            self._leave_connecting()

    def _on_connect_failed(self, reason: str, began_s: float) -> None:
        self._count(STORE_CONNECT_FAILURES, self.side, reason)
        if self._health is not None:
            self._health.connect_failed(self._now(), began_s)
            self._look(f"no connection ({reason})")

    def _fail_waiters(self, opened: int, error: Exception) -> None:
        """Nobody got through since this attempt began: those who wait would not either."""
        if self.opened_total != opened:
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(_copy(error))

    def _leave_connecting(self) -> None:
        """Hand the place on to the first who waits."""
        waiter = self._next_waiter()
        if waiter is None:
            self.connecting -= 1
        else:
            waiter.set_result(None)

    def _next_waiter(self) -> asyncio.Future[StoreConnection | None] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    def give_back(self, connection: StoreConnection) -> None:
        """Keep a connection for the next request, or close it when there are enough."""
        if self.is_retired or not connection.is_open():
            connection.abort()
            return
        connection.pause(is_paused=False)
        connection.is_fresh = False
        connection.idle_since = self._now()
        if self._waiters and (waiter := self._next_waiter()) is not None:
            waiter.set_result(connection)
        elif len(self._idle) < self.treatment.idle:
            self._idle.append(connection)
        else:
            connection.abort()

    def expire(self, idle_s: float) -> None:
        """Close what has waited longer than that."""
        oldest = self._now() - idle_s
        # The oldest stand first.
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.pop(0).abort()

    def retire(self) -> None:
        """Close what is idle, and what is at work when it is given back."""
        self.is_retired = True
        for connection in tuple(self._idle):
            connection.abort()
        self._idle.clear()

    def opened(self, connection: StoreConnection) -> None:
        """A connection was made."""
        self.opened_total += 1
        self.connections.add(connection)
        if self._health is not None:
            self._health.connected()

    def closed(self, connection: StoreConnection) -> None:
        """A connection ended."""
        self.connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


def _copy(error: Exception) -> Exception:
    """An error for each who waits: one that is raised twice gathers both tracebacks."""
    if isinstance(error, UpstreamError):
        problem = error.args[0].removeprefix(f"{error.side}: ")
        return UpstreamError(error.side, problem, sent=error.sent)
    return TimeoutError()
