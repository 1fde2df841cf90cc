"""The log that triggers write in a SQLite file, under all that a shop may do to its tables."""

# ruff: noqa: S608 - random rows are put together as SQL

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from legacy_adapters.capture.sqlite import SqliteSource
from legacy_adapters.errors import SourceLost, SourceUnfit
from legacy_adapters.mapping.marks import MARKS
from legacy_adapters.mapping.rows import Broken, Column, ColumnKind, Row, Table, key_text
from legacy_adapters.ports.capture import Change, Transaction
from tests.contract.legacy_adapters.capture_following import apply, changes, read_now, told

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

_INTEGER, _TEXT = Column(ColumnKind.INTEGER), Column(ColumnKind.TEXT)
THING = Table("thing", ("id",), {"id": _INTEGER, "sku": _TEXT, "place": _INTEGER, "note": _TEXT})
CHILD = Table("child", ("id",), {"id": _INTEGER, "thing_id": _INTEGER})
PAIR = Table("pair", ("a", "b"), {"a": _TEXT, "b": _INTEGER, "raw": Column(ColumnKind.BYTES)})
TABLES = (THING, CHILD, PAIR)

_SCHEMA = """
CREATE TABLE thing (id INTEGER PRIMARY KEY, sku TEXT UNIQUE, place INTEGER, note);
CREATE UNIQUE INDEX one_place ON thing (place) WHERE place > 0;
CREATE TABLE child (id INTEGER PRIMARY KEY,
  thing_id INTEGER REFERENCES thing (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE pair (a TEXT, b INTEGER, raw, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE mig_role (id INTEGER PRIMARY KEY, role TEXT NOT NULL);
INSERT INTO mig_role VALUES (1, '');
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of the shop."""
    connection = sqlite3.connect(tmp_path / "shop.sqlite3", isolation_level=None)
    marks = "".join(
        f"CREATE TABLE {table.name} ({', '.join(table.columns)}, PRIMARY KEY"
        f" ({', '.join(table.key)}));"
        for table in MARKS
    )
    connection.executescript(_SCHEMA + marks)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = OFF")
    yield connection
    connection.close()


@pytest.fixture
async def source(tmp_path: Path, shop: sqlite3.Connection) -> SqliteSource:
    """A prepared source."""
    found = SqliteSource(f"sqlite:///{tmp_path / 'shop.sqlite3'}", TABLES, "legacy>core")
    await found.prepare()
    return found


def tell(found: Sequence[Transaction], table: Table) -> list[tuple[str, str]]:
    """What became of which key, in its order."""
    return [(_kind(change), change.key) for change in changes(found, table.name)]


def _kind(change: Change) -> str:
    if change.before is None:
        return "insert"
    return "delete" if change.after is None else "update"


async def mirror(source: SqliteSource) -> dict[tuple[str, str], Row]:
    """The tables as who follows has them, having read from the beginning."""
    state: dict[tuple[str, str], Row] = {}
    apply(state, await read_now(source))
    return {key: row for key, row in state.items() if key[0] in ("thing", "child", "pair")}


async def stored(source: SqliteSource) -> dict[tuple[str, str], Row]:
    """The tables as they are."""
    found: dict[tuple[str, str], Row] = {}
    async with source.snapshot() as snapshot:
        for table in TABLES:
            rows = await snapshot.page(table, None, 100_000)
            found |= {(table.name, key_text(table, row)): row for row in rows}
    return found


@pytest.mark.parametrize(
    "cell",
    [b"", b"\x00\xff", "", "'", "a,'b',''c", "nul\x00inside", "🧀", 2**63 - 1, -(2**63), 0.1 + 0.2,
     1e308, float("inf"), 5e-324, None, "NULL", "X'00'", "Taa"],
)  # fmt: skip
async def test_a_cell_of_whatever_type_is_logged_as_it_is(
    shop: sqlite3.Connection, source: SqliteSource, cell: Any
) -> None:
    shop.execute("INSERT INTO thing (id, note) VALUES (1, ?)", (cell,))
    shop.execute("INSERT INTO pair VALUES ('k', 1, ?)", (cell,))

    logged = await mirror(source)

    assert logged == await stored(source)


async def test_text_that_is_no_utf_8_breaks_its_cell_and_no_write(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    shop.execute("INSERT INTO thing (id, sku, note) VALUES (1, 'a', CAST(x'4aff2c27' AS TEXT))")
    shop.execute("UPDATE thing SET sku = 'b' WHERE id = 1")

    (first, second) = changes(await read_now(source), "thing")

    assert first.after is not None
    assert second.after is not None
    assert first.after["note"] == second.after["note"] == Broken("J\\xff,'")
    assert second.after["sku"] == "b"


@pytest.mark.parametrize("recursive", [0, 1])
async def test_a_row_that_replace_pushes_out_is_logged_as_deleted(
    shop: sqlite3.Connection, source: SqliteSource, recursive: int
) -> None:
    shop.execute(f"PRAGMA recursive_triggers = {recursive}")
    shop.execute("INSERT INTO thing VALUES (1, 'a', 1, ''), (2, 'b', 2, ''), (3, 'c', 3, '')")
    shop.execute("REPLACE INTO thing VALUES (4, 'a', 2, 'new')")
    shop.execute("REPLACE INTO thing VALUES (4, 'd', 0, 'newer')")

    found = tell(await read_now(source), THING)

    assert sorted(found[3:5]) == [("delete", "1"), ("delete", "2")]
    assert found[5:] == [("insert", "4"), ("delete", "4"), ("insert", "4")]


@pytest.mark.parametrize("recursive", [0, 1])
async def test_rows_that_other_conflicts_spare_are_not_logged_as_deleted(
    shop: sqlite3.Connection, source: SqliteSource, recursive: int
) -> None:
    shop.execute(f"PRAGMA recursive_triggers = {recursive}")
    shop.execute("INSERT INTO thing VALUES (1, 'a', 1, ''), (2, 'b', 2, '')")
    shop.execute("INSERT OR IGNORE INTO thing VALUES (3, 'a', 3, '')")
    shop.execute(
        "INSERT INTO thing VALUES (4, 'a', 4, '') ON CONFLICT (sku) DO UPDATE SET note = 'x'"
    )
    with pytest.raises(sqlite3.IntegrityError):
        shop.execute("INSERT INTO thing VALUES (5, 'b', 5, '')")
    shop.execute("INSERT INTO thing VALUES (6, 'f', 6, '')")
    shop.execute("UPDATE OR IGNORE thing SET sku = 'a' WHERE id = 6")
    shop.execute("UPDATE OR REPLACE thing SET sku = 'b' WHERE id = 6")

    found = tell(await read_now(source), THING)

    assert found == [
        ("insert", "1"),
        ("insert", "2"),
        ("update", "1"),
        ("insert", "6"),
        ("delete", "2"),
        ("update", "6"),
    ]


async def test_a_row_outside_of_a_partial_index_stands_in_nobodys_way(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    shop.execute("INSERT INTO thing VALUES (1, 'a', 0, '')")
    shop.execute("REPLACE INTO thing VALUES (2, 'b', 0, '')")

    found = tell(await read_now(source), THING)

    assert found == [("insert", "1"), ("insert", "2")]


async def test_cascades_of_foreign_keys_are_logged(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    shop.execute("INSERT INTO thing (id) VALUES (1), (2)")
    shop.execute("INSERT INTO child VALUES (10, 1), (11, 1), (12, 2)")
    shop.execute("DELETE FROM thing WHERE id = 1")
    shop.execute("UPDATE thing SET id = 3 WHERE id = 2")

    found = told(await read_now(source), "child")

    assert [(key, after) for key, _, after in found[3:]] == [
        ("10", None),
        ("11", None),
        ("12", {"id": 12, "thing_id": 3}),
    ]


async def test_a_mirror_is_right_after_thousands_of_writes_of_every_kind(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    dice = Random(7)
    verbs = ("INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE", "REPLACE", "INSERT OR FAIL")
    ways = ("", "OR IGNORE", "OR REPLACE")
    for _ in range(3_000):
        shop.execute(f"PRAGMA recursive_triggers = {dice.randint(0, 1)}")
        id_, sku, place = dice.randint(1, 12), dice.choice("abcdefg"), dice.randint(0, 5)
        rows = f"({id_}, '{sku}', {place}, ''), ({id_ + 1}, '{sku}x', {place + 3}, NULL)"
        try:
            kind = dice.random()
            if kind < 0.5:
                shop.execute(f"{dice.choice(verbs)} INTO thing VALUES {rows}")
            elif kind < 0.6:
                shop.execute(
                    f"INSERT INTO thing VALUES {rows} ON CONFLICT (id) DO UPDATE SET place = 0"
                )
            elif kind < 0.8:
                shop.execute(
                    f"UPDATE {dice.choice(ways)} thing SET id = {id_}, sku = '{sku}',"
                    f" place = {place} WHERE id = {dice.randint(1, 12)}"
                )
            elif kind < 0.9:
                shop.execute("INSERT INTO child (thing_id) SELECT id FROM thing LIMIT 1")
            else:
                shop.execute(f"DELETE FROM thing WHERE id = {id_}")
        except sqlite3.IntegrityError:
            pass

    state = await mirror(source)

    assert state == await stored(source)
    assert state


async def test_what_the_shop_asks_its_connection_is_not_disturbed(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    cursor = shop.execute("INSERT INTO thing (sku) VALUES ('a'), ('b')")

    assert cursor.lastrowid == 2
    assert shop.execute("SELECT last_insert_rowid(), changes()").fetchone() == (2, 2)


async def test_a_shop_whose_fences_were_taken_away_goes_on_writing(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    shop.execute("DROP TABLE mig_role")

    shop.execute("INSERT INTO thing (id) VALUES (1)")

    assert tell(await read_now(source), THING) == [("insert", "1")]


async def test_a_role_that_was_rolled_back_marks_nothing(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    shop.execute("BEGIN IMMEDIATE")
    shop.execute("UPDATE mig_role SET role = 'replicator'")
    shop.execute("INSERT INTO thing (id) VALUES (1)")
    shop.execute("ROLLBACK")
    shop.execute("INSERT INTO thing (id) VALUES (2)")

    (transaction,) = await read_now(source)

    assert (transaction.is_ours, transaction.changes[0].key) == (False, "2")


async def test_a_dry_run_that_is_committed_by_mistake_is_not_taken_for_ours(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    shop.execute("UPDATE mig_role SET role = 'dry_run'")
    shop.execute("INSERT INTO thing (id) VALUES (1)")

    (transaction,) = await read_now(source)

    assert not transaction.is_ours


async def test_a_table_that_was_built_anew_without_its_triggers_is_told_and_mended(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    (before,) = await _after(source, shop, "INSERT INTO thing (id) VALUES (1)")
    shop.executescript(
        "PRAGMA foreign_keys = OFF; BEGIN; CREATE TABLE new_thing (note, sku TEXT, place INTEGER,"
        " id INTEGER PRIMARY KEY);"
        " INSERT INTO new_thing (id, note) SELECT id, note FROM thing; DROP TABLE thing;"
        " ALTER TABLE new_thing RENAME TO thing; COMMIT;"
    )
    (told_,) = await read_now(source, before.position)
    await source.prepare()

    (after,) = await _after(source, shop, "INSERT INTO thing (id, sku) VALUES (2, 'b')", before)

    assert told_.altered == ("thing",)
    assert after.altered == ()
    assert after.changes[0].after == {"id": 2, "sku": "b", "place": None, "note": None}


async def _after(
    source: SqliteSource,
    shop: sqlite3.Connection,
    statement: str,
    before: Transaction | None = None,
) -> list[Transaction]:
    shop.execute(statement)
    return await read_now(source, before.position if before else None)


async def test_a_log_that_was_made_anew_is_not_taken_for_the_old_one(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    (before,) = await _after(source, shop, "INSERT INTO thing (id) VALUES (1)")
    await source.remove()
    await source.prepare()
    shop.execute("INSERT INTO thing (id) VALUES (2), (3), (4)")

    with pytest.raises(SourceLost, match="anew"):
        await read_now(source, before.position)


async def test_confirmed_rows_leave_the_log_and_writers_hardly_wait(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    shop.executemany("INSERT INTO thing (id) VALUES (?)", [(n,) for n in range(3_000)])
    here = await source.here()

    await source.confirm(here)
    await source.close()

    assert shop.execute("SELECT count(*) FROM mig_changelog").fetchone() == (0,)
    assert await source.here() == here
    assert (await source.retention()).behind_bytes == 0


async def test_too_many_unread_rows_are_an_alarm(shop: sqlite3.Connection, tmp_path: Path) -> None:
    source = SqliteSource(str(tmp_path / "shop.sqlite3"), TABLES, "legacy>core", alarm_rows=10)
    await source.prepare()
    shop.executemany("INSERT INTO thing (id) VALUES (?)", [(n,) for n in range(11)])

    assert (await source.retention()).state == "alarm"


async def test_a_reader_holds_up_no_writer(shop: sqlite3.Connection, source: SqliteSource) -> None:
    shop.execute("PRAGMA busy_timeout = 0")
    async with asyncio.timeout(30), source.read(None) as batches, source.snapshot() as snapshot:
        for number in range(50):
            shop.execute("INSERT INTO thing (id) VALUES (?)", (number,))
            while not (await anext(batches)).transactions:
                pass

        assert await snapshot.count(THING) == 0


async def test_a_transaction_of_200_000_rows_comes_whole(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    shop.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
        " INSERT INTO thing (id, sku) SELECT i, 'sku ' || i FROM n"
    )

    (transaction,) = await read_now(source)

    assert len(transaction.changes) == 200_000


async def test_without_fences_the_source_is_unfit(shop: sqlite3.Connection, tmp_path: Path) -> None:
    shop.execute("DROP TABLE mig_role")
    source = SqliteSource(str(tmp_path / "shop.sqlite3"), TABLES, "legacy>core")

    with pytest.raises(SourceUnfit, match="fences"):
        await source.prepare()


async def test_what_was_never_prepared_says_so(tmp_path: Path, shop: sqlite3.Connection) -> None:
    source = SqliteSource(str(tmp_path / "shop.sqlite3"), TABLES, "legacy>core")

    with pytest.raises(SourceUnfit, match="prepare"):
        await source.here()


async def test_what_is_removed_leaves_nothing_behind(
    shop: sqlite3.Connection, source: SqliteSource
) -> None:
    await source.remove()

    left = shop.execute(
        "SELECT name FROM sqlite_master WHERE name GLOB 'mig_log_*' OR name GLOB 'mig_changelog*'"
    ).fetchall()
    assert left == []
