"""What the room tells of itself in Prometheus's form."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cutover.api.delivering import gauges
from cutover.api.stream import Seats
from cutover.core.delivery import Delivery

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Meters:
    """The room's metrics, in a registry of their own.

    `steered_ago_s` says how long ago somebody steered; None where nobody ever did. `delivered`
    gives the delivery figures that were made last; None where there are none.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(
        self,
        seats: Seats,
        steered_ago_s: Callable[[], float | None] = lambda: None,
        delivered: Callable[[], Delivery | None] = lambda: None,
    ) -> None:
        self._seats = seats
        self._steered_ago_s = steered_ago_s
        self._delivered = delivered
        self._registry = CollectorRegistry()
        self._draw = Histogram(
            "banyan_room_draw_seconds",
            "Time to draw a page's parts, gathering left out.",
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(self)

    def add(self, figures: Collector) -> None:
        """More that is told at each scrape."""
        self._registry.register(figures)

    def drawn(self, elapsed_s: float) -> None:
        """Count one drawing."""
        self._draw.observe(elapsed_s)

    def collect(self) -> list[Metric]:
        """Read the seats; called by the registry at each scrape."""
        viewers = GaugeMetricFamily("banyan_room_viewers", "Browsers that watch live.")
        viewers.add_metric([], self._seats.taken)
        dropped = CounterMetricFamily(
            "banyan_room_viewers_dropped", "Viewers cut off because they did not read."
        )
        dropped.add_metric([], self._seats.dropped)
        known = [viewers, dropped, *gauges(self._delivered())]
        steered_ago_s = self._steered_ago_s()
        if steered_ago_s is None:
            return known
        course = GaugeMetricFamily(
            "banyan_course_age_seconds",
            "Since domains were last looked at that go back by themselves.",
        )
        course.add_metric([], steered_ago_s)
        return [*known, course]

    def exposition(self) -> bytes:
        """All metrics as text."""
        return generate_latest(self._registry)
