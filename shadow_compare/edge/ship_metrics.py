"""What the shipper tells a monitor: banyan_ship_*."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class ShipCounters:
    """Implements the shipper's ShipMeter. Counts since the process began.

    Attributes:
        problem: why the bus takes nothing at the moment, None when it does.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.problem: str | None = "not connected to the bus yet"
        self._frames = Counter(
            "banyan_ship_frames",
            "Frames that were sent to the bus, by what came of it",
            ("result",),
            registry=self.registry,
        )
        self._lag = Gauge(
            "banyan_ship_lag_seconds",
            "Age of the oldest exchange of the last batch when the bus had stored it",
            registry=self.registry,
        )
        self._up = Gauge(
            "banyan_ship_bus_up", "Whether the bus takes frames", registry=self.registry
        )
        for result in ("stored", "too_large"):
            self._frames.labels(result)

    def sent(self, frames: int, refused: int) -> None:
        self._frames.labels("stored").inc(frames)
        self._frames.labels("too_large").inc(refused)

    def lag(self, seconds: float) -> None:
        self._lag.set(seconds)

    def trouble(self, problem: str | None) -> None:
        self.problem = problem
        self._up.set(problem is None)
