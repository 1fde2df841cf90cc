"""Capture from a real PostgreSQL, where it has ways of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from legacy_adapters.capture.postgres import PostgresSource
from legacy_adapters.errors import SourceLost, SourceUnavailable, SourceUnfit
from legacy_adapters.mapping.rows import Broken, Column, ColumnKind, Table
from legacy_adapters.mapping.versions import Position
from tests.contract.legacy_adapters.capture_following import changes, read_now, told
from tests.contract.legacy_adapters.capture_lab_postgres import PostgresLab, open_postgres
from tests.contract.legacy_adapters.capture_labs import ITEM, PART, insert, item, part
from tests.support.postgres import embedded_postgres

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

STREAM = "legacy>core"
MANY = 200_000


@pytest.fixture
async def lab(tmp_path: Path, postgres_port: int) -> AsyncIterator[PostgresLab]:
    async with open_postgres(tmp_path, postgres_port) as opened:
        assert isinstance(opened, PostgresLab)
        yield opened


@pytest.fixture
async def source(lab: PostgresLab) -> AsyncIterator[PostgresSource]:
    """A prepared source."""
    found = PostgresSource(lab.url, (ITEM, PART), STREAM)
    await found.prepare()
    yield found
    await found.close()


async def run(lab: PostgresLab, *statements: str) -> None:
    """Each in a transaction of its own."""
    for statement in statements:
        async with lab.engine.begin() as connection:
            await connection.execute(sa.text(statement))


async def test_a_long_value_that_did_not_change_arrives_all_the_same(
    lab: PostgresLab, source: PostgresSource
) -> None:
    long = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(50_000))
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1, name=long))
    await run(lab, "UPDATE lab_item SET price = 1 WHERE id = 1")

    found = changes(await read_now(source), ITEM.name)

    assert found[1].before == item(1, name=long)
    assert found[1].after == item(1, name=long, price="1.00")


async def test_a_table_that_stops_logging_old_rows_is_told_altered(
    lab: PostgresLab, source: PostgresSource
) -> None:
    await run(lab, "INSERT INTO lab_part VALUES (1, 'a', 1)")
    await run(lab, "ALTER TABLE lab_part REPLICA IDENTITY DEFAULT")
    await run(lab, "UPDATE lab_part SET units = 2", "DELETE FROM lab_part")

    found = await read_now(source)

    assert [transaction.altered for transaction in found] == [(), (PART.name,), ()]
    assert told(found[1:], PART.name) == [("1|a", None, part(1, "a", 2)), ("1|a", None, None)]


async def test_columns_that_were_dropped_and_moved_keep_their_names(
    lab: PostgresLab, source: PostgresSource
) -> None:
    await run(lab, "INSERT INTO lab_part VALUES (1, 'a', 1)")
    await run(
        lab,
        "ALTER TABLE lab_part DROP COLUMN units",
        "ALTER TABLE lab_part ADD COLUMN note TEXT",
        "ALTER TABLE lab_part ADD COLUMN units INTEGER",
        "INSERT INTO lab_part (item, place, note, units) VALUES (2, 'b', 'new', 5)",
    )

    found = await read_now(source)

    assert told(found[1:], PART.name) == [("2|b", None, part(2, "b", 5))]
    assert found[-1].altered == (PART.name,)


@pytest.mark.parametrize(
    ("column", "value"),
    [("price", "'NaN'"), ("made_at", "'-infinity'"), ("made_on", "'0044-03-15 BC'")],
)
async def test_a_value_that_only_postgresql_knows_is_broken(
    lab: PostgresLab, source: PostgresSource, column: str, value: str
) -> None:
    await run(lab, f"INSERT INTO lab_item (id, {column}) VALUES (1, {value})")  # noqa: S608 - fixed texts

    (found,) = changes(await read_now(source), ITEM.name)

    assert found.after is not None
    assert isinstance(found.after[column], Broken)


async def test_a_transaction_of_200_000_rows_comes_whole(
    lab: PostgresLab, source: PostgresSource
) -> None:
    await run(
        lab,
        f"INSERT INTO lab_part SELECT n, 'place ' || n, n FROM generate_series(1, {MANY}) n",  # noqa: S608 - a number
    )

    (transaction,) = await read_now(source)

    assert len(transaction.changes) == MANY


async def test_another_set_of_tables_is_published_anew(
    lab: PostgresLab, source: PostgresSource
) -> None:
    wider = Table('lab wi"der', ("id",), {"id": Column(ColumnKind.INTEGER)})
    await run(lab, 'CREATE TABLE "lab wi""der" (id INTEGER PRIMARY KEY)')
    other = PostgresSource(lab.url, (PART, wider), STREAM)
    await other.prepare()
    await run(lab, 'INSERT INTO "lab wi""der" VALUES (1)', "INSERT INTO lab_item (id) VALUES (1)")

    found = await read_now(other)

    assert [change.table for change in changes(found, wider.name, ITEM.name)] == [wider.name]
    await other.close()


async def test_what_tables_logged_before_is_put_back(lab: PostgresLab) -> None:
    await run(lab, "ALTER TABLE lab_part REPLICA IDENTITY NOTHING")
    source = PostgresSource(lab.url, (ITEM, PART), STREAM)
    await source.prepare()
    await source.prepare()

    await source.remove()

    async with lab.engine.begin() as connection:
        found = await connection.execute(
            sa.text("SELECT relname, relreplident::text FROM pg_class WHERE relname LIKE 'lab%'"
                    " AND relkind = 'r' ORDER BY 1")
        )  # fmt: skip
        assert [tuple(row) for row in found] == [("lab_item", "d"), ("lab_part", "n")]
    await source.close()


async def test_a_slot_that_was_moved_on_by_somebody_is_a_lost_log(
    lab: PostgresLab, source: PostgresSource
) -> None:
    await run(lab, "INSERT INTO lab_part VALUES (1, 'a', 1)")
    (transaction,) = await read_now(source)
    await run(lab, "INSERT INTO lab_part VALUES (2, 'a', 1)")
    await source.confirm(await source.here())

    with pytest.raises(SourceLost, match="moved on"):
        await read_now(source, transaction.position)


async def test_a_log_that_ends_before_what_was_read_is_another_one(source: PostgresSource) -> None:
    far = (await source.here()).order + 1_000_000_000

    with pytest.raises(SourceLost, match="ends before"):
        await read_now(source, Position(far))


async def test_who_may_not_read_the_log_is_told_what_to_do(lab: PostgresLab) -> None:
    await lab.admin(f"CREATE ROLE u_{lab.database} LOGIN")
    source = PostgresSource(lab.url.replace("postgres@", f"u_{lab.database}@"), (PART,), STREAM)

    with pytest.raises(SourceUnfit, match=r"ALTER ROLE .* REPLICATION"):
        await source.prepare()

    await source.close()
    await lab.admin(f"DROP ROLE u_{lab.database}")


async def test_what_was_never_prepared_says_so(lab: PostgresLab) -> None:
    source = PostgresSource(lab.url, (PART,), STREAM)

    with pytest.raises(SourceUnfit, match="prepare"):
        await read_now(source)

    assert (await source.retention()).state == "lost"
    await source.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    source = PostgresSource("postgresql://postgres@127.0.0.1:1/none", (PART,), STREAM)

    with pytest.raises(SourceUnavailable):
        await source.here()


async def test_a_transaction_that_is_confirmed_late_is_not_skipped_by_signs_of_life(
    lab: PostgresLab, source: PostgresSource
) -> None:
    """The story of postgres_wire: a long transaction, older than what is confirmed, is read."""
    async with lab.engine.connect() as old:
        await insert(old, ITEM, item(1))
        async with lab.engine.begin() as connection:
            await insert(connection, ITEM, item(2))
        (first,) = await read_now(source)
        async with asyncio.timeout(30), source.read(first.position) as batches:
            await source.confirm(first.position)
            async with lab.engine.begin() as connection:
                await insert(connection, ITEM, item(3))
            await old.commit()
            for _ in range(5):
                await anext(batches)
    await source.close()

    found = await read_now(source, first.position)

    assert [change.key for change in changes(found, ITEM.name)] == ["3", "1"]


_READER = """
import asyncio, sys
from legacy_adapters.capture.postgres import PostgresSource
from tests.contract.legacy_adapters.capture_labs import ITEM, PART
async def main():
    source = PostgresSource(sys.argv[1], (ITEM, PART), "legacy>core")
    async with source.read(None) as batches:
        async for batch in batches:
            print(len(batch.transactions), flush=True)
asyncio.run(main())
"""


async def test_a_reader_that_was_killed_leaves_the_log_to_the_next(
    lab: PostgresLab, source: PostgresSource
) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _READER, lab.url, stdout=asyncio.subprocess.PIPE
    )
    assert reader.stdout is not None
    await reader.stdout.readline()
    os.kill(reader.pid, signal.SIGKILL)
    await reader.wait()

    found = await read_now(source)

    assert [change.key for change in changes(found, ITEM.name)] == ["1"]


async def test_a_server_that_was_stopped_hard_is_read_on_when_it_is_back(tmp_path: Path) -> None:
    with embedded_postgres() as port:
        async with open_postgres(tmp_path, port) as lab:
            source = lab.source()
            await source.prepare()
            async with lab.engine.begin() as connection:
                await insert(connection, ITEM, item(1))
            (first,) = await read_now(source)

            with pytest.raises(SourceUnavailable):
                await _restart_while_reading(lab, source, first.position)
            async with lab.engine.begin() as connection:
                await insert(connection, ITEM, item(2))

            found = await read_now(source, first.position)
            assert [change.key for change in changes(found, ITEM.name)] == ["2"]
            await source.close()


async def _restart_while_reading(lab: object, source: object, after: Position) -> None:
    assert isinstance(lab, PostgresLab)
    assert isinstance(source, PostgresSource)
    async with asyncio.timeout(60), source.read(after) as batches:
        await anext(batches)
        await lab.restart()
        async for _ in batches:
            pass


async def test_a_slot_that_the_server_gave_up_is_told_before_and_after(tmp_path: Path) -> None:
    with embedded_postgres() as port:
        async with open_postgres(tmp_path, port) as lab:
            assert isinstance(lab, PostgresLab)
            source = lab.source()
            await source.prepare()
            await run(lab, "INSERT INTO lab_part VALUES (1, 'a', 1)")
            (first,) = await read_now(source)
            await lab.admin("ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'")
            await lab.admin("SELECT pg_reload_conf()")

            await _write_log(lab, 3)
            close = await source.retention()
            await _write_log(lab, 5)
            await lab.admin("CHECKPOINT")
            gone = await source.retention()

            assert (close.state, close.limit_bytes) == ("alarm", 64 * 2**20)
            assert gone.state == "lost"
            with pytest.raises(SourceLost):
                await read_now(source, first.position)
            await source.remove()
            await source.prepare()
            assert (await source.retention()).state == "ok"
            await source.close()


async def _write_log(lab: PostgresLab, segments: int) -> None:
    for _ in range(segments):
        await lab.admin("SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000))")
        await lab.admin("SELECT pg_switch_wal()")
