"""Figures of what tells others and what watches a file, out of the files that these keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from cutover.core.hook import Outcome
from cutover.core.watched_file import WAITING
from cutover.settings import NOTICES_FILE, WATCH_FILE
from cutover.storage.notices_file import NoticesFile
from cutover.storage.watch_file import watched_now


class OutletFigures(Collector):
    """Read at each scrape, whoever sends and watches. `folder` is that of all state."""

    def __init__(self, folder: Path, clock_s: Callable[[], float]) -> None:
        self._folder = folder
        self._clock_s = clock_s

    @override
    def collect(self) -> Iterable[Metric]:
        return (*self._notices(), *self._watched())

    def _notices(self) -> Iterable[Metric]:
        known = NoticesFile(self._folder / NOTICES_FILE).read().values()
        tries = CounterMetricFamily(
            "banyan_notices", "Tries to tell a hook, by what became of them.", labels=["outcome"]
        )
        for outcome in Outcome:
            count = sum(one.counts.get(outcome, 0) for one in known)
            tries.add_metric([str(outcome)], count)
        since = [one.waiting_since.timestamp() for one in known if one.waiting_since is not None]
        oldest = GaugeMetricFamily(
            "banyan_notices_oldest_seconds", "Since what the oldest untaken notice tells of."
        )
        oldest.add_metric([], max(0.0, self._clock_s() - min(since)) if since else 0.0)
        return tries, oldest

    def _watched(self) -> Iterable[Metric]:
        now_s = self._clock_s()
        known = watched_now(self._folder / WATCH_FILE, now_s)
        if not known:
            return ()
        since = [
            one.since.timestamp()
            for _, one in known
            if one.standing in WAITING and one.since is not None
        ]
        waiting = GaugeMetricFamily(
            "banyan_watch_waiting_seconds",
            "Since a watched file asks for what is not in force; 0 where none does.",
        )
        waiting.add_metric([], max(0.0, now_s - min(since)) if since else 0.0)
        return (waiting,)
