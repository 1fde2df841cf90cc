"""Debezium's events on a real JetStream: order, kills, repetition, garbage, loss.

Debezium itself is not here; the events are as its documentation has them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StreamConfig

from legacy_adapters.capture.debezium import DebeziumSource
from legacy_adapters.errors import SourceLost, SourceUnavailable, SourceUnfit
from legacy_adapters.mapping.marks import APPLIED
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Transaction
from loadtests.ports import free_port
from tests.support.mariadb import shared_mariadb
from tests.support.mariadb_shop import ITEM, shop_on
from tests.support.nats import nats_server

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]


class Bus:
    """A stream that Debezium would write."""

    def __init__(self, url: str, client: Client) -> None:
        self.url = url
        self.client = client
        self.js: JetStreamContext = client.jetstream()
        self.name = f"dbz_{uuid.uuid4().hex[:8]}"
        self.numbers = itertools.count(1)
        self.sources: list[DebeziumSource] = []

    def source(self, durable: str = "", **more: Any) -> DebeziumSource:
        durable = durable or f"{self.name}_b"
        self.sources.append(DebeziumSource(self.url, self.name, durable, (ITEM,), **more))
        return self.sources[-1]

    async def make(self, **more: Any) -> None:
        await self.js.add_stream(StreamConfig(self.name, subjects=[f"{self.name}.>"], **more))

    async def send(self, payload: Any, table: str = "item") -> int:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return (await self.js.publish(f"{self.name}.shop.{table}", data)).seq

    async def insert(self, *keys: int, transaction: int | None = None, table: str = "item") -> None:
        for key in keys:
            await self.send(created(key, transaction or next(self.numbers), table), table)


def created(key: int, transaction: int, table: str = "item") -> dict[str, Any]:
    source = {"db": "shop", "table": table, "txId": transaction, "lsn": 100 * transaction,
              "ts_ms": 1_700_000_000_000}  # fmt: skip
    after: dict[str, Any] = {"id": key, "name": f"item {key}"}
    if table == APPLIED.name:
        after = {"stream": "s", "domain": "d", "term": 1, "barrier": 0, "position": key}
    return {"before": None, "after": after, "source": source, "op": "c", "ts_ms": 1}


async def quiet(_problem: Exception) -> None:
    pass


@asynccontextmanager
async def bus_on(url: str) -> AsyncIterator[Bus]:
    client = await nats.connect(url, reconnect_time_wait=0, error_cb=quiet)
    bus = Bus(url, client)
    try:
        await bus.make()
        yield bus
    finally:
        for source in bus.sources:
            await source.close()
        await client.close()


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with bus_on(nats_url) as opened:
        yield opened


@pytest.fixture
async def source(bus: Bus) -> DebeziumSource:
    found = bus.source()
    await found.prepare()
    return found


async def read(
    source: DebeziumSource,
    after: Position | None = None,
    enough: Callable[[list[Transaction]], bool] | None = None,
) -> list[Transaction]:
    """Transactions up to the stream's end as it is now, or until there are enough."""
    end = await source.here()
    found: list[Transaction] = []
    async with asyncio.timeout(30), source.read(after) as batches:
        async for batch in batches:
            found += batch.transactions
            if enough(found) if enough else batch.read_to >= end:
                break
    return found


async def until_one_fails(*readers: AsyncIterator[Batch]) -> None:
    async with asyncio.timeout(20):
        while True:
            for one in readers:
                await anext(one)


def keys(found: list[Transaction]) -> list[list[str]]:
    return [[change.key for change in one.changes] for one in found]


async def test_events_arrive_as_transactions_in_their_order(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.insert(1, 2, transaction=7)
    await bus.insert(3)

    found = await read(source)

    assert keys(found) == [["1", "2"], ["3"]]
    assert [one.position for one in found] == [Position(2, "2"), Position(3, "3")]


async def test_reading_goes_on_behind_a_position_and_behind_the_bookmark(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.insert(1, 2, 3, 4)
    found = await read(source)

    again = await read(source, found[1].position)
    earlier = await read(source, found[0].position)
    bookmarked = await read(bus.source())

    assert keys(again) == [["3"], ["4"]]
    assert keys(earlier) == keys(bookmarked) == [["2"], ["3"], ["4"]]


async def test_what_was_confirmed_in_the_same_stay_is_not_asked_for_again(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.insert(1, 2, 3, 4)
    async with source.read(None) as batches:
        batch = await anext(batches)
        await source.confirm(batch.transactions[1].position)

    assert keys(await read(source)) == [["3"], ["4"]]


async def test_what_was_taken_and_not_confirmed_comes_again_in_order(
    bus: Bus, source: DebeziumSource
) -> None:
    # A plain consumer would hand out 5 and 6 first, and the others when its patience ends.
    await bus.insert(1, 2, 3, 4)
    await read(source)
    await bus.insert(5, 6)

    assert keys(await read(bus.source())) == [[str(one)] for one in range(1, 7)]


KILLED = """
import asyncio, sys
from legacy_adapters.capture.debezium import DebeziumSource
from tests.support.mariadb_shop import ITEM

async def main():
    source = DebeziumSource(sys.argv[1], sys.argv[2], sys.argv[3], (ITEM,))
    done = False
    async with source.read(None) as batches:
        async for batch in batches:
            if batch.transactions and not done:
                await source.confirm(batch.transactions[0].position)
                done = True
                print("confirmed", flush=True)

asyncio.run(main())
"""


async def test_a_reader_that_is_killed_between_taking_and_confirming_loses_nothing(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.insert(*range(1, 301))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, bus.url, bus.name, f"{bus.name}_b",
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 30)
    process.kill()
    await process.communicate()
    await bus.insert(301)

    found = [key for (key,) in keys(await read(source))]

    assert found == [str(one) for one in range(2, 302)]


async def test_old_events_that_debezium_repeats_come_again_before_the_newer_ones(
    bus: Bus, source: DebeziumSource
) -> None:
    for name in ("old", "new", "old", "new"):
        event = created(1, 7)
        event["after"]["name"] = name
        await bus.send(event)

    (only,) = await read(source)

    assert only.changes[-1].after == {"id": 1, "name": "new"}


async def test_garbage_is_counted_and_kept_and_the_rest_goes_on(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.insert(1)
    bad = await bus.send(b"\x00 no JSON")
    await bus.send({"op": "u", "source": {"table": "item"}, "after": {"name": "no key"}})
    await bus.insert(2)

    found = await read(source)
    again = await read(source)

    kept = await bus.js.get_msg(f"{bus.name}_b_aside", 1)
    info = await bus.js.stream_info(f"{bus.name}_b_aside")
    assert keys(found) == keys(again) == [["1"], ["2"]]
    assert source.garbage == {f"{bus.name}.shop.item": 4}
    assert info.state.messages == 2
    assert kept.data == b"\x00 no JSON"
    assert kept.headers is not None
    assert kept.headers["Banyan-Sequence"] == str(bad)
    assert "no JSON" in kept.headers["Banyan-Reason"]


async def test_tombstones_and_heartbeats_move_what_was_read(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.send(b"")
    await bus.send({"ts_ms": 1})

    async with source.read(None) as batches:
        batch = await anext(batches)

    assert batch.transactions == ()
    assert batch.read_to == Position(2, "2")


async def test_an_unfinished_transaction_waits_for_its_end(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.send({"status": "BEGIN", "id": "7", "ts_ms": 1})
    await bus.send(created(1, 7))
    async with source.read(None) as batches:
        first = await anext(batches)
        await bus.send(created(2, 7))
        await bus.send({"status": "END", "id": "7", "event_count": 2, "ts_ms": 1})
        second = await anext(batches)

    assert (first.transactions, first.read_to.order) == ((), 1)
    assert (keys(list(second.transactions)), second.read_to.order) == ([["1", "2"]], 4)


async def test_the_replicators_own_transaction_is_ours(bus: Bus, source: DebeziumSource) -> None:
    await bus.insert(1, transaction=7, table=APPLIED.name)
    await bus.insert(1, 2, transaction=7)
    await bus.insert(3, transaction=8)

    assert [one.is_ours for one in await read(source)] == [True, False]


async def test_ten_thousand_events_in_one_transaction_are_one(
    bus: Bus, source: DebeziumSource
) -> None:
    async with asyncio.TaskGroup() as group:
        for first in range(0, 10_000, 2_500):
            group.create_task(bus.insert(*range(first, first + 2_500), transaction=7))
    await bus.insert(1, transaction=8)

    found = await read(source)

    assert [len(one.changes) for one in found] == [10_000, 1]


async def test_messages_that_were_dropped_are_lost_and_retention_says_so(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.insert(1, 2, 3, 4)
    found = await read(source)
    await source.confirm(found[0].position)
    before = await source.retention()
    await bus.js.purge_stream(bus.name, seq=4)

    after = await source.retention()

    assert (before.state, after.state) == ("ok", "lost")
    assert before.behind_bytes > 300
    with pytest.raises(SourceLost, match="begins at 4"):
        await read(source, found[0].position)
    with pytest.raises(SourceLost):
        await read(source)


async def test_what_was_dropped_before_it_was_ever_read_is_lost(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.insert(1, 2, 3, 4)
    await bus.js.purge_stream(bus.name, seq=4)

    with pytest.raises(SourceLost):
        await read(bus.source())


async def test_one_message_that_is_missing_is_lost(bus: Bus, source: DebeziumSource) -> None:
    await bus.insert(1, 2, 3)
    await bus.js.delete_msg(bus.name, 2)

    with pytest.raises(SourceLost, match="2 to 2"):
        await read(source)


async def test_a_stream_that_was_made_anew_is_lost(bus: Bus, source: DebeziumSource) -> None:
    await bus.insert(1, 2, 3)
    await bus.js.delete_stream(bus.name)
    await bus.make()
    await bus.insert(4)

    with pytest.raises(SourceLost, match="anew"):
        await read(source, Position(3, "3"))


async def test_two_readers_of_one_bookmark_are_told_of_each_other(
    bus: Bus, source: DebeziumSource
) -> None:
    await bus.insert(*range(5))
    other = bus.source()
    async with source.read(None) as first:
        await anext(first)
        async with other.read(None) as second:
            await anext(second)
            await bus.insert(*range(5, 50))

            with pytest.raises(SourceUnavailable):
                await until_one_fails(first, second)


async def test_a_bookmark_that_is_taken_away_ends_its_reader(
    bus: Bus, source: DebeziumSource
) -> None:
    async with source.read(None) as batches:
        await anext(batches)
        await source.remove()

        with pytest.raises(SourceUnavailable):
            await until_one_fails(batches)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"retention": RetentionPolicy.INTEREST}, "retention limits"),
        ({"retention": RetentionPolicy.WORK_QUEUE}, "retention limits"),
        ({"max_msgs_per_subject": 1}, "max_msgs_per_subject"),
    ],
)
async def test_a_stream_that_forgets_is_refused(
    bus: Bus, config: dict[str, Any], told: str
) -> None:
    await bus.js.delete_stream(bus.name)
    await bus.make(**config)

    with pytest.raises(SourceUnfit, match=told):
        await bus.source().prepare()


async def test_a_stream_that_is_not_there_is_no_outage(bus: Bus) -> None:
    source = DebeziumSource(bus.url, "nowhere", "b", (ITEM,))

    with pytest.raises(SourceUnfit, match="nowhere"):
        await source.prepare()
    await source.close()


async def test_a_bus_that_is_not_there_is_worth_another_try() -> None:
    source = DebeziumSource(f"nats://127.0.0.1:{free_port()}", "s", "b", (ITEM,))

    with pytest.raises(SourceUnavailable):
        await source.here()


async def test_a_killed_bus_is_told_and_goes_on_where_it_was() -> None:
    with nats_server() as server:
        async with bus_on(server.url) as bus:
            source = bus.source()
            await source.prepare()
            await bus.insert(1)
            found = await read(source)
            async with source.read(found[-1].position) as batches:
                await anext(batches)
                server.kill()
                with pytest.raises(SourceUnavailable):
                    await until_one_fails(batches)
            server.start()
            while not bus.client.is_connected:
                await asyncio.sleep(0.05)
            await bus.insert(2)

            assert keys(await read(source, found[-1].position)) == [["2"]]


async def test_without_a_database_there_is_no_snapshot(source: DebeziumSource) -> None:
    with pytest.raises(SourceUnfit, match="database"):
        async with source.snapshot():
            pass


async def test_a_snapshot_of_the_database_has_its_place_between_events(
    bus: Bus, mariadb_port: int
) -> None:
    with shop_on(shared_mariadb()) as shop:
        shop.insert(1)
        inner = shop.source()
        source = bus.source(database=inner)
        await source.prepare()
        await bus.send(from_mariadb(1, await inner.here()))

        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read(source, enough=lambda found: len(found) == 3))
            opened = group.create_task(opened_snapshot(source))
            await asyncio.sleep(0.5)
            shop.insert(2)
            await bus.send(from_mariadb(2, await inner.here()))
            await bus.send(from_mariadb(3, Position(10**9, "")))
        low, high, rows = opened.result()

    assert low == Position(1, "1")
    assert high.order in {2, 3}
    assert rows == [{"id": 1, "name": "item 1"}]
    assert len(reading.result()) == 3


def from_mariadb(key: int, position: Position) -> dict[str, Any]:
    event = created(key, 1)
    event["source"] |= {"lsn": None, "txId": None, "gtid": f"0-1-{position.order}"}
    return event


async def opened_snapshot(source: DebeziumSource) -> tuple[Position, Position, list[Any]]:
    async with source.snapshot() as snapshot:
        return snapshot.low, snapshot.high, list(await snapshot.page(ITEM, None, 10))
