"""Runs a sync until the process is told to stop, and shows its figures."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from legacy_adapters.app.clock import utc_now
from legacy_adapters.app.sync_work import StreamStanding, standings
from legacy_adapters.app.syncing import Sync, carry
from legacy_adapters.errors import AdapterError
from new_core.errors import CoreError

_LOG = logging.getLogger(__name__)
_EVERY_S = 2.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def run_until_stopped(sync: Sync, metrics: str) -> None:
    """Carry until SIGTERM or SIGINT.

    Raises:
        AdapterError: another process carries these streams, or --metrics is no address.
    """
    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    assert own is not None  # noqa: S101 - a coroutine runs in a task
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, own.cancel)
    async with _shown(sync, metrics) as look:
        _LOG.info("both streams of %d domains run", len(sync.domains))
        try:
            await carry(sync, look)
        except asyncio.CancelledError:
            own.uncancel()
            _LOG.info("stopped")


class Figures(Collector):
    """The last standings, as metrics."""

    def __init__(self) -> None:
        self.shown: Sequence[StreamStanding] = ()
        self.at = _EPOCH

    @override
    def collect(self) -> Iterator[Metric]:
        yield from _of_streams(self.shown, self.at)
        yield from _of_domains(self.shown)


def _of_streams(shown: Sequence[StreamStanding], at: datetime) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "banyan_sync_lag_seconds", "From a heartbeat's writing to its arrival", labels=["stream"]
    )
    age = GaugeMetricFamily(
        "banyan_sync_heartbeat_age_seconds", "Since the last heartbeat that arrived was sent",
        labels=["stream"],
    )  # fmt: skip
    position = GaugeMetricFamily(
        "banyan_sync_position", "How far the source's log is read", labels=["stream"]
    )
    broken = GaugeMetricFamily(
        "banyan_sync_problem", "1 while the stream has a problem", labels=["stream"]
    )
    for one in shown:
        if (found := one.checkpoint) is not None:
            position.add_metric([one.stream], found.position.order)
            broken.add_metric([one.stream], 1 if found.problem else 0)
            if found.lag_ms is not None and found.beat_at is not None:
                lag.add_metric([one.stream], found.lag_ms / 1000)
                age.add_metric([one.stream], (at - found.beat_at) / timedelta(seconds=1))
    yield from (lag, age, position, broken)


def _of_domains(shown: Sequence[StreamStanding]) -> Iterator[Metric]:
    labels = ["stream", "domain"]
    dirty = GaugeMetricFamily(
        "banyan_sync_dirty", "Aggregates that wait to be taken across", labels=labels
    )
    parked = GaugeMetricFamily(
        "banyan_sync_parked", "Aggregates that cannot be taken across", labels=labels
    )
    rogue = GaugeMetricFamily(
        "banyan_sync_rogue_writes", "Writes of who does not own the domain", labels=labels
    )
    applied = CounterMetricFamily(
        "banyan_sync_applied", "Aggregates that were taken across", labels=labels
    )
    failed = CounterMetricFamily(
        "banyan_sync_failed", "Tries to take one across that failed", labels=labels
    )
    for stream in shown:
        for one in stream.domains:
            values = [stream.stream, one.domain]
            dirty.add_metric(values, one.waiting.dirty)
            parked.add_metric(values, one.waiting.parked)
            rogue.add_metric(values, one.rogues)
            applied.add_metric(values, one.applied)
            failed.add_metric(values, one.failed)
    yield from (dirty, parked, rogue, applied, failed)


@asynccontextmanager
async def _shown(sync: Sync, address: str) -> AsyncIterator[_Look | None]:
    """Serve figures at an address, if there is one."""
    if not address:
        yield None
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise AdapterError(f"--metrics {address}: expected host:port")
    figures, registry = Figures(), CollectorRegistry()
    registry.register(figures)
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as exc:
        raise AdapterError(f"cannot listen on {address}: {exc.strerror or exc}") from exc
    try:
        yield _Look(sync, figures)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Look:
    """Takes the figures again and again."""

    def __init__(self, sync: Sync, figures: Figures) -> None:
        self._sync = sync
        self._figures = figures

    async def __call__(self) -> None:
        while True:
            try:
                self._figures.shown = await standings(self._sync)
                self._figures.at = utc_now()
            except CoreError as exc:
                _LOG.warning("no figures: %s", exc)
            await asyncio.sleep(_EVERY_S)
