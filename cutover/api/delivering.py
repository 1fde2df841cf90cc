"""Delivery figures for /metrics, made anew only when the ledger has moved on or time has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric

from cutover.api.gather import SourceAway
from cutover.api.readings import History
from cutover.core.delivery import PPM, Delivery, Window, delivery

_LOG = logging.getLogger(__name__)
WINDOW = timedelta(days=30)
EVERY_S = 30.0
#: Steps fall out of the window though nothing is written.
_ANEW_S = 600.0
_Head = tuple[str, int, int]


class DeliveryWatch:
    """Looks at the ledger so that a scrape need not. Belongs to one event loop.

    A look that finds the head where it was reads no file: a ledger of a hundred thousand
    revisions costs a listing of its folder.

    Attributes:
        found: of the last thirty days; None while the ledger could never be read, or is empty.
    """

    def __init__(
        self,
        folder: Path,
        history: Callable[[], Awaitable[History]],
        clock_s: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._history = history
        self._clock_s = clock_s
        self._head: _Head | None = None
        self._made_at_s = 0.0
        self.found: Delivery | None = None

    async def look(self) -> bool:
        """Make the figures anew where that is due; tells whether it was.

        Raises:
            SourceAway: the ledger cannot be read; the last figures stay.
        """
        now_s = self._clock_s()
        head = await asyncio.to_thread(_head_of, self._folder)
        if head == self._head and now_s - self._made_at_s < _ANEW_S:
            return False
        told = (await self._history()).told
        now = datetime.fromtimestamp(now_s, UTC)
        window = Window(now - WINDOW, now)
        self.found = await asyncio.to_thread(delivery, told, window) if told else None
        self._head, self._made_at_s = head, now_s
        return True

    async def keep_looking(self) -> None:
        """Look again and again."""
        while True:
            try:
                await self.look()
            except SourceAway:
                # Figures of a ledger that cannot be read would be said to be of now.
                self._head = self.found = None
            except Exception:  # noqa: BLE001 - the room must outlive a fault of a figure
                self._head = self.found = None
                _LOG.exception("no delivery figures: a fault of their own; looked at again later")
            await asyncio.sleep(EVERY_S)


def _head_of(folder: Path) -> _Head | None:
    """The last revision's file, with its size and time; None for an empty ledger."""
    try:
        names = [path.name for path in folder.glob("[0-9]*.json") if path.stem.isdecimal()]
        if not names:
            return None
        last = max(names, key=lambda name: int(name.partition(".")[0]))
        at = (folder / last).stat()
    except OSError as exc:
        raise SourceAway(f"cannot be read ({exc.strerror or exc})") from exc
    return last, at.st_size, at.st_mtime_ns


def gauges(found: Delivery | None) -> Iterator[Metric]:
    """What is known, as metrics. A figure of nothing is left out: it has no value."""
    if found is None:
        return
    total = found.total
    yield GaugeMetricFamily(
        "banyan_delivery_applies",
        "Revisions by apply that changed a rule, of the last 30 days.",
        value=total.applies,
    )
    if found.applies_per_week is not None:
        yield GaugeMetricFamily(
            "banyan_delivery_applies_per_week",
            "These by week of the time that the ledger covers.",
            value=found.applies_per_week,
        )
    if total.failure_ppm is not None:
        yield GaugeMetricFamily(
            "banyan_delivery_change_failure_ratio",
            "Forward steps of the last 30 days that were taken back, by all of them.",
            value=total.failure_ppm / PPM,
        )
    if total.restore is not None:
        yield GaugeMetricFamily(
            "banyan_delivery_restore_seconds",
            "Median from a forward step to its taking back, of the last 30 days.",
            value=total.restore.median_s,
        )
    if total.in_stage is not None:
        yield GaugeMetricFamily(
            "banyan_delivery_lead_seconds",
            "Median time that a domain stood before its forward step, of the last 30 days.",
            value=total.in_stage.median_s,
        )
