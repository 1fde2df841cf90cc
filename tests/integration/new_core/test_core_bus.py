"""Events on a real JetStream, through kills of the bus and of the core: none is lost, and each
thing's events are in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from new_core.api.outbox_bus import NatsBus
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.events import Event
from new_core.errors import BusUnavailable
from new_core.service.outbox import LEASE, Relay
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from tests.support.core import SetClock
from tests.support.nats import NatsServer, nats_server

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

CLERK = Actor(ActorKind.STAFF, "clerk")
STREAM = "EVENTS"

# What `banyan core --modules outbox` does beside requests, and nothing else: it starts quickly.
CORE = """
import asyncio, sys
from datetime import UTC, datetime
from new_core.api.house import House
from new_core.api.observe import Metrics
from new_core.api.outbox import workers
from new_core.api.working import working
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine, make_reader
from new_core.storage.ids import new_id

async def main():
    settings = CoreSettings(
        core_database=sys.argv[1], core_bus=sys.argv[2], core_bus_stream="EVENTS"
    )
    database = SqlDatabase(make_engine(sys.argv[1]), make_reader(sys.argv[1]))
    house = House(database, lambda: datetime.now(tz=UTC), new_id, settings, Metrics())
    async with working(workers(house)):
        await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def bus_of(server: NatsServer) -> AsyncIterator[NatsBus]:
    bus = NatsBus(server.url, STREAM)
    try:
        yield bus
    finally:
        await bus.close()


async def tell(core: SqlDatabase, *aggregates: UUID) -> None:
    async with core.writing() as uow:
        events = [Event("orders.order.changed.v1", "order", one, {}) for one in aggregates]
        await uow.outbox.add(events, CLERK, SetClock()())
        await uow.commit()


async def left(core: SqlDatabase) -> int:
    async with core.reading() as uow:
        return (await uow.outbox.unpublished()).events


async def in_stream(url: str) -> list[tuple[str, dict[str, Any]]]:
    """Subject and content of every message, in the stream's order."""
    client = await nats.connect(url)
    js = client.jetstream()
    count = (await js.stream_info(STREAM)).state.messages
    config = ConsumerConfig(ack_policy=AckPolicy.NONE)
    reader = await js.pull_subscribe("banyan.events.>", stream=STREAM, config=config)
    found: list[tuple[str, dict[str, Any]]] = []
    while len(found) < count:
        found += [
            (one.subject, json.loads(one.data)) for one in await reader.fetch(min(count, 500))
        ]
    await client.close()
    return found


def in_order(found: list[tuple[str, dict[str, Any]]], aggregate: UUID) -> list[int]:
    """Places of an aggregate's events, each where it came first."""
    places = [one["aggregateseq"] for _, one in found if one["aggregateid"] == str(aggregate)]
    return list(dict.fromkeys(places))


async def test_a_subject_per_type_and_each_event_once_though_it_is_sent_twice(
    core: SqlDatabase,
) -> None:
    order = new_id()
    await tell(core, order, order)
    with nats_server() as server:
        async with bus_of(server) as bus:
            relay = Relay(core, bus, SetClock(), new_id())
            async with core.writing() as uow:
                claimed = await uow.outbox.claim(new_id(), SetClock()(), SetClock()(), 10)
                await uow.commit()
            assert len(await bus.publish(claimed)) == 2
            assert await relay.round() == 2

        found = await in_stream(server.url)
    assert [subject for subject, _ in found] == ["banyan.events.orders.order.changed.v1"] * 2
    assert in_order(found, order) == [1, 2]


async def test_a_bus_that_is_away_is_found_again(core: SqlDatabase) -> None:
    order = new_id()
    with nats_server() as server:
        async with bus_of(server) as bus:
            relay = Relay(core, bus, SetClock(), new_id())
            await tell(core, order)
            assert await relay.round() == 1
            server.kill()
            await tell(core, order)
            with pytest.raises(BusUnavailable):
                await relay.round()
            assert await left(core) == 1
            server.start()
            assert await _until_some(relay) == 1

        assert in_order(await in_stream(server.url), order) == [1, 2]


async def test_an_event_that_the_bus_refuses_holds_up_its_aggregate_alone(
    core: SqlDatabase,
) -> None:
    large, small = new_id(), new_id()
    async with core.writing() as uow:
        await uow.outbox.add(
            [
                Event("orders.order.changed.v1", "order", large, {"x": "x" * 4_000}),
                Event("orders.order.changed.v1", "order", large, {}),
                Event("orders.order.changed.v1", "order", small, {}),
            ],
            CLERK,
            SetClock()(),
        )
        await uow.commit()
    with nats_server("max_payload: 2000\n") as server:
        async with bus_of(server) as bus:
            assert await Relay(core, bus, SetClock(), new_id()).round() == 1

        found = await in_stream(server.url)
    assert (in_order(found, large), in_order(found, small)) == ([], [1])
    assert await left(core) == 2


async def test_nothing_is_lost_and_all_is_in_order_through_kills_of_bus_and_core(
    core: SqlDatabase, core_url: str, tmp_path: Path
) -> None:
    orders = [new_id() for _ in range(6)]
    with nats_server() as server, contextlib.ExitStack() as stack:
        running = [stack.enter_context(_core(core_url, server, tmp_path)) for _ in range(2)]
        for turn in range(30):
            await tell(core, *orders)
            if turn == 8:
                await _published(core, less_than=6 * 6)
            if turn == 10:
                server.kill()
            if turn == 14:
                os.kill(running[0].pid, signal.SIGKILL)
            if turn == 18:
                server.start()
                running.append(stack.enter_context(_core(core_url, server, tmp_path)))
            if turn == 24:
                os.kill(running[1].pid, signal.SIGKILL)
        await _published(core, less_than=1)

        found = await in_stream(server.url)
    for order in orders:
        assert in_order(found, order) == list(range(1, 31))
    assert len(found) == 180


async def _until_some(relay: Relay) -> int:
    deadline = time.monotonic() + 30
    while True:
        try:
            return await relay.round()
        except BusUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


async def _published(core: SqlDatabase, *, less_than: int) -> None:
    """Wait until fewer are left: at most what a dead process's claim takes, and some more."""
    deadline = time.monotonic() + LEASE.total_seconds() * 3
    while await left(core) >= less_than:
        assert time.monotonic() < deadline, await left(core)
        await asyncio.sleep(0.05)


@contextlib.contextmanager
def _core(url: str, server: NatsServer, folder: Path) -> Any:
    with (folder / "core.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", CORE, url, server.url], stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
