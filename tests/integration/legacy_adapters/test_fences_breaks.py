"""Fences under what databases, shops and operators do to them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from legacy_adapters.errors import SourceUnfit
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import NOBODY, Side
from legacy_adapters.ports.fences import FenceRow
from legacy_adapters.storage.fences_postgresql import _LOCKS, _limits
from legacy_adapters.storage.fences_rules import lock_key
from legacy_adapters.storage.opening import open_engine
from tests.support.databases import fresh_database
from tests.support.fenced_shop import DOMAINS, PAGE, SALE, Shop, fences_of
from tests.support.mariadb import mariadb_server

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

INSERT = "INSERT INTO shop_sale (note) VALUES ('bought')"


def made(url: str) -> Shop:
    shop = Shop(url)
    shop.make()
    return shop


@pytest.fixture
def sqlite(tmp_path: Path) -> Shop:
    path = tmp_path / "shop.sqlite3"
    path.touch()
    return made(f"sqlite:///{path}")


@pytest.fixture
def postgresql(postgres_port: int) -> Iterator[Shop]:
    with fresh_database(postgres_port) as url:
        yield made(url)


@pytest.fixture
def mariadb(mariadb_url: str) -> Shop:
    return made(mariadb_url)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def shop(request: pytest.FixtureRequest) -> Shop:
    found: Shop = request.getfixturevalue(request.param)
    return found


async def test_a_close_that_is_called_off_leaves_writers_free_and_the_next_one_able(
    shop: Shop,
) -> None:
    async with fences_of(shop) as fences, fences_of(shop) as others:
        await fences.install(DOMAINS, Side.LEGACY)
        with shop.open_write() as writer:
            closing = asyncio.ensure_future(fences.close_gate("orders", term=1, wait_s=1))
            await asyncio.sleep(0.3)
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
            await asyncio.sleep(1)
            writer.exec_driver_sql(INSERT)
            writer.commit()
        await asyncio.to_thread(shop.run, INSERT)

        closed = await others.close_gate("orders", term=1, wait_s=5)

    assert closed.row == FenceRow("orders", NOBODY, 2)
    assert shop.rows(SALE) == 4


async def test_a_writer_that_dies_in_its_transaction_does_not_keep_the_gate_open(
    shop: Shop,
) -> None:
    async with fences_of(shop) as fences:
        await fences.install(DOMAINS, Side.LEGACY)
        with shop.open_write() as writer:
            closing = asyncio.ensure_future(fences.close_gate("orders", term=1, wait_s=20))
            await asyncio.sleep(0.3)
            writer.invalidate()  # the connection is cut, nothing is said to the server
            closed = await closing

    assert closed.changed
    assert shop.rows(SALE) == 1


async def test_fences_of_many_tables_with_long_names_are_made_and_taken_away(shop: Shop) -> None:
    count = 20 if shop.dialect == "mysql" else 100  # three files each are written there
    tables = [Table(f"t_{number}_{'x' * 50}", ("id",), {}) for number in range(count)]
    shop.run(*(f"CREATE TABLE {one.name} (id INTEGER PRIMARY KEY)" for one in tables))
    async with fences_of(shop) as fences:
        await fences.install({"orders": tables}, Side.CORE)
        await fences.install({"orders": tables}, Side.CORE)

        with pytest.raises(DBAPIError, match="MIG_FENCED"):
            shop.run(f"INSERT INTO {tables[-1].name} VALUES (1)")  # noqa: S608 - names of our own
        await fences.remove()

    shop.run(f"INSERT INTO {tables[-1].name} VALUES (1)")  # noqa: S608 - names of our own


async def test_fences_are_installed_among_writers_who_notice_nothing(shop: Shop) -> None:
    over, errors, count = threading.Event(), list[str](), list[int]()

    def write() -> None:
        while not over.is_set():
            try:
                shop.run(INSERT, "UPDATE shop_page SET note = 'seen'")
                count.append(1)
            except DBAPIError as exc:
                errors.append(str(exc.orig))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for one in threads:
        one.start()
    try:
        async with fences_of(shop) as fences:
            await asyncio.wait_for(fences.install(DOMAINS, Side.LEGACY), 60)
            gaps = await fences.gaps(list(DOMAINS))
    finally:
        over.set()
        for one in threads:
            one.join()

    assert gaps == []
    assert errors == []
    assert count


async def test_a_shops_own_triggers_stay_and_fire(shop: Shop) -> None:
    shop.run("CREATE TABLE own (note VARCHAR(9))")
    body = "INSERT INTO own VALUES ('fired')"
    if shop.dialect == "postgresql":
        shop.run(
            f"CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {body}; RETURN NEW; END $$",
            "CREATE TRIGGER own BEFORE INSERT ON shop_sale FOR EACH ROW EXECUTE FUNCTION own()",
        )
    else:
        shop.run(f"CREATE TRIGGER own BEFORE INSERT ON shop_sale FOR EACH ROW BEGIN {body}; END")
    async with fences_of(shop) as fences:
        await fences.install(DOMAINS, Side.LEGACY)
        shop.run(INSERT)
        await fences.remove()
    shop.run(INSERT)

    assert shop.number("SELECT count(*) FROM own") == 2


async def test_asking_to_ignore_errors_does_not_get_a_write_past_the_fence(shop: Shop) -> None:
    ignoring = {
        "sqlite": "INSERT OR IGNORE INTO shop_sale (note) VALUES ('x')",
        "postgresql": "INSERT INTO shop_sale (note) VALUES ('x') ON CONFLICT DO NOTHING",
        "mysql": "INSERT IGNORE INTO shop_sale (note) VALUES ('x')",
    }[shop.dialect]
    async with fences_of(shop) as fences:
        await fences.install(DOMAINS, Side.CORE)

        with pytest.raises(DBAPIError, match="MIG_FENCED"):
            shop.run(ignoring)

    assert shop.rows(SALE) == 1


async def test_a_closer_of_postgresql_that_stops_before_it_commits_takes_the_fence_back(
    postgresql: Shop,
) -> None:
    engine = open_engine(postgresql.url)
    async with fences_of(postgresql) as fences, engine.connect() as stopped:
        await fences.install(DOMAINS, Side.LEGACY)
        await _limits(stopped, 2)
        key = sa.func.pg_advisory_xact_lock(_LOCKS, lock_key("orders"))
        await stopped.execute(sa.select(key))
        await stopped.exec_driver_sql("UPDATE mig_fence SET owner = 'none' WHERE domain = 'orders'")

        # It never commits, and its connection stays: a writer still gets through.
        await asyncio.wait_for(asyncio.to_thread(postgresql.run, INSERT), 30)
        row = (await fences.rows())["orders"]
        await stopped.invalidate()
    await engine.dispose()

    assert row == FenceRow("orders", "legacy", 1)
    assert postgresql.rows(SALE) == 2


async def test_emptying_a_fenced_table_of_postgresql_is_refused(postgresql: Shop) -> None:
    async with fences_of(postgresql) as fences:
        await fences.install(DOMAINS, Side.CORE)

        with pytest.raises(DBAPIError, match="MIG_FENCED"):
            postgresql.run("TRUNCATE shop_sale")


async def test_who_plays_a_replica_of_postgresql_is_fenced_too(postgresql: Shop) -> None:
    async with fences_of(postgresql) as fences:
        await fences.install(DOMAINS, Side.CORE)

        with pytest.raises(DBAPIError, match="MIG_FENCED"):
            postgresql.run("SET session_replication_role = replica", INSERT)


async def test_a_snapshot_of_postgresql_from_before_the_fence_cannot_write_behind_it(
    postgresql: Shop,
) -> None:
    async with fences_of(postgresql) as fences:
        await fences.install(DOMAINS, Side.LEGACY)
        with postgresql.engine.connect().execution_options(
            isolation_level="REPEATABLE READ"
        ) as old:
            old.exec_driver_sql("SELECT 1 FROM shop_sale")
            await fences.close_gate("orders", term=1, wait_s=5)

            with pytest.raises(DBAPIError, match="could not serialize"):
                old.exec_driver_sql(INSERT)

    assert postgresql.rows(SALE) == 1


async def test_a_part_of_a_table_of_postgresql_is_fenced_with_the_whole(postgresql: Shop) -> None:
    postgresql.run(
        "CREATE TABLE whole (id integer) PARTITION BY RANGE (id)",
        "CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (9)",
    )
    async with fences_of(postgresql) as fences:
        await fences.install({"orders": (Table("whole", ("id",), {}),)}, Side.CORE)

        for name in ("whole", "part"):
            with pytest.raises(DBAPIError, match="MIG_FENCED"):
                postgresql.run(f"INSERT INTO {name} VALUES (1)")  # noqa: S608 - names of our own


@pytest.mark.parametrize("rule", ["ON DELETE CASCADE", "ON DELETE SET NULL", "ON UPDATE CASCADE"])
async def test_a_key_of_mariadb_that_cascades_past_the_fence_is_refused(
    mariadb: Shop, rule: str
) -> None:
    mariadb.run(
        "CREATE TABLE child (id INTEGER PRIMARY KEY, page INTEGER,"
        f" CONSTRAINT past FOREIGN KEY (page) REFERENCES shop_page (id) {rule})"
    )
    child = Table("child", ("id",), {})
    async with fences_of(mariadb) as fences:
        with pytest.raises(SourceUnfit, match="past: a write to shop_page"):
            await fences.install({"orders": (SALE, child), "catalog": (PAGE,)}, Side.LEGACY)
        await fences.install({"catalog": (PAGE, child)}, Side.LEGACY)


async def test_a_table_without_transactions_is_refused(mariadb: Shop) -> None:
    mariadb.run("CREATE TABLE old (id INTEGER PRIMARY KEY) ENGINE=MyISAM")
    async with fences_of(mariadb) as fences:
        with pytest.raises(SourceUnfit, match="old has the engine MyISAM"):
            await fences.install({"orders": (Table("old", ("id",), {}),)}, Side.LEGACY)


async def test_cascades_of_sqlite_and_postgresql_stop_at_the_fence(
    sqlite: Shop, postgresql: Shop
) -> None:
    for shop in (sqlite, postgresql):
        shop.run(
            "CREATE TABLE child (id INTEGER PRIMARY KEY,"
            " page INTEGER REFERENCES shop_page (id) ON DELETE CASCADE)",
            "INSERT INTO child VALUES (1, 1)",
        )
        async with fences_of(shop) as fences:
            await fences.install({"orders": (Table("child", ("id",), {}),)}, Side.CORE)

            keys = ["PRAGMA foreign_keys = ON"] if shop is sqlite else []
            with pytest.raises(DBAPIError, match="MIG_FENCED"):
                shop.run(*keys, "DELETE FROM shop_page")

        assert shop.number("SELECT count(*) FROM child") == 1


async def test_a_closed_gate_outlives_the_death_of_its_server() -> None:
    with mariadb_server() as server:
        server.run("CREATE DATABASE shop")
        shop = made(server.url("shop"))
        async with fences_of(shop) as fences:
            await fences.install(DOMAINS, Side.LEGACY)
            await fences.close_gate("orders", term=1, wait_s=5)
        server.kill()
        server.start()

        async with fences_of(shop) as fences:
            assert (await fences.rows())["orders"] == FenceRow("orders", NOBODY, 2)
            with pytest.raises(DBAPIError, match="MIG_FENCED"):
                shop.run(INSERT)
