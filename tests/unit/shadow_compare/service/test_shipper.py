"""A shipper's rounds from a spool in memory to a bus in memory, killed wherever it can be."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from shadow_compare.core.batch import Batch
from shadow_compare.core.note import Note
from shadow_compare.service.shipper import Dock, Shipper, Stopped
from tests.fakes.bus import FakeShipMeter, FakeSink
from tests.fakes.frames import FakeClock, FakeRun, FakeSource, FakeSpool
from tests.support.comparing import DETAIL, LIST, NOW_S, frame

ALWAYS, NEVER = (lambda: True), (lambda: False)
SENT = f"sent|catalog|{LIST}"


class Quay:
    """A shipper with everything around it."""

    def __init__(self) -> None:
        self.spool, self.sink, self.meter = FakeSpool(), FakeSink(), FakeShipMeter()
        self.start()

    def start(self, source: type[FakeSource] = FakeSource) -> None:
        notes = dict(self.sink.told)
        self.source = source(self.spool, {run: note.checkpoint for run, note in notes.items()})
        dock = Dock(self.source, self.sink, FakeClock(NOW_S), self.meter)
        self.shipper = Shipper(dock, notes)

    def mirror(self, count: int, run: str = "run-1", **more: object) -> None:
        of = self.spool.runs.setdefault(run, FakeRun())
        for _ in range(count):
            one = frame(len(of.frames) + 1, run=run, **more)  # type: ignore[arg-type]
            of.count(f"mirrored|{one.domain}|{one.route}")
            of.frames.append(one)

    async def ship(self) -> None:
        while await self.shipper.round(ALWAYS):
            pass


async def test_frames_are_stored_in_order_and_then_released() -> None:
    quay = Quay()
    quay.mirror(600)

    await quay.ship()

    assert [seq for _, seq in quay.sink.stored] == list(range(1, 601))
    assert quay.spool.runs["run-1"].released == 600
    note = quay.sink.told["run-1"]
    assert (note.seq, dict(note.sent), note.complete) == (600, {SENT: 600}, False)


async def test_the_proxys_counters_travel_with_the_frames() -> None:
    quay = Quay()
    quay.mirror(2)
    quay.spool.runs["run-1"].count(f"dropped|catalog|{LIST}|queue_full")

    await quay.ship()

    account = quay.sink.told["run-1"].account
    assert account == {f"mirrored|catalog|{LIST}": 2, f"dropped|catalog|{LIST}|queue_full": 1}


async def test_a_frame_that_is_too_large_is_counted_as_dropped_and_stops_nothing() -> None:
    quay = Quay()
    quay.mirror(1)
    quay.mirror(1, body=b"x" * 2_000, route=DETAIL)
    quay.mirror(1)

    await quay.ship()

    note = quay.sink.told["run-1"]
    assert [seq for _, seq in quay.sink.stored] == [1, 3]
    assert note.account[f"dropped|catalog|{DETAIL}|bus_too_large"] == 1
    assert (note.seq, dict(note.sent)) == (3, {SENT: 2})
    assert (quay.meter.frames, quay.meter.refused) == (2, 1)


async def test_while_the_bus_is_away_nothing_is_released_and_nothing_lost() -> None:
    quay = Quay()
    quay.mirror(5)
    quay.sink.away = 4

    await quay.ship()

    assert len(quay.sink.stored) == 5
    assert quay.meter.problems


async def test_told_to_stop_while_the_bus_is_away_it_leaves_the_spool_as_it_is() -> None:
    quay = Quay()
    quay.mirror(5)
    quay.sink.away = 100

    with pytest.raises(Stopped):
        await quay.shipper.round(NEVER)

    assert quay.spool.runs["run-1"].released == 0
    assert quay.sink.told == {}


async def test_a_dead_run_is_complete_once_all_of_it_is_sent_and_then_forgotten() -> None:
    quay = Quay()
    quay.mirror(3)
    quay.spool.runs["run-1"].alive = False

    await quay.ship()

    assert quay.sink.told["run-1"].complete
    assert quay.sink.told["run-1"].ends == "crash"
    assert quay.spool.runs == {}


async def test_a_spool_that_is_taken_away_ends_its_runs_with_that_reason() -> None:
    quay = Quay()
    quay.mirror(3)
    await quay.ship()

    del quay.spool.runs["run-1"]
    await quay.ship()

    assert (quay.sink.told["run-1"].complete, quay.sink.told["run-1"].ends) == (
        True,
        "spool_removed",
    )


class Killed(Exception):
    """The process is gone."""


@given(data=st.data())
def test_killed_anywhere_every_frame_is_stored_and_the_note_counts_each_once(
    data: st.DataObject,
) -> None:
    quay = Quay()
    left = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))

    class Fragile(FakeSource):
        """Dies after so many calls."""

        calls = 0

        def step(self) -> None:
            self.calls -= 1
            if self.calls < 0:
                raise Killed

        @override
        async def release(self, batch: Batch) -> None:
            self.step()
            await super().release(batch)
            self.step()

        @override
        async def forget(self, run: str) -> None:
            self.step()
            await super().forget(run)
            self.step()

    async def lives() -> None:
        for calls in left:
            quay.mirror(data.draw(st.integers(0, 300)))
            quay.start(Fragile)
            Fragile.calls = calls
            try:
                await quay.ship()
            except Killed:
                continue
        quay.start()
        quay.spool.runs["run-1"].alive = False
        await quay.ship()

    quay.mirror(1)
    total = quay.spool.runs["run-1"]
    asyncio.run(lives())

    count = len(total.frames)
    note = quay.sink.told["run-1"]
    assert sorted(seq for _, seq in quay.sink.stored) == list(range(1, count + 1))
    assert (note.seq, dict(note.sent), note.complete) == (count, {SENT: count}, True)


@given(parts=st.lists(st.lists(st.booleans(), max_size=8), max_size=6))
def test_a_note_counts_every_frame_as_sent_or_as_refused(parts: list[list[bool]]) -> None:
    note, seq = Note(), 0
    for part in parts:
        frames = [(frame(seq + n + 1), taken) for n, taken in enumerate(part)]
        seq += len(part)
        note = note.after(
            note.checkpoint,
            [one for one, taken in frames if taken],
            [one for one, taken in frames if not taken],
        )

    flat = [taken for part in parts for taken in part]
    assert note.seq == len(flat)
    assert sum(note.sent.values()) == sum(flat)
    assert sum(note.refused.values()) == len(flat) - sum(flat)
