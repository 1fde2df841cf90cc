"""What every source of frames must do: the one in memory, the spool, and the bus."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from typing_extensions import override

from proxy.core.frame import Frame
from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.edge.bus import Bus, open_bus
from shadow_compare.edge.bus_place import BusPlace
from shadow_compare.edge.bus_sink import NatsSink
from shadow_compare.edge.bus_source import nats_source
from shadow_compare.edge.runner import WallClock
from shadow_compare.edge.ship_metrics import ShipCounters
from shadow_compare.edge.spool import SpoolSource
from shadow_compare.ports import FrameSource, RunState
from shadow_compare.service.shipper import Dock, Shipper
from tests.fakes.frames import FakeRun, FakeSource, FakeSpool
from tests.support.comparing import LIST, NOW_S, frame, judged
from tests.support.stores import Worker

pytestmark = pytest.mark.contract

ONE, TWO = "20261122T000000-1-aaaaaa", "20261122T000001-2-bbbbbb"
MIRRORED = f"mirrored|catalog|{LIST}"
Taken = Sequence[tuple[Checkpoint, Frame]]


class House(Protocol):
    """A proxy that writes frames, and comparers that open what it wrote."""

    async def write(self, run: str, count: int) -> None: ...

    async def die(self, run: str) -> None: ...

    async def open(self, stored: Mapping[str, Checkpoint]) -> FrameSource: ...

    async def close(self) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.spool = FakeSpool()

    async def write(self, run: str, count: int) -> None:
        of = self.spool.runs.setdefault(run, FakeRun())
        for _ in range(count):
            of.count(MIRRORED)
            of.frames.append(frame(len(of.frames) + 1, run=run))

    async def die(self, run: str) -> None:
        self.spool.runs[run].alive = False

    async def open(self, stored: Mapping[str, Checkpoint]) -> FrameSource:
        return FakeSource(self.spool, stored)

    async def close(self) -> None:
        return


class OnDisk:
    def __init__(self, home: Path) -> None:
        self.spool = home / "spool"
        self.workers: dict[str, Worker] = {}

    async def write(self, run: str, count: int) -> None:
        if run not in self.workers:
            self.workers[run] = Worker(self.spool, run)
        self.workers[run].mirror(count)

    async def die(self, run: str) -> None:
        self.workers.pop(run).close()

    async def open(self, stored: Mapping[str, Checkpoint]) -> FrameSource:
        return SpoolSource(self.spool, stored)

    async def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


class OnTheBus(OnDisk):
    """The same proxy; what it wrote is shipped at once."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home)
        self.place = BusPlace(url, f"T{uuid.uuid4().hex[:12]}", ack_wait_s=2)
        self.stack = AsyncExitStack()
        self.shipper: Shipper | None = None

    @override
    async def write(self, run: str, count: int) -> None:
        await super().write(run, count)
        await self.ship()

    @override
    async def die(self, run: str) -> None:
        await super().die(run)
        await self.ship()

    async def ship(self) -> None:
        if self.shipper is None:
            sink = NatsSink(await self.stack.enter_async_context(self.connect("ship")))
            notes = await sink.notes()
            spool = await super().open({run: note.checkpoint for run, note in notes.items()})
            self.stack.push_async_callback(spool.close)
            self.shipper = Shipper(Dock(spool, sink, WallClock(), ShipCounters()), notes)
        while await self.shipper.round(lambda: False):
            pass

    @override
    async def open(self, stored: Mapping[str, Checkpoint]) -> FrameSource:
        bus = await self.stack.enter_async_context(self.connect("compare"))
        return await self.stack.enter_async_context(nats_source(bus))

    @override
    async def close(self) -> None:
        await self.stack.aclose()
        await super().close()

    def connect(self, name: str) -> AbstractAsyncContextManager[Bus]:
        return open_bus(self.place, name, lambda: False)


@pytest.fixture(params=["memory", "spool", "bus"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def house(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    made: House
    if kind == "memory":
        made = InMemory()
    elif kind == "spool":
        made = OnDisk(tmp_path)
    else:
        made = OnTheBus(tmp_path, request.getfixturevalue("nats_url"))
    yield made
    await made.close()


@pytest.fixture
async def bus(tmp_path: Path, nats_url: str) -> AsyncIterator[OnTheBus]:
    made = OnTheBus(tmp_path, nats_url)
    yield made
    await made.close()


async def take(source: FrameSource, count: int, *, at_once: int = 100) -> Taken:
    """Read until so many frames came."""
    taken: list[tuple[Checkpoint, Frame]] = []
    deadline = time.monotonic() + 30
    while len(taken) < count:
        assert time.monotonic() < deadline, f"{len(taken)} of {count} frames came"
        some = await source.read(min(at_once, count - len(taken)))
        assert len(some) <= at_once
        taken += some
    return taken


async def until(source: FrameSource, holds: Callable[[Mapping[str, RunState]], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds(await source.runs()):
        assert time.monotonic() < deadline, await source.runs()
        await asyncio.sleep(0.05)


def stored(taken: Taken) -> Batch:
    """The batch that these frames were stored in."""
    frames = tuple(judged(one.seq, run=one.run) for _, one in taken)
    return Batch(NOW_S, frames, checkpoints={one.run: place for place, one in taken})


def seqs(taken: Taken, run: str = ONE) -> list[int]:
    return [one.seq for _, one in taken if one.run == run]


async def test_frames_come_whole_and_in_order_never_more_than_asked_for(house: House) -> None:
    await house.write(ONE, 7)
    source = await house.open({})

    taken = await take(source, 7, at_once=3)

    assert seqs(taken) == [1, 2, 3, 4, 5, 6, 7]
    assert taken[2][1] == frame(3, run=ONE)
    await source.close()


async def test_every_run_is_read(house: House) -> None:
    await house.write(ONE, 4)
    await house.write(TWO, 4)
    source = await house.open({})

    taken = await take(source, 8)

    assert (seqs(taken, ONE), seqs(taken, TWO)) == ([1, 2, 3, 4], [1, 2, 3, 4])
    await source.close()


async def test_what_was_stored_and_released_does_not_come_again_and_the_rest_does(
    house: House,
) -> None:
    await house.write(ONE, 6)
    source = await house.open({})
    first = await take(source, 2)
    await source.release(stored(first))
    await take(source, 2)
    await source.close()

    await house.write(ONE, 1)
    after = await house.open(stored(first).checkpoints)
    again = await take(after, 5)

    assert sorted(seqs(again)) == [3, 4, 5, 6, 7]
    await after.close()


async def test_the_proxys_counters_come_too(house: House) -> None:
    await house.write(ONE, 3)
    source = await house.open({})

    await until(source, lambda runs: ONE in runs and runs[ONE].counters[MIRRORED] == 3)

    assert (await source.runs())[ONE].alive
    await source.close()


async def test_a_run_lives_until_its_worker_is_gone_and_its_frames_are_done(house: House) -> None:
    await house.write(ONE, 3)
    await house.write(TWO, 1)
    source = await house.open({})
    await house.die(ONE)

    taken = await take(source, 4)
    await source.release(stored(taken))
    await until(source, lambda runs: not runs[ONE].alive)

    assert (await source.runs())[TWO].alive
    assert (await source.runs())[ONE].ends == "crash"
    await source.close()


async def test_a_run_that_is_done_can_be_forgotten(house: House) -> None:
    await house.write(ONE, 2)
    await house.die(ONE)
    source = await house.open({})
    await source.release(stored(await take(source, 2)))
    await until(source, lambda runs: not runs[ONE].alive)

    await source.forget(ONE)

    await until(source, lambda runs: ONE not in runs)
    await source.close()
    after = await house.open({})
    assert ONE not in await after.runs()
    await after.close()


async def test_comparers_of_one_bus_share_the_frames(bus: OnTheBus) -> None:
    await bus.write(ONE, 40)
    one, two = await bus.open({}), await bus.open({})

    mine, yours = await take(one, 20, at_once=20), await take(two, 20, at_once=20)

    assert sorted(seqs(mine) + seqs(yours)) == list(range(1, 41))
    for source in (one, two):
        await source.close()


async def test_frames_in_hand_stay_with_a_comparer_that_is_slow(bus: OnTheBus) -> None:
    await bus.write(ONE, 5)
    slow, other = await bus.open({}), await bus.open({})
    taken = await take(slow, 5)

    await asyncio.sleep(1.5 * bus.place.ack_wait_s)
    come = await other.read(5)
    await slow.release(stored(taken))

    assert come == []
    for source in (slow, other):
        await source.close()


async def test_frames_of_a_comparer_that_is_gone_come_to_another(bus: OnTheBus) -> None:
    await bus.write(ONE, 5)
    gone = AsyncExitStack()
    connection = await gone.enter_async_context(bus.connect("gone"))
    dead = await gone.enter_async_context(nats_source(connection))
    await take(dead, 5)
    await gone.aclose()

    other = await bus.open({})

    assert sorted(seqs(await take(other, 5))) == [1, 2, 3, 4, 5]
    await other.close()


async def test_a_dead_run_lives_on_while_another_comparer_has_frames_of_it(bus: OnTheBus) -> None:
    await bus.write(ONE, 4)
    await bus.die(ONE)
    one, two = await bus.open({}), await bus.open({})
    mine, yours = await take(one, 2, at_once=2), await take(two, 2, at_once=2)

    await one.release(stored(mine))
    await until(one, lambda runs: ONE in runs)
    while_in_hand = (await one.runs())[ONE]
    await two.release(stored(yours))
    await until(one, lambda runs: not runs[ONE].alive)

    assert while_in_hand.alive
    assert while_in_hand.passed is None
    passed = (await one.runs())[ONE].passed
    assert passed is not None
    assert (passed.seq, dict(passed.sent)) == (4, {f"sent|catalog|{LIST}": 4})
    for source in (one, two):
        await source.close()


async def test_frames_that_grew_too_old_on_the_bus_have_passed(bus: OnTheBus) -> None:
    bus.place = replace(bus.place, max_age_s=1)
    await bus.write(ONE, 5)
    source = await bus.open({})

    await until(source, lambda runs: ONE in runs and runs[ONE].passed is not None)

    passed = (await source.runs())[ONE].passed
    assert passed is not None
    assert (passed.seq, dict(passed.sent)) == (5, {f"sent|catalog|{LIST}": 5})
    assert (await source.runs())[ONE].alive
    assert await source.read(5) == []
    await source.close()
