from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from legacy_adapters.mapping.preflight import ForeignKey
from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.storage.probes import SqlProbe
from tests.support.mariadb import MariaDb, mariadb_server
from tests.support.postgres import embedded_postgres

pytestmark = pytest.mark.integration

SHOP = Table(
    "shop_order",
    ("id",),
    {
        "id": Column(ColumnKind.INTEGER),
        "email": Column(ColumnKind.TEXT),
        "placed": Column(ColumnKind.MOMENT),
    },
)


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    with sqlite3.connect(tmp_path / "shop.sqlite3") as file:
        file.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE shop_user (id INTEGER PRIMARY KEY);
            CREATE TABLE shop_order (
              id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE UNIQUE, placed TEXT,
              double_id INTEGER GENERATED ALWAYS AS (id * 2),
              user_id INTEGER REFERENCES shop_user (id) ON DELETE CASCADE);
            CREATE TABLE "order" (line TEXT);
            CREATE TABLE mig_stage (id INTEGER);
            CREATE TRIGGER audit AFTER INSERT ON shop_order BEGIN SELECT 1; END;
            CREATE TRIGGER mig_fence_1 AFTER INSERT ON shop_order BEGIN SELECT 1; END;
            INSERT INTO shop_order (id, email, placed)
              VALUES (1, 'a', '2026-01-01 10:00:00.123'), (2, x'ff', '0000-00-00'), (3, NULL, NULL);
            """
        )
    file.close()
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.sqlite3'}")
    yield engine
    await engine.dispose()


async def test_a_sqlite_shop_is_told_as_it_is(sqlite: AsyncEngine) -> None:
    probed = await SqlProbe(sqlite).look([SHOP])

    tables = {table.name: table for table in probed.tables}
    order = tables["shop_order"]
    assert sorted(tables) == ["order", "shop_order", "shop_user"]
    assert order.columns == ("id", "email", "placed", "double_id", "user_id")
    assert (order.key, order.generated, order.rows) == (("id",), ("double_id",), 3)
    assert (order.zero_dates, order.broken_text) == ({"placed": 1}, {"email": 1})
    assert order.triggers == ("audit",)
    assert len(order.unsafe_unique) == 1
    assert tables["order"].key == ()
    assert probed.foreign_keys == (
        ForeignKey("shop_order", "user_id", "shop_user", "CASCADE", "NO ACTION"),
    )
    assert probed.log.settings == {"journal_mode": "wal"}


async def test_a_look_that_does_not_read_rows_says_nothing_of_them(sqlite: AsyncEngine) -> None:
    probed = await SqlProbe(sqlite).look([])

    assert [table.zero_dates for table in probed.tables] == [{}, {}, {}]


@pytest.fixture(scope="module")
def postgres_port() -> Iterator[int]:
    with embedded_postgres() as port:
        yield port


@pytest.fixture
async def postgres(postgres_port: int) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(
        f"postgresql+asyncpg://postgres@127.0.0.1:{postgres_port}/postgres"
    )
    yield engine
    await engine.dispose()


_POSTGRES = (
    "DROP TABLE IF EXISTS shop_order, shop_user, mig_stage, bare CASCADE",
    "CREATE TABLE shop_user (id int PRIMARY KEY)",
    (
        "CREATE TABLE shop_order (tenant int, id int, email text, placed timestamptz, "
        "twice int GENERATED ALWAYS AS (id * 2) STORED, "
        "user_id int REFERENCES shop_user ON DELETE SET NULL ON UPDATE CASCADE, "
        "PRIMARY KEY (id, tenant))"
    ),
    "CREATE TABLE bare (line text)",
    "ALTER TABLE bare REPLICA IDENTITY NOTHING",
    "CREATE TABLE mig_stage (id int)",
    (
        "CREATE OR REPLACE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
        "AS 'BEGIN RETURN NULL; END'"
    ),
    "CREATE TRIGGER audit AFTER INSERT ON shop_order EXECUTE FUNCTION nothing()",
    "CREATE TRIGGER mig_fence AFTER INSERT ON shop_order EXECUTE FUNCTION nothing()",
)


async def test_a_postgresql_shop_is_told_as_it_is(postgres: AsyncEngine) -> None:
    async with postgres.begin() as connection:
        for statement in _POSTGRES:
            await connection.execute(sa.text(statement))

    probed = await SqlProbe(postgres).look([SHOP])

    tables = {table.name: table for table in probed.tables}
    order = tables["shop_order"]
    assert sorted(tables) == ["bare", "shop_order", "shop_user"]
    assert order.key == ("id", "tenant")
    assert order.generated == ("twice",)
    assert order.triggers == ("audit",)
    assert tables["bare"].replica_identity == "n"
    assert probed.foreign_keys == (
        ForeignKey("shop_order", "user_id", "shop_user", "SET NULL", "CASCADE"),
    )
    assert probed.log.settings["wal_level"] == "logical"
    assert probed.log.may_read
    assert probed.events == ("routine nothing",)


async def test_an_open_transaction_is_told_with_its_age(postgres: AsyncEngine) -> None:
    async with postgres.connect() as holder:
        await holder.execute(sa.text("SELECT 1"))

        probed = await SqlProbe(postgres).look([])

    assert probed.log.longest_s is not None
    assert probed.log.longest_s > 0


_MARIADB = (
    "DROP DATABASE IF EXISTS shop",
    "CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "USE shop",
    "CREATE TABLE shop_user (id INT PRIMARY KEY, email VARCHAR(50) UNIQUE)",
    (
        "CREATE TABLE shop_order (id INT, tenant INT, email VARCHAR(50) CHARACTER SET latin1, "
        "placed DATETIME NULL, twice INT GENERATED ALWAYS AS (id * 2) STORED, user_id INT, "
        "PRIMARY KEY (tenant, id), "
        "FOREIGN KEY (user_id) REFERENCES shop_user (id) ON DELETE SET NULL)"
    ),
    "CREATE TABLE old_log (line TEXT) ENGINE = MyISAM",
    "CREATE TABLE mig_stage (id INT)",
    "CREATE TRIGGER audit AFTER INSERT ON shop_order FOR EACH ROW SET @seen = 1",
    "CREATE TRIGGER mig_fence BEFORE INSERT ON shop_order FOR EACH ROW SET @seen = 1",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM old_log",
    "SET sql_mode = ''",
    (
        "INSERT INTO shop_order (id, tenant, email, placed) VALUES (1, 1, 'a', '0000-00-00'), "
        "(2, 1, 'caf\u00e9', NOW()), "
        "(3, 1, CONVERT(CAST('caf\u00e9' AS BINARY) USING latin1), NULL)"
    ),
)


@pytest.fixture(scope="module")
def maria() -> Iterator[MariaDb]:
    with mariadb_server() as server:
        yield server


async def test_a_mariadb_shop_is_told_as_it_is(maria: MariaDb) -> None:
    maria.run(*_MARIADB)
    engine = create_async_engine(maria.url("shop", driver="+aiomysql"))

    probed = await SqlProbe(engine).look([SHOP])
    await engine.dispose()

    tables = {table.name: table for table in probed.tables}
    order = tables["shop_order"]
    assert sorted(tables) == ["old_log", "shop_order", "shop_user"]
    assert sorted(order.key) == ["id", "tenant"]
    assert order.generated == ("twice",)
    assert order.triggers == ("audit",)
    assert (order.zero_dates, order.broken_text) == ({"placed": 1}, {"email": 1})
    assert (tables["old_log"].engine, tables["old_log"].is_transactional) == ("MyISAM", False)
    assert tables["shop_user"].unsafe_unique == ("email",)
    assert probed.foreign_keys == (
        ForeignKey("shop_order", "user_id", "shop_user", "SET NULL", "RESTRICT"),
    )
    assert probed.events == ("event nightly",)
    assert probed.log.settings["binlog_format"] == "row"
    assert probed.log.may_read
    assert probed.cluster == ""


async def test_an_account_without_rights_to_the_binlog_is_told(maria: MariaDb) -> None:
    maria.run(
        "CREATE DATABASE IF NOT EXISTS plain",
        "CREATE OR REPLACE USER reader@'127.0.0.1'",
        "GRANT SELECT ON plain.* TO reader@'127.0.0.1'",
    )
    engine = create_async_engine(maria.url("plain", user="reader", driver="+aiomysql"))

    probed = await SqlProbe(engine).look([])
    await engine.dispose()

    assert not probed.log.may_read
    assert probed.log.longest_s is None
