"""The proxy's metrics, made from accounts when someone asks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from typing_extensions import override

from proxy.edge import counters as names
from proxy.edge.totals import WorkerNote
from proxy.routing import BASIS_POINTS, Kill, RoutingTable, Stage
from proxy.storage import DROPPED, MIRRORED, SPOOLED, split_name, spool_bytes, spool_lag

# Account kind: metric, what it says, labels.
_COUNTERS = {
    names.REQUESTS: (
        "banyan_requests",
        "Answers given to clients, by whoever gave them.",
        ("domain", "route", "side", "method", "status_class", "stage"),
    ),
    names.UNMATCHED: ("banyan_unmatched", "Requests that no route matched.", ()),
    names.REFUSED: ("banyan_refused", "Requests refused before routing.", ("status",)),
    names.CLIENT_GONE: ("banyan_client_gone", "Clients that left before the end.", ("domain",)),
    names.STORE_ERRORS: (
        "banyan_upstream_errors",
        "Exchanges that a store failed.",
        ("side", "kind"),
    ),
    names.STORE_RETRIES: (
        "banyan_upstream_retries",
        "Requests sent again because a kept connection had been closed.",
        ("side",),
    ),
    names.STORE_OPENED: ("banyan_upstream_opened", "Connections made to stores.", ("side",)),
    names.STORE_CONNECT_FAILURES: (
        "banyan_upstream_connect_failures",
        "Connections to stores that were not made.",
        ("side", "reason"),
    ),
    names.STORE_TURNED_AWAY: (
        "banyan_upstream_turned_away",
        "Exchanges that a store's guards did not let in.",
        ("side", "reason"),
    ),
    names.STORE_BREAKER_OPENED: (
        "banyan_upstream_breaker_opened",
        "Times that a store's breaker opened, over all workers.",
        ("side",),
    ),
    names.STORE_CHECKS: ("banyan_upstream_checks", "Health checks.", ("side", "result")),
    names.LISTENER_REFUSED: (
        "banyan_listener_refused",
        "Connections closed before their first request.",
        ("reason",),
    ),
    names.CERTIFICATE_RELOADS: (
        "banyan_certificate_reloads",
        "Changed certificate files of the listener, per worker.",
        ("result",),
    ),
    names.HELD: (
        "banyan_held_requests",
        "Writes that came while their domain was held: held, or overflow.",
        ("domain", "outcome"),
    ),
    names.HOLDS_ENDED: ("banyan_holds_ended", "Holds that ended, per worker.", ("domain", "end")),
    names.UNOBSERVED: (
        "banyan_unobserved",
        "Exchanges missing in the access log or the traces.",
        ("where", "reason"),
    ),
    names.FALLBACK: (
        "banyan_fallback",
        "Requests that legacy answered in place of the core.",
        ("domain", "reason"),
    ),
    names.UPGRADES: ("banyan_upgrades", "Connections that became tunnels.", ("domain",)),
    names.TICKETS: ("banyan_tickets_issued", "Visitors that got a signed cookie.", ("domain",)),
    names.EARLY_ANSWERS: (
        "banyan_early_answers",
        "Answers that came before the request's body had.",
        ("side",),
    ),
    names.RELOADS: (
        "banyan_config_reloads",
        "Changed routing files: loaded per worker, failed per file.",
        ("result",),
    ),
}
_GAUGES = {
    names.STORE_CONNECTIONS: (
        "banyan_upstream_connections",
        "Open connections to stores.",
        ("side", "state"),
    ),
    names.STORE_WAITING: (
        "banyan_upstream_waiting",
        "Exchanges that wait for a connection, being made or waiting for their turn.",
        ("side",),
    ),
    names.STORE_BREAKER: (
        "banyan_upstream_breaker",
        "Workers whose breaker of a store is in a state.",
        ("side", "state"),
    ),
    names.STORE_HEALTH: (
        "banyan_upstream_health",
        "Workers that hold a store for healthy or not.",
        ("side", "state"),
    ),
    names.IN_FLIGHT: ("banyan_in_flight", "Exchanges in flight.", ("side",)),
    names.CLIENTS: ("banyan_client_connections", "Open client connections.", ()),
    names.HOLD_WAITING: ("banyan_hold_waiting", "Writes that wait in a hold.", ("domain",)),
    names.TUNNELS: ("banyan_tunnels", "Open tunnels.", ()),
    names.CAPTURE_QUEUE: ("banyan_capture_queue_frames", "Captures waiting to be written.", ()),
}
_SHADOW = (MIRRORED, SPOOLED, DROPPED)

Samples = Mapping[str, list[tuple[tuple[str, ...], int]]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is to tell at one moment.

    Attributes:
        notes: of the workers that are to stay, by run.
        table: as the routing file says.
        in_force: as the kill leaves it.
        problem: why the routing file does not load.
        kill_problem: why the kill file kills everything without saying so.
        restarts: workers that died.
        replaced: workers that were replaced on request.
    """

    sums: Mapping[str, int]
    notes: Mapping[str, WorkerNote]
    table: RoutingTable
    in_force: RoutingTable
    kill: Kill
    problem: str | None
    kill_problem: str | None
    workers: int
    restarts: int
    replaced: int
    spool: Path


class ProxyCollector(Collector):
    """Collects from a snapshot taken when the collection begins."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    @override
    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        samples: defaultdict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
        for name, value in now.sums.items():
            kind, labels = split_name(name)
            samples[kind].append((labels, value))
        yield from _counters(samples)
        yield from _gauges(samples)
        yield _durations(samples)
        yield _shadow(samples)
        yield from _config(now)
        yield _kill(now)
        yield from _spool(now.spool)
        yield from _stages(now.table)


def _counters(samples: Samples) -> Iterator[Metric]:
    for kind, (name, text, labels) in _COUNTERS.items():
        counter = CounterMetricFamily(name, text, labels=labels)
        for values, count in samples.get(kind, []):
            counter.add_metric(values, count)
        if not labels and not samples.get(kind):
            counter.add_metric((), 0)
        yield counter


def _gauges(samples: Samples) -> Iterator[Metric]:
    for kind, (name, text, labels) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=labels)
        for values, value in samples.get(kind, []):
            gauge.add_metric(values, value)
        yield gauge


def _durations(samples: Samples) -> Metric:
    histogram = HistogramMetricFamily(
        "banyan_request_duration_seconds",
        "From a request's last byte to its answer's last byte.",
        labels=("domain", "route", "side"),
    )
    found: defaultdict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for labels, count in samples.get(names.DURATION, []):
        found[labels[:-1]][labels[-1]] = count
    totals_us = dict(samples.get(names.DURATION_SUM_US, []))
    for where, counts in found.items():
        buckets, below = [], 0
        for bound_us in names.BUCKETS_US:
            below += counts.get(str(bound_us), 0)
            buckets.append((f"{bound_us / 1e6:g}", float(below)))
        buckets.append(("+Inf", float(below + counts.get("inf", 0))))
        histogram.add_metric(where, buckets, totals_us.get(where, 0) / 1e6)
    return histogram


def _shadow(samples: Samples) -> Metric:
    shadow = CounterMetricFamily(
        "banyan_shadow",
        "Mirrored exchanges; each is spooled or dropped in the end.",
        labels=("domain", "route", "outcome", "reason"),
    )
    for outcome in _SHADOW:
        for (domain, route, *reason), count in samples.get(outcome, []):
            shadow.add_metric((domain, route, outcome, reason[0] if reason else ""), count)
    return shadow


def _config(now: Snapshot) -> Iterator[Metric]:
    revisions = GaugeMetricFamily(
        "banyan_config_revision_info", "Workers with this table in force.", labels=("revision",)
    )
    in_force = [note.revision for note in now.notes.values()]
    for revision in sorted(set(in_force)):
        revisions.add_metric((revision,), in_force.count(revision))
    yield revisions
    yield GaugeMetricFamily(
        "banyan_config_load_failed",
        "1 when the routing file does not load and the last good one is in force.",
        value=int(now.problem is not None),
    )
    yield GaugeMetricFamily("banyan_workers", "Workers that are up.", value=now.workers)
    yield CounterMetricFamily("banyan_worker_restarts", "Workers that died.", value=now.restarts)
    yield CounterMetricFamily(
        "banyan_worker_replacements", "Workers replaced on request.", value=now.replaced
    )
    yield GaugeMetricFamily(
        "banyan_spool_bytes", "Captures on disk, all runs.", value=spool_bytes(now.spool)
    )


def _kill(now: Snapshot) -> Metric:
    """Only names of the table become labels: the file may hold any."""
    known = {domain.name for domain in now.table.domains}
    switch = GaugeMetricFamily(
        "banyan_kill_switch", "Workers in which this scope is killed.", labels=("scope",)
    )
    found = [note.kill for note in now.notes.values()]
    scopes = {"all"} | {scope for kill in found for scope in kill}
    for scope in sorted(scopes):
        _, is_named, name = scope.partition(":")
        if not is_named or name in known:
            switch.add_metric((scope,), sum(scope in kill for kill in found))
    return switch


def _spool(spool: Path) -> Iterator[Metric]:
    lag = spool_lag(spool)
    at_us = lag.oldest_at_us
    age_s = 0.0 if at_us is None else max(time.time() - at_us / 1e6, 0.0)  # noqa: TID251 - the
    # frames carry wall-clock times, written by other processes.
    yield GaugeMetricFamily(
        "banyan_spool_unread_frames", "Captures that the comparer has not done.", lag.unread_frames
    )
    yield GaugeMetricFamily(
        "banyan_spool_unread_bytes", "The same in bytes.", value=lag.unread_bytes
    )
    yield GaugeMetricFamily(
        "banyan_spool_oldest_frame_age_seconds",
        "Since the oldest of these exchanges ended; 0 when there is none.",
        value=age_s,
    )


def _stages(table: RoutingTable) -> Iterator[Metric]:
    stages = GaugeMetricFamily(
        "banyan_stage", "1 for the stage that a domain is in.", labels=("domain", "stage")
    )
    shares = GaugeMetricFamily(
        "banyan_core_share_ratio", "Share of shoppers for the core, in canary.", labels=("domain",)
    )
    for domain in table.domains:
        for stage in Stage:
            stages.add_metric((domain.name, str(stage)), int(domain.stage is stage))
        shares.add_metric((domain.name,), domain.core_share_bp / BASIS_POINTS)
    yield stages
    yield shares
