"""How a store is treated, and whom its guards let in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from proxy.core.breaker import CircuitBreaker
from proxy.core.health import Health
from proxy.core.limits import Limits, Timeouts
from proxy.routing.model import Breaker, HealthCheck, Store


class Admission(Enum):
    """Whether one more exchange may go to the store.

    OPEN: yes. TRIAL: yes; what becomes of it decides about the breaker. BUSY: as many as
    allowed are in flight. BROKEN: the breaker is open. UNHEALTHY: checks or connects
    failed in a row.
    """

    OPEN = "open"
    TRIAL = "trial"
    BUSY = "busy"
    BROKEN = "breaker_open"
    UNHEALTHY = "unhealthy"

    @property
    def is_let_in(self) -> bool:
        """Whether the exchange may go on."""
        return self in (Admission.OPEN, Admission.TRIAL)


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a store is treated: its own rules, filled up with the proxy's settings.

    Attributes:
        bound: exchanges at the same time.
        idle: kept connections that wait for work.
        total_s: None for no bound.
    """

    bound: int
    idle: int
    head_bytes: int
    connect_s: float
    first_byte_s: float
    total_s: float | None = None
    health: HealthCheck | None = None
    breaker: Breaker | None = None

    def new_breaker(self, now_s: float) -> CircuitBreaker | None:
        """A closed breaker; None where none is wanted."""
        rule = self.breaker
        if rule is None:
            return None
        return CircuitBreaker(
            failures_bp=rule.failures_bp,
            min_requests=rule.min_requests,
            window_s=rule.window_s,
            open_s=rule.open_s,
            now_s=now_s,
        )

    def new_health(self) -> Health | None:
        """Healthy to begin with; None where no check is wanted."""
        rule = self.health
        if rule is None:
            return None
        return Health(unhealthy_after=rule.unhealthy_after, healthy_after=rule.healthy_after)


def treatment_of(store: Store, limits: Limits, timeouts: Timeouts) -> Treatment:
    """What the store says itself, and the proxy's settings where it says nothing."""
    own = store.timeouts
    return Treatment(
        bound=limits.in_flight if store.max_in_flight is None else store.max_in_flight,
        idle=limits.idle_per_store,
        head_bytes=limits.head_bytes,
        connect_s=timeouts.connect_s if own.connect_s is None else own.connect_s,
        first_byte_s=timeouts.first_byte_s if own.first_byte_s is None else own.first_byte_s,
        total_s=own.total_s,
        health=store.health,
        breaker=store.breaker,
    )
