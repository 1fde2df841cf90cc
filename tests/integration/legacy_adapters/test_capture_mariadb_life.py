"""Readers of a MariaDB's log and the server they hang on: ends, cuts, rights, load, snapshots."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from legacy_adapters.capture import mariadb_handover, mariadb_log
from legacy_adapters.capture.mariadb import MariaDbSource
from legacy_adapters.errors import SourceLost, SourceUnavailable, SourceUnfit
from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.mapping.versions import Position
from loadtests.ports import free_port
from tests.support.mariadb import MariaDb, mariadb_server, shared_mariadb
from tests.support.mariadb_shop import (
    ITEM,
    Shop,
    after_rows,
    read_to,
    read_until,
    shop_on,
)

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("mariadb_port")]

MANY = "INSERT INTO item SELECT seq, CONCAT('item ', seq) FROM seq_1_to_{}"


@pytest.fixture
def shop(mariadb_port: int) -> Iterator[Shop]:
    with shop_on(shared_mariadb()) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(mariadb_port: int) -> Iterator[MariaDb]:
    """A server that tests may stop."""
    with mariadb_server() as opened:
        yield opened


def readers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("binlog-")]


async def test_a_reader_that_waits_ends_at_once_and_leaves_no_thread(shop: Shop) -> None:
    async with shop.source().read(None) as batches:
        await anext(batches)

        assert len(readers()) == 1
    assert readers() == []


async def test_a_reader_whose_task_is_cancelled_leaves_no_thread(shop: Shop) -> None:
    task = asyncio.ensure_future(read_to(shop.source(), Position(2**60), None))
    await asyncio.sleep(0.2)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert readers() == []


async def test_a_reader_that_nobody_takes_from_waits_and_can_still_be_ended(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mariadb_handover, "WAITING_ROWS", 10)
    source = shop.source()
    start = await source.here()
    await asyncio.to_thread(shop.insert, *range(200))

    async with source.read(start) as batches:
        first = await anext(batches)
        await asyncio.sleep(0.3)
        second = await anext(batches)

        assert len(first.transactions) < 20
        assert len(second.transactions) < 20
        assert first.read_to < second.read_to
    assert readers() == []


async def test_a_transaction_of_many_rows_arrives_whole(server: MariaDb) -> None:
    # On a server of its own: other tests read the shared one's log from its beginning.
    with shop_on(server) as shop:
        source = shop.source()
        start = await source.here()
        shop.run(MANY.format(100_000), "UPDATE item SET name = 'x'", "DELETE FROM item")

        found = await read_to(source, await source.here(), start)

    assert [len(one.changes) for one in found] == [100_000] * 3
    assert found[0].changes[-1].after == {"id": 100_000, "name": "item 100000"}


async def test_a_reader_may_begin_as_soon_as_the_one_before_has_ended(shop: Shop) -> None:
    source = shop.source()
    for _ in range(5):
        async with source.read(None) as batches:
            await anext(batches)
            with pytest.raises(SourceUnavailable, match="another reader"):
                async with shop.source().read(None):
                    pass


async def _until_it_fails(batches: object) -> None:
    async for _ in batches:  # type: ignore[attr-defined]
        pass


async def test_readers_of_two_names_read_side_by_side(shop: Shop) -> None:
    one, two = shop.source(name="one"), shop.source(name="two")
    start = await one.here()

    async with one.read(start) as first, two.read(start) as second:
        shop.insert(1)
        got = [await _first_of(batches) for batches in (first, second)]

    assert got == [["1"], ["1"]]


async def _first_of(batches: object) -> list[str]:
    async for batch in batches:  # type: ignore[attr-defined]
        if batch.transactions:
            return [change.key for one in batch.transactions for change in one.changes]
    raise AssertionError("a log without end has ended")


async def test_a_killed_server_is_told_and_goes_on_where_it_was(server: MariaDb) -> None:
    with shop_on(server) as shop:
        source = shop.source()
        start = await source.here()
        shop.insert(1)
        first = await read_until(source, bool, start)
        shop.insert(2)
        async with source.read(first[-1].position) as batches:
            await anext(batches)
            server.kill()
            with pytest.raises(SourceUnavailable):
                await asyncio.wait_for(_until_it_fails(batches), 10)
        with pytest.raises(SourceUnavailable):
            await source.here()
        server.start()

        found = await read_to(source, await source.here(), first[-1].position)

    assert after_rows(found) == [{"id": 2, "name": "item 2"}]


async def test_a_server_that_has_fallen_silent_is_told(
    server: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mariadb_log, "_SILENT_S", 3)
    assert server.process is not None
    with shop_on(server) as shop:
        async with shop.source().read(None) as batches:
            await anext(batches)
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                with pytest.raises(SourceUnavailable):
                    await asyncio.wait_for(_until_it_fails(batches), 20)
            finally:
                os.kill(server.process.pid, signal.SIGCONT)


async def test_nobody_there_is_worth_another_try() -> None:
    source = MariaDbSource(f"mysql://root@127.0.0.1:{free_port()}/shop", (ITEM,), "x")

    for ask in (source.here, source.prepare, source.retention):
        with pytest.raises(SourceUnavailable):
            await ask()
    with pytest.raises(SourceUnavailable):
        await read_to(source, Position(1), Position(0))


@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        ("SELECT ON {0}.*", "BINLOG MONITOR|SUPER"),
        ("BINLOG MONITOR ON *.*", "REPLICATION SLAVE"),
        ("REPLICATION SLAVE ON *.*", "BINLOG MONITOR|SUPER"),
    ],
)
async def test_a_right_that_is_missing_is_named(shop: Shop, rights: str, missing: str) -> None:
    shop.run("CREATE OR REPLACE USER poor", f"GRANT {rights.format(shop.database)} TO poor")
    shop.run(f"GRANT SELECT ON {shop.database}.* TO poor")
    url = shop.server.url(shop.database, user="poor")

    with pytest.raises(SourceUnfit, match=missing):
        await MariaDbSource(url, (ITEM,), "x").prepare()


async def test_three_rights_are_enough(shop: Shop) -> None:
    shop.run(
        "CREATE OR REPLACE USER able IDENTIFIED BY 'p@ss/w:rd'",
        "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO able",
        f"GRANT SELECT ON {shop.database}.* TO able",
    )
    url = shop.server.url(shop.database, user="able:p%40ss%2Fw%3Ard")
    source = MariaDbSource(url, (ITEM,), "x")
    await source.prepare()
    shop.insert(1)

    found = await read_to(source, await source.here(), None)
    async with source.snapshot() as snapshot:
        rows = await snapshot.page(ITEM, None, 5)

    assert after_rows(found) == list(rows) == [{"id": 1, "name": "item 1"}]
    assert (await source.retention()).state == "ok"


@pytest.mark.parametrize("place", ["nobody:no@", "root@"])
async def test_a_wrong_password_or_database_is_no_outage(shop: Shop, place: str) -> None:
    url = f"mysql://{place}127.0.0.1:{shop.server.port}/nowhere"

    with pytest.raises(SourceUnfit):
        await MariaDbSource(url, (ITEM,), "x").here()


async def test_a_server_without_a_log_is_told_what_it_lacks(mariadb_port: int) -> None:
    with mariadb_server("--skip-log-bin") as server, shop_on(server) as shop:
        source = shop.source()

        with pytest.raises(SourceUnfit, match="log_bin"):
            await source.prepare()


async def test_a_database_that_the_log_leaves_out_is_told(mariadb_port: int) -> None:
    with mariadb_server("--binlog-ignore-db=shop") as server:
        server.run("CREATE DATABASE shop")

        with pytest.raises(SourceUnfit, match="binlog_ignore_db"):
            await MariaDbSource(server.url("shop"), (ITEM,), "x").prepare()


async def test_a_purged_place_is_lost_and_retention_says_so_before(shop: Shop) -> None:
    source = shop.source()
    await source.prepare()
    start = await source.here()
    await source.confirm(start)
    shop.insert(*range(50))
    fresh = await source.retention()
    shop.purge()

    gone = await source.retention()

    assert (fresh.state, gone.state) == ("ok", "lost")
    assert fresh.behind_bytes > 50 * 30
    with pytest.raises(SourceLost):
        await read_to(source, Position(2**60), start)


async def test_what_was_read_and_confirmed_is_not_behind(shop: Shop) -> None:
    source = shop.source()
    await source.prepare()
    shop.insert(*range(50))
    found = await read_to(source, await source.here(), None)
    before = await source.retention()

    await source.confirm(found[-1].position)
    after = await source.retention()

    assert before.behind_bytes > 50 * 30
    assert after.behind_bytes < 200


async def test_a_snapshot_and_the_log_behind_it_make_the_whole(shop: Shop) -> None:
    # Writers go on while snapshots open: each row is in exactly one of the two.
    source = shop.source()
    start = await source.here()
    writing = threading.Event()

    def write(first: int) -> None:
        for number in range(first, 10**9):
            if writing.is_set():
                return
            shop.insert(number)

    writers = [threading.Thread(target=write, args=(10**6 * one,)) for one in range(1, 5)]
    for one in writers:
        one.start()
    try:
        for _ in range(10):
            await asyncio.sleep(0.03)
            async with source.snapshot() as snapshot:
                shot = {row["id"] for row in await snapshot.page(ITEM, None, 100_000)}
                end = await source.here()
            logged = await read_to(source, end, snapshot.high)
            behind = {row["id"] for row in after_rows(logged) if row}

            assert snapshot.low == snapshot.high
            assert not shot & behind
            whole = await read_to(source, end, start)
            assert {row["id"] for row in after_rows(whole) if row} == shot | behind
    finally:
        writing.set()
        for one in writers:
            one.join()


async def test_what_is_settled_is_seen_by_new_sessions(shop: Shop) -> None:
    source = shop.source()
    start = await source.here()
    shop.insert(1, 2)
    found = await read_to(source, await source.here(), start)

    await asyncio.wait_for(source.settled([one.name for one in found]), 10)

    assert shop.run("SELECT COUNT(*) FROM item") == [(2,)]


async def test_keys_of_two_columns_are_walked_in_their_order(shop: Shop) -> None:
    part = Table(
        "part",
        ("item", "code"),
        {"item": Column(ColumnKind.INTEGER), "code": Column(ColumnKind.TEXT)},
    )
    shop.run("CREATE TABLE part (item INT, code VARCHAR(20), PRIMARY KEY (item, code))")
    shop.run("INSERT INTO part SELECT seq DIV 10, CONCAT('a|', seq MOD 10) FROM seq_1_to_999")

    async with shop.source(part).snapshot() as snapshot:
        cuts = [None, *await snapshot.splits(part, 4), None]
        pages = [
            await snapshot.page(part, low, 1000, to=high) for low, high in itertools.pairwise(cuts)
        ]

    walked = [(row["item"], row["code"]) for page in pages for row in page]
    assert walked == [(seq // 10, f"a|{seq % 10}") for seq in range(1, 1000)]
    assert [len(page) for page in pages] == [249, 249, 249, 252]


async def test_uuids_are_found_by_their_text_however_they_are_kept(shop: Shop) -> None:
    table = Table(
        "thing", ("id",), {"id": Column(ColumnKind.UUID), "n": Column(ColumnKind.INTEGER)}
    )
    ids = [f"0000000{one}-0000-4000-8000-000000000000" for one in range(1, 4)]
    for kind, value in (("UUID", "'{}'"), ("CHAR(32)", "REPLACE('{}', '-', '')"),
                        ("BINARY(16)", "UNHEX(REPLACE('{}', '-', ''))")):  # fmt: skip
        shop.run(f"CREATE OR REPLACE TABLE thing (id {kind} PRIMARY KEY, n INT)")
        shop.run(*(f"INSERT INTO thing VALUES ({value.format(one)}, 1)" for one in ids))  # noqa: S608

        async with shop.source(table).snapshot() as snapshot:
            behind = await snapshot.page(table, ids[0], 10, to=ids[1])
            some = await snapshot.some(table, "id", [ids[2], ids[0]])

        assert [row["id"] for row in behind] == [ids[1]]
        assert [row["id"] for row in some] == [ids[0], ids[2]]


async def test_without_a_preparation_the_oldest_kept_log_is_read(server: MariaDb) -> None:
    with shop_on(server) as shop:
        shop.purge()
        shop.insert(1)

        found = await read_to(shop.source(), await shop.source().here(), None)

    assert after_rows(found) == [{"id": 1, "name": "item 1"}]
