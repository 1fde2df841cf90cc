"""Health figures that are asked of the database, for /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from new_core.api.house import House, Worker

_LINES_EVERY_S = 15.0
_BOOKS_EVERY_S = 120.0


class HealthGauges:
    """What was found last; of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.books = Gauge(
            "banyan_core_books_wrong", "What must be 0", ("check",), registry=registry
        )
        self.accuracy = Gauge(
            "banyan_core_inventory_accuracy_ratio", "Stock that was where the books said",
            registry=registry,
        )  # fmt: skip
        # Not 0, which would say that nothing is where it should be.
        self.accuracy.set(float("nan"))
        self.waiting = Gauge(
            "banyan_core_waiting", "Things on their way", ("line",), registry=registry
        )
        self.waiting_seconds = Gauge(
            "banyan_core_waiting_seconds", "Age of the oldest of them", ("line",),
            registry=registry,
        )  # fmt: skip
        self.asked = Gauge(
            "banyan_core_books_asked_seconds", "When the books were last asked, as Unix time",
            registry=registry,
        )  # fmt: skip


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    gauges = HealthGauges(house.metrics.registry)
    lines = {"numbers", "audit", "webhooks"} | ({"bus"} if house.settings.core_bus else set())

    async def look_at_lines() -> int:
        async with house.database.reading() as uow:
            found = await uow.health.waiting()
        now = house.now()
        for name in lines:
            line = found[name]
            age_s = 0.0 if line.oldest is None else (now - line.oldest).total_seconds()
            gauges.waiting.labels(name).set(line.things)
            gauges.waiting_seconds.labels(name).set(max(0.0, age_s))
        return 0

    async def look_at_books() -> int:
        async with house.database.reading() as uow:
            wrong = await uow.health.books()
            accuracy = await uow.health.accuracy()
        for name, count in wrong.items():
            gauges.books.labels(name).set(count)
        if accuracy is not None:
            gauges.accuracy.set(accuracy)
        gauges.asked.set(house.now().timestamp())
        return 0

    return (
        Worker("health-lines", look_at_lines, _LINES_EVERY_S),
        Worker("health-books", look_at_books, _BOOKS_EVERY_S),
    )
