"""Delivery figures as metrics: what the ledger says, made no more often than it changes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cutover.api import SourceAway
from cutover.api.delivering import DeliveryWatch
from cutover.api.files import history_asker
from cutover.api.meters import Meters
from cutover.api.readings import History
from cutover.api.stream import Seats
from cutover.core.revision import Entry, RevisionKind
from cutover.storage.ledger import RevisionFiles

NOW = datetime(2027, 3, 20, 12, tzinfo=UTC)


class Desk:
    """A ledger in a folder, a clock, and how often the whole ledger was read."""

    def __init__(self, var: Path) -> None:
        self.folder = var / "revisions"
        self.now = NOW
        self.reads = 0
        self._ask = history_asker(self.folder)
        self.watch = DeliveryWatch(self.folder, self._history, self._clock_s)

    def _clock_s(self) -> float:
        return self.now.timestamp()

    async def _history(self) -> History:
        self.reads += 1
        return await self._ask()

    def write(self, kind: RevisionKind, change: str, *, days_ago: float) -> None:
        at = self.now - timedelta(days=days_ago)
        RevisionFiles(self.folder).append(Entry(at, "op", kind, "why", (change,), (), "x: 1\n"))

    def told(self) -> dict[str, float]:
        text = Meters(Seats(), delivered=lambda: self.watch.found).exposition().decode()
        return {
            sample.name.removeprefix("banyan_delivery_"): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("banyan_delivery_")
        }


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_the_four_figures_are_those_of_the_last_thirty_days(desk: Desk) -> None:
    desk.write(RevisionKind.APPLY, "price: new, in stage legacy", days_ago=50)
    desk.write(RevisionKind.APPLY, "price: legacy -> shadow", days_ago=40)
    desk.write(RevisionKind.APPLY, "price: shadow -> canary 10 %", days_ago=20)
    desk.write(RevisionKind.APPLY, "price: canary 10 % -> canary 50 %", days_ago=10)
    desk.write(RevisionKind.ROLLBACK, "price: canary 50 % -> shadow", days_ago=9.75)

    await desk.watch.look()

    told = desk.told()
    assert told["applies"] == 2
    assert told["applies_per_week"] == pytest.approx(2 / 30 * 7)
    assert told["change_failure_ratio"] == 0.5
    assert told["restore_seconds"] == 6 * 3600
    assert told["lead_seconds"] == 15 * 86_400  # 20 days in shadow and 10 at 10 %: the median


async def test_what_has_no_value_is_not_told(desk: Desk) -> None:
    await desk.watch.look()
    assert desk.told() == {}
    desk.write(RevisionKind.APPLY, "price: new, in stage legacy", days_ago=1)

    await desk.watch.look()

    assert desk.told() == {"applies": 1}


async def test_the_ledger_is_read_when_its_head_moved_and_when_time_has(desk: Desk) -> None:
    desk.write(RevisionKind.APPLY, "price: new, in stage legacy", days_ago=29.9999)
    assert await desk.watch.look()

    assert not await desk.watch.look()
    desk.write(RevisionKind.APPLY, "price: legacy -> shadow", days_ago=0)
    assert await desk.watch.look()
    assert desk.told()["applies"] == 2
    desk.now += timedelta(minutes=11)
    assert await desk.watch.look()

    assert desk.reads == 3
    assert desk.told()["applies"] == 1


async def test_an_unreadable_ledger_is_an_error_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "revisions").mkdir()
    (tmp_path / "revisions" / "7.json").symlink_to(tmp_path / "nowhere")

    with pytest.raises(SourceAway, match="cannot be read"):
        await Desk(tmp_path).watch.look()


async def test_a_fault_of_the_figures_does_not_end_what_runs_beside_them(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    looked = asyncio.Event()

    async def torn() -> History:
        looked.set()
        raise ValueError("a fault of ours")

    desk.write(RevisionKind.APPLY, "price: new, in stage legacy", days_ago=1)
    watch = DeliveryWatch(desk.folder, torn, desk.now.timestamp)
    looking = asyncio.ensure_future(watch.keep_looking())
    await asyncio.wait_for(looked.wait(), timeout=30)
    await asyncio.sleep(0)

    assert not looking.done()
    assert watch.found is None
    assert "no delivery figures" in caplog.text
    looking.cancel()
