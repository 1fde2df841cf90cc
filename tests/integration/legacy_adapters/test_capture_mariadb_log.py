"""What a MariaDB's log tells beside plain changes of rows, and what makes it unreadable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from legacy_adapters.capture.mariadb_values import NOT_LOGGED
from legacy_adapters.errors import SourceLost, SourceUnfit
from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Transaction
from tests.support.mariadb import MariaDb, mariadb_server
from tests.support.mariadb_shop import ITEM, Shop, after_rows, read_to, shop_on

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("mariadb_port")]

RESET = (
    "SET GLOBAL binlog_row_metadata = FULL",
    "SET GLOBAL binlog_row_image = FULL",
    "SET GLOBAL binlog_format = ROW",
    "SET GLOBAL log_bin_compress = OFF",
    "RESET MASTER",
)


@pytest.fixture(scope="module")
def server(mariadb_port: int) -> Iterator[MariaDb]:
    """A server whose settings tests may spoil."""
    with mariadb_server() as opened:
        yield opened


@pytest.fixture
def shop(server: MariaDb) -> Iterator[Shop]:
    server.run(*RESET)
    with shop_on(server) as opened:
        yield opened


async def told(shop: Shop, *statements: str, tables: tuple[Table, ...] = ()) -> list[Transaction]:
    """What the log tells of statements of one session."""
    source = shop.source(*tables)
    start = await source.here()
    shop.run(*statements)
    return await read_to(source, await source.here(), start)


async def test_what_was_rolled_back_to_a_savepoint_never_happened(shop: Shop) -> None:
    (only,) = await told(
        shop,
        "BEGIN",
        "INSERT INTO item VALUES (1, 'kept')",
        "SAVEPOINT s",
        "INSERT INTO item VALUES (2, 'undone')",
        "ROLLBACK TO s",
        "INSERT INTO item VALUES (3, 'kept')",
        "COMMIT",
    )

    assert [change.key for change in only.changes] == ["1", "3"]


async def test_a_rollback_beside_a_table_without_transactions_takes_our_rows_back(
    shop: Shop,
) -> None:
    found = await told(
        shop,
        "CREATE TABLE log (id INT PRIMARY KEY) ENGINE = MyISAM",
        "BEGIN",
        "INSERT INTO item VALUES (1, 'undone')",
        "INSERT INTO log VALUES (1)",
        "ROLLBACK",
    )

    assert found == []


async def test_rows_of_a_table_without_transactions_arrive(shop: Shop) -> None:
    found = await told(shop, "ALTER TABLE item ENGINE = MyISAM", "INSERT INTO item VALUES (1, 'a')")

    assert after_rows(found) == [{"id": 1, "name": "a"}]


async def test_an_emptied_table_is_told(shop: Shop) -> None:
    (only,) = await told(shop, "TRUNCATE TABLE item")

    assert (only.truncated, only.altered, only.changes) == (("item",), (), ())


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE item ADD COLUMN colour TEXT",
        "RENAME TABLE item TO thing",
        "DROP TABLE item",
        "CREATE OR REPLACE TABLE item (id INT PRIMARY KEY)",
    ],
)
async def test_a_changed_definition_is_told(shop: Shop, statement: str) -> None:
    (only,) = await told(shop, statement)

    assert only.altered == ("item",)


async def test_a_column_that_nobody_knows_is_left_out(shop: Shop) -> None:
    found = await told(
        shop,
        "ALTER TABLE item ADD COLUMN colour TEXT FIRST",
        "INSERT INTO item VALUES ('r', 1, 'a')",
    )

    assert after_rows(found) == [{"id": 1, "name": "a"}]


async def test_a_column_that_is_gone_is_broken(shop: Shop) -> None:
    found = await told(shop, "ALTER TABLE item DROP COLUMN name", "INSERT INTO item VALUES (1)")

    assert after_rows(found) == [{"id": 1, "name": NOT_LOGGED}]


async def test_a_table_of_the_same_name_in_another_database_is_another(shop: Shop) -> None:
    with shop_on(shop.server) as other:
        source = shop.source()
        start = await source.here()
        other.insert(1)
        shop.insert(2)

        found = await read_to(source, await source.here(), start)

    assert after_rows(found) == [{"id": 2, "name": "item 2"}]


async def test_of_a_row_logged_in_part_the_rest_is_as_it_was(shop: Shop) -> None:
    wide = Table("item", ("id",), {**ITEM.columns, "units": Column(ColumnKind.INTEGER)})
    found = await told(
        shop,
        "ALTER TABLE item ADD COLUMN units INT",
        "INSERT INTO item VALUES (1, 'a', 5)",
        "SET SESSION binlog_row_image = NOBLOB",
        "ALTER TABLE item MODIFY name TEXT",
        "UPDATE item SET units = 6",
        "SET SESSION binlog_row_image = MINIMAL",
        "UPDATE item SET units = 7",
        tables=(wide,),
    )

    assert after_rows(found) == [
        {"id": 1, "name": "a", "units": 5},
        {"id": 1, "name": NOT_LOGGED, "units": 6},
        {"id": 1, "name": NOT_LOGGED, "units": 7},
    ]


async def test_a_statement_in_place_of_rows_stops_the_reader(shop: Shop) -> None:
    with pytest.raises(SourceUnfit, match=r"item.*binlog_format = ROW"):
        await told(
            shop, "SET SESSION binlog_format = STATEMENT", "INSERT INTO item VALUES (1, 'a')"
        )


async def test_a_statement_on_a_table_that_nobody_asked_for_does_not(shop: Shop) -> None:
    found = await told(
        shop,
        "CREATE TABLE other (id INT)",
        "SET SESSION binlog_format = STATEMENT",
        "INSERT INTO other VALUES (1)",
        "INSERT INTO other SELECT 2",
    )

    assert found == []


async def test_rows_without_names_of_columns_stop_the_reader(shop: Shop) -> None:
    with pytest.raises(SourceUnfit, match="binlog_row_metadata = FULL"):
        await told(
            shop,
            "SET GLOBAL binlog_row_metadata = NO_LOG",
            "INSERT INTO item VALUES (1, 'a')",
            "SET GLOBAL binlog_row_metadata = FULL",
        )


async def test_a_compressed_log_stops_the_reader(shop: Shop) -> None:
    with pytest.raises(SourceUnfit, match="log_bin_compress = OFF"):
        await told(
            shop,
            "SET GLOBAL log_bin_compress = ON",
            "SET GLOBAL log_bin_compress_min_len = 10",
            "INSERT INTO item VALUES (1, REPEAT('a', 100))",
        )


async def test_a_transaction_of_two_phases_stops_the_reader(shop: Shop) -> None:
    with pytest.raises(SourceUnfit, match="XA"):
        await told(
            shop,
            "XA START 'x'",
            "INSERT INTO item VALUES (1, 'a')",
            "XA END 'x'",
            "XA PREPARE 'x'",
            "XA COMMIT 'x'",
        )


async def test_a_second_domain_stops_the_reader(shop: Shop) -> None:
    source = shop.source()
    start = await source.here()
    shop.run("SET SESSION gtid_domain_id = 7", "INSERT INTO item VALUES (1, 'a')")

    with pytest.raises(SourceUnfit, match="domain"):
        await read_to(source, Position(2**60), start)
    with pytest.raises(SourceUnfit, match="domain"):
        await source.here()


async def test_a_log_that_goes_back_is_lost(shop: Shop) -> None:
    source = shop.source()
    start = await source.here()
    shop.insert(1)

    async def read_on() -> None:
        async with source.read(start) as batches:
            async for batch in batches:
                if batch.transactions:
                    shop.run(
                        "SET GLOBAL gtid_strict_mode = OFF",
                        "SET SESSION gtid_seq_no = 1",
                        "INSERT INTO item VALUES (2, 'a')",
                        "SET GLOBAL gtid_strict_mode = ON",
                    )

    with pytest.raises(SourceLost, match="goes back"):
        await read_on()


async def test_a_log_that_was_begun_anew_is_lost(shop: Shop) -> None:
    source = shop.source()
    shop.insert(1, 2, 3)
    behind = await source.here()
    shop.run("RESET MASTER")
    shop.insert(4)

    with pytest.raises(SourceLost):
        await read_to(source, Position(2**60), behind)


async def test_a_place_of_another_database_is_no_place_here(shop: Shop) -> None:
    with pytest.raises(SourceLost, match="no place"):
        await read_to(shop.source(), Position(2**60), Position(5, "0/16B3748"))


@pytest.mark.parametrize(
    "statement",
    [
        "SET GLOBAL binlog_format = MIXED",
        "SET GLOBAL binlog_row_image = MINIMAL",
        "SET GLOBAL binlog_row_metadata = MINIMAL",
        "SET GLOBAL log_bin_compress = ON",
    ],
)
async def test_a_wrong_setting_is_told_with_the_statement_that_mends_it(
    shop: Shop, statement: str
) -> None:
    shop.run(statement)
    name = statement.split()[2]

    with pytest.raises(SourceUnfit, match=f"SET GLOBAL {name} = (ROW|FULL|OFF)"):
        await shop.source().prepare()


async def test_a_compressed_column_is_refused_at_once(shop: Shop) -> None:
    shop.run("ALTER TABLE item MODIFY name TEXT COMPRESSED")

    with pytest.raises(SourceUnfit, match="COMPRESSED"):
        await shop.source().prepare()


async def test_a_server_that_starts_anew_may_number_its_tables_anew(shop: Shop) -> None:
    # The same numbers mean other tables then, and their rows must not be taken for ours.
    source = shop.source()
    start = await source.here()
    shop.run("CREATE TABLE other (id INT PRIMARY KEY, name VARCHAR(100))")
    shop.insert(1)
    shop.server.kill()
    shop.server.start()
    shop.run(*(f"INSERT INTO other VALUES ({one}, 'other')" for one in range(5)))  # noqa: S608
    shop.server.kill()
    shop.server.start()
    shop.run(*(f"CREATE TABLE t{one} (id INT)" for one in range(30)))
    shop.run(*(f"INSERT INTO t{one} VALUES (99)" for one in range(30)))  # noqa: S608
    shop.insert(2)

    found = await read_to(source, await source.here(), start)

    assert after_rows(found) == [{"id": 1, "name": "item 1"}, {"id": 2, "name": "item 2"}]
