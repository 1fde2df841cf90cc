"""What the comparer tells a monitor: banyan_compare_* and banyan_shadow_loss_*."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from shadow_compare.core.batch import Judged
from shadow_compare.edge.ship_metrics import ShipCounters


class PrometheusMeter:
    """Implements the comparer's Meter. Counts since the process began."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._compared = Counter(
            "banyan_compare",
            "Comparisons that were stored, by their result",
            ("domain", "route", "result"),
            registry=self.registry,
        )
        self._lost = Counter(
            "banyan_shadow_loss",
            "Captured exchanges that could not be compared, by reason",
            ("domain", "reason"),
            registry=self.registry,
        )
        self._lag = Gauge(
            "banyan_compare_lag_seconds",
            "Age of the oldest exchange of the last batch when it was stored",
            registry=self.registry,
        )

    def ended(self, frames: Sequence[Judged]) -> None:
        ends = Counted((one.domain, one.route, one.outcome, one.loss) for one in frames)
        for (domain, route, outcome, loss), count in ends.items():
            if outcome is not None:
                self._compared.labels(domain, route, outcome.value).inc(count)
            else:
                self._lost.labels(domain, loss or "").inc(count)

    def lag(self, seconds: float) -> None:
        self._lag.set(seconds)


@asynccontextmanager
async def serve_metrics(
    meter: PrometheusMeter | ShipCounters, host: str, port: int
) -> AsyncIterator[int]:
    """Answer GET /metrics and /healthz. Yields the port, which was chosen when 0 was given.

    Raises:
        OSError: the address cannot be listened on.
    """

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(meter.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def healthz(_request: web.Request) -> web.Response:
        if isinstance(meter, ShipCounters) and meter.problem is not None:
            return web.Response(status=503, text=f"{meter.problem}\n")
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        addresses = runner.addresses
        yield int(addresses[0][1])
    finally:
        await runner.cleanup()
