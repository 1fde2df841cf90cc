"""Events get numbers that readers can rely on, leave in order per aggregate, and are not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.events import Event, Told
from new_core.errors import BusUnavailable
from new_core.ports import EventQuery, UnitOfWork
from new_core.service.outbox import Relay, number_events, read_once
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from tests.support.core import SetClock

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

CLERK = Actor(ActorKind.STAFF, "clerk", request_id="req-1")
CLOCK = SetClock()


def happened(aggregate: UUID, n: int) -> Event:
    return Event("orders.order.changed.v1", "order", aggregate, {"n": n})


async def tell(core: SqlDatabase, *events: Event) -> None:
    async with core.writing() as uow:
        await uow.outbox.add(events, CLERK, CLOCK())
        await uow.commit()


async def feed(core: SqlDatabase, after: int = 0) -> list[tuple[int | None, object]]:
    async with core.reading() as uow:
        found = await uow.outbox.page(EventQuery(after, 1000))
    return [(one.seq, one.event.data["n"]) for one in found]


@dataclass
class FakeBus:
    """Takes events as long as it is up; refuses those of some aggregates."""

    got: list[Told] = field(default_factory=list)
    is_up: bool = True
    refused: set[UUID] = field(default_factory=set)
    wait: asyncio.Event | None = None
    has_some: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, events: Sequence[Told]) -> frozenset[UUID]:
        self.has_some.set()
        if self.wait is not None:
            await self.wait.wait()
        if not self.is_up:
            raise BusUnavailable("the bus is down")
        taken = [one for one in events if one.event.aggregate_id not in self.refused]
        self.got += taken
        return frozenset(one.event_id for one in taken)

    def of(self, aggregate: UUID) -> list[int]:
        return [one.aggregate_seq for one in self.got if one.event.aggregate_id == aggregate]


def relay(core: SqlDatabase, bus: FakeBus, clock: SetClock = CLOCK) -> Relay:
    return Relay(core, bus, clock, new_id())


async def test_numbers_are_without_gaps_in_the_order_of_writing(core: SqlDatabase) -> None:
    order, other = new_id(), new_id()
    await tell(core, happened(order, 1), happened(other, 2))
    await tell(core, happened(order, 3))

    assert await feed(core) == []
    assert await number_events(core) == 3
    assert await number_events(core) == 0
    await tell(core, happened(order, 4))
    assert await number_events(core) == 1

    assert await feed(core) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert await feed(core, after=3) == [(4, 4)]


async def test_a_reader_never_passes_over_what_becomes_visible_late(
    core_on_postgres: SqlDatabase,
) -> None:
    core = core_on_postgres
    slow, quick = new_id(), new_id()
    async with core.writing() as early:
        await early.outbox.add([happened(slow, 1)], CLERK, CLOCK())
        await early.outbox.flush()  # its row has the smaller id from here on
        await tell(core, happened(quick, 2))
        await number_events(core)
        seen = await feed(core)
        await early.commit()
    await number_events(core)

    assert seen == [(1, 2)]
    assert await feed(core, after=1) == [(2, 1)]


async def test_the_relay_publishes_what_becomes_visible_late(
    core_on_postgres: SqlDatabase,
) -> None:
    core, bus = core_on_postgres, FakeBus()
    slow, quick = new_id(), new_id()
    async with core.writing() as early:
        await early.outbox.add([happened(slow, 1)], CLERK, CLOCK())
        await early.outbox.flush()
        await tell(core, happened(quick, 2))
        assert await relay(core, bus).round() == 1
        await early.commit()

    assert await relay(core, bus).round() == 1
    assert [one.event.data["n"] for one in bus.got] == [2, 1]


async def test_numbers_given_by_many_at_once_are_given_once(core: SqlDatabase) -> None:
    orders = [new_id() for _ in range(5)]

    async def one(turn: int) -> None:
        await tell(core, happened(orders[turn % 5], turn))
        await number_events(core)

    await asyncio.gather(*(one(turn) for turn in range(30)))
    while await number_events(core):
        pass

    found = await feed(core)
    assert [seq for seq, _ in found] == list(range(1, 31))
    assert sorted(str(n) for _, n in found) == sorted(str(n) for n in range(30))


async def test_an_event_is_published_once_and_in_order(core: SqlDatabase) -> None:
    bus, order = FakeBus(), new_id()
    await tell(core, *(happened(order, n) for n in range(1, 4)))

    assert await relay(core, bus).round() == 3
    assert await relay(core, bus).round() == 0
    assert bus.of(order) == [1, 2, 3]


async def test_what_the_bus_does_not_take_is_kept_and_holds_up_only_its_aggregate(
    core: SqlDatabase,
) -> None:
    bad, good = new_id(), new_id()
    bus = FakeBus(refused={bad})
    await tell(core, happened(bad, 1), happened(good, 2), happened(bad, 3))

    assert await relay(core, bus).round() == 1
    await tell(core, happened(good, 4), happened(bad, 5))
    assert await relay(core, bus).round() == 1
    bus.refused.clear()
    assert await relay(core, bus).round() == 3

    assert bus.of(bad) == [1, 2, 3]
    assert bus.of(good) == [1, 2]


async def test_a_bus_that_is_down_loses_nothing_and_blocks_nobody(core: SqlDatabase) -> None:
    bus, order = FakeBus(is_up=False), new_id()
    await tell(core, happened(order, 1))

    with pytest.raises(BusUnavailable):
        await relay(core, bus).round()
    await tell(core, happened(order, 2))
    bus.is_up = True

    assert await relay(core, bus).round() == 2
    assert bus.of(order) == [1, 2]


async def test_what_one_has_in_hand_no_other_publishes_not_even_what_comes_after_it(
    core: SqlDatabase,
) -> None:
    order, other = new_id(), new_id()
    first, second = FakeBus(wait=asyncio.Event()), FakeBus()
    await tell(core, happened(order, 1))
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(relay(core, first).round())
        await first.has_some.wait()
        await tell(core, happened(order, 2), happened(other, 3))

        assert await relay(core, second).round() == 1
        assert first.wait is not None
        first.wait.set()
        assert await slow == 1

    assert await relay(core, second).round() == 1
    assert (first.of(order), second.of(order), second.of(other)) == ([1], [2], [1])


async def test_what_a_dead_process_had_in_hand_is_published_when_its_time_is_up(
    core: SqlDatabase,
) -> None:
    clock, bus, order = SetClock(), FakeBus(), new_id()
    await tell(core, happened(order, 1))
    async with core.writing() as uow:
        assert await uow.outbox.claim(new_id(), clock(), clock() + timedelta(seconds=60), 10)
        await uow.commit()

    assert await relay(core, bus, clock).round() == 0
    clock.forward(seconds=60)
    assert await relay(core, bus, clock).round() == 1


async def test_many_relays_at_once_keep_the_order_and_publish_each_once(
    core: SqlDatabase,
) -> None:
    bus, orders = FakeBus(), [new_id() for _ in range(4)]

    async def write(turn: int) -> None:
        await tell(core, *(happened(one, turn) for one in orders[turn % 3 :]))

    async def publish() -> None:
        for _ in range(10):
            await relay(core, bus).round()

    await asyncio.gather(*(write(turn) for turn in range(12)), *(publish() for _ in range(3)))
    while await relay(core, bus).round():
        pass

    for order in orders:
        assert bus.of(order) == list(range(1, len(bus.of(order)) + 1))
    assert len(bus.got) == 12 * 4 - 4 * (0 + 1 + 2)


async def test_a_part_of_the_core_reads_each_event_once_with_what_it_makes_of_it(
    core: SqlDatabase,
) -> None:
    order = new_id()
    await tell(core, *(happened(order, n) for n in range(5)))
    await number_events(core)
    seen: list[object] = []

    async def react(uow: UnitOfWork, told: Told) -> None:
        assert await uow.outbox.first_time("mailer", told.event_id, CLOCK())
        assert not await uow.outbox.first_time("mailer", told.event_id, CLOCK())
        if told.event.data["n"] == 3 and "tripped" not in seen:
            seen.append("tripped")
            raise BusUnavailable("trouble in the middle")
        seen.append(told.event.data["n"])

    assert await read_once(core, "mailer", react, limit=2) == 2
    with pytest.raises(BusUnavailable):
        await read_once(core, "mailer", react)
    assert await read_once(core, "mailer", react) == 3
    assert await read_once(core, "mailer", react) == 0

    assert seen == [0, 1, 2, "tripped", 2, 3, 4]


async def test_what_everybody_had_is_forgotten_and_nothing_else(core: SqlDatabase) -> None:
    order, late = new_id(), CLOCK() + timedelta(days=1)
    await tell(core, happened(order, 1), happened(order, 2))

    async def forget(*, bus: bool) -> int:
        async with core.writing() as uow:
            gone = await uow.outbox.forget(late, 10, bus=bus)
            await uow.commit()
        return gone

    unnumbered = await forget(bus=False)
    await number_events(core)
    unpublished = await forget(bus=True)
    async with core.writing() as uow:
        await uow.outbox.unread("mailer", 10)
        await uow.commit()
    unread = await forget(bus=False)
    async with core.writing() as uow:
        await uow.outbox.passed("mailer", 1)
        await uow.commit()
    await relay(core, FakeBus()).round()

    assert (unnumbered, unpublished, unread, await forget(bus=True)) == (0, 0, 0, 1)
    await tell(core, happened(order, 3))
    await number_events(core)
    assert await feed(core) == [(2, 2), (3, 3)]
