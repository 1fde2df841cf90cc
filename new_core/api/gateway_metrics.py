"""Counters of what gateways are asked, and of how they are."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from new_core.domain.gateway_health import Breaker

_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STANDS = {Breaker.CLOSED: 0, Breaker.TRYING: 1, Breaker.OPEN: 2}


class GatewayMetrics:
    """The meter of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "banyan_core_gateway_calls_total", "Calls of payment gateways",
            ("gateway", "operation", "outcome"), registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "banyan_core_gateway_seconds", "Time of a payment gateway's answer",
            ("gateway", "operation"), buckets=_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._breaker = Gauge(
            "banyan_core_gateway_breaker", "0 closed, 1 tried again, 2 open", ("gateway",),
            registry=registry,
        )  # fmt: skip

    def called(self, gateway: str, operation: str, outcome: str, elapsed_s: float) -> None:
        """A call ended."""
        self._calls.labels(gateway, operation, outcome).inc()
        self._seconds.labels(gateway, operation).observe(elapsed_s)

    def stands(self, gateway: str, breaker: Breaker) -> None:
        """A gateway's breaker is known."""
        self._breaker.labels(gateway).set(_STANDS[breaker])
