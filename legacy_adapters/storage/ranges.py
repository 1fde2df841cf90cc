"""Keys of both stores that never meet: the legacy's own counters, and the core's range.

The core draws legacy keys from FIRST_OWN on. SQLite and MariaDB take any key that is put for
the highest one and would go on behind it, in the core's range; so their counters are moved past
it before the first one is put. PostgreSQL's sequences do not look at keys, and stay.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.errors import SourceUnfit
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.number_ranges import FIRST_FREE, FIRST_OWN
from legacy_adapters.mapping.rows import ColumnKind, Table
from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.marks_writing import read_applied
from legacy_adapters.storage.opening import (
    MARIADB,
    POSTGRESQL,
    SQLITE,
    begin_writing,
    open_engine,
    ours,
)
from legacy_adapters.storage.tables import marks as t

_WIDTHS = {"tinyint": 7, "smallint": 15, "mediumint": 23, "int": 31, "integer": 31, "bigint": 63}


@dataclass(frozen=True, slots=True)
class Counter:
    """How a table of the legacy comes to its keys, as it is now.

    Attributes:
        next_key: that the database draws next; None where it draws none.
        looks_at_keys: whether a key that is put moves the counter.
        can_move: whether the counter can be set.
        highest_core: of the keys in the core's range; None while there are none.
        largest: that the column holds.
    """

    table: str
    column: str
    next_key: int | None
    looks_at_keys: bool
    can_move: bool
    highest_core: int | None
    largest: int


@dataclass(frozen=True, slots=True)
class Range:
    """What is to be done with a counter, and how far it goes.

    Attributes:
        is_reserved: nothing is to be done.
        headroom: how many keys the legacy can still draw; None where it draws none.
        core_headroom: how many the core can.
        problem: why the two would meet, with the way out; "" while they do not.
    """

    counter: Counter
    is_reserved: bool
    headroom: int | None
    core_headroom: int
    problem: str


def judge(counter: Counter, *, was_applied: bool) -> Range:
    """What becomes of a counter. Pure and total.

    Args:
        counter: as the database has it.
        was_applied: whether the core ever wrote to this database; before that, keys in its range
            are the legacy's.
    """
    drawn, core = counter.next_key, counter.highest_core
    core_headroom = FIRST_FREE - 1 - max(core or 0, FIRST_OWN - 1)
    is_past = drawn is not None and drawn >= FIRST_FREE
    reserved = drawn is None or is_past or not counter.looks_at_keys
    last = counter.largest if is_past or counter.looks_at_keys else FIRST_OWN - 1
    headroom = None if drawn is None else last - max(drawn, FIRST_FREE if not reserved else 0) + 1
    return Range(counter, reserved, headroom, core_headroom, _problem(counter, was_applied))


def _problem(counter: Counter, was_applied: bool) -> str:
    here, drawn = f"{counter.table}.{counter.column}", counter.next_key
    if counter.largest < FIRST_FREE:
        return f"{here} holds keys up to {counter.largest} only; widen it to 32 bits"
    if counter.highest_core is not None and not was_applied:
        return f"{here} has the key {counter.highest_core}, which would be the core's; renumber it"
    if drawn is None or drawn >= FIRST_FREE:
        return ""
    if drawn >= FIRST_OWN and not (counter.looks_at_keys and not was_applied):
        return f"{here} draws {drawn} next, which is the core's"
    if counter.looks_at_keys and not counter.can_move:
        return f"{here} goes on behind its highest key; make it AUTOINCREMENT"
    return ""


async def ranges(url: str, tables: Collection[Table]) -> Sequence[Range]:
    """What the counters of tables with whole numbers for keys are up to; changes nothing.

    Raises:
        SourceUnavailable: no answer.
        SourceUnfit: a table is missing.
    """
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            return await _judged(connection, tables)
    except (SQLAlchemyError, OSError) as exc:
        raise ours(exc) from exc
    finally:
        await engine.dispose()


async def reserve_ranges(url: str, tables: Collection[Table]) -> Sequence[Range]:
    """Move the legacy's counters out of the core's range where they would enter it. Repeatable.

    Returns what they are up to then.

    Raises:
        SourceUnavailable: no answer; some may have been moved.
        SourceUnfit: keys of both would meet; nothing was moved.
    """
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            await begin_writing(connection)
            found = await _judged(connection, tables)
            problems = [one.problem for one in found if one.problem]
            if problems:
                raise SourceUnfit("; ".join(problems))
            for one in found:
                if not one.is_reserved:
                    await _move(connection, one.counter.table)
            found = await _judged(connection, tables)
            await connection.commit()
            return found
    except (SQLAlchemyError, OSError) as exc:
        raise ours(exc) from exc
    finally:
        await engine.dispose()


async def _judged(connection: AsyncConnection, tables: Collection[Table]) -> Sequence[Range]:
    was_applied = await _was_applied(connection)
    read = {SQLITE: _of_sqlite, POSTGRESQL: _of_postgresql, MARIADB: _of_mariadb}
    counter_of = read[connection.dialect.name]
    found = []
    for table in tables:
        if len(table.key) == 1 and table.columns[table.key[0]].kind is ColumnKind.INTEGER:
            counter = await counter_of(connection, table.name, table.key[0])
            found.append(judge(counter, was_applied=was_applied))
    return found


async def _was_applied(connection: AsyncConnection) -> bool:
    if not await connection.run_sync(lambda sync: sa.inspect(sync).has_table(t.applied.name)):
        return False
    stream = stream_from(Side.CORE)
    return any(name == stream for name, _ in await read_applied(connection))


async def _move(connection: AsyncConnection, table: str) -> None:
    if connection.dialect.name == MARIADB:
        name = _quoted(connection, table)
        await connection.exec_driver_sql(
            f"SET STATEMENT lock_wait_timeout = 10 FOR"
            f" ALTER TABLE {name} AUTO_INCREMENT = {FIRST_FREE}"
        )
        return
    sequence = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
    here = sequence.c.name == table
    moved = await connection.execute(sa.update(sequence).where(here).values(seq=FIRST_FREE - 1))
    if moved.rowcount == 0:
        values = {"name": table, "seq": FIRST_FREE - 1}
        await connection.execute(sa.insert(sequence).values(values))


async def _highest(connection: AsyncConnection, table: str, column: str) -> int | None:
    """Of the keys in the core's range."""
    key = _quoted(connection, column)
    text = (
        f"SELECT max({key}) FROM {_quoted(connection, table)}"  # noqa: S608 - quoted names
        f" WHERE {key} >= {FIRST_OWN} AND {key} < {FIRST_FREE}"
    )
    found = (await connection.exec_driver_sql(text)).scalar_one()
    return None if found is None else int(found)


async def _of_sqlite(connection: AsyncConnection, table: str, column: str) -> Counter:
    highest = await _highest(connection, table, column)
    asked = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    made = str((await connection.exec_driver_sql(asked, (table,))).scalar_one())
    counts = "AUTOINCREMENT" in made.upper()
    if counts:
        seq = "SELECT seq FROM sqlite_sequence WHERE name = ?"
        last = (await connection.exec_driver_sql(seq, (table,))).scalar_one_or_none()
    else:
        text = f"SELECT max({_quoted(connection, column)}) FROM {_quoted(connection, table)}"  # noqa: S608 - quoted names
        last = (await connection.exec_driver_sql(text)).scalar_one()
    # Whatever the column is called, SQLite holds 63 bits; oscar's clients read 31 of them.
    return Counter(table, column, int(last or 0) + 1, True, counts, highest, 2**31 - 1)


async def _of_mariadb(connection: AsyncConnection, table: str, column: str) -> Counter:
    highest = await _highest(connection, table, column)
    found = await connection.execute(
        sa.text(
            "SELECT t.auto_increment AS next_key, c.data_type AS kind,"
            " c.column_type LIKE '%unsigned%' AS is_unsigned"
            " FROM information_schema.tables t JOIN information_schema.columns c"
            " ON c.table_schema = t.table_schema AND c.table_name = t.table_name"
            " WHERE t.table_schema = database() AND t.table_name = :table"
            " AND c.column_name = :column"
        ),
        {"table": table, "column": column},
    )
    row = found.one()
    largest = 2 ** (_WIDTHS.get(row.kind, 63) + (1 if row.is_unsigned else 0)) - 1
    drawn = None if row.next_key is None else int(row.next_key)
    return Counter(table, column, drawn, True, True, highest, largest)


async def _of_postgresql(connection: AsyncConnection, table: str, column: str) -> Counter:
    highest = await _highest(connection, table, column)
    name = _quoted(connection, table)
    found = await connection.execute(
        sa.text(
            "SELECT pg_get_serial_sequence(:name, :column) AS sequence, format_type(a.atttypid, -1)"
            " AS kind FROM pg_attribute a"
            " WHERE a.attrelid = to_regclass(:name) AND a.attname = :column"
        ),
        {"name": name, "column": column},
    )
    row = found.one()
    drawn = None
    if row.sequence is not None:
        text = f"SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM {row.sequence}"  # noqa: S608 - as the database quotes it
        drawn = int((await connection.exec_driver_sql(text)).scalar_one())
    largest = 2 ** _WIDTHS.get(row.kind, 63) - 1
    return Counter(table, column, drawn, False, False, highest, largest)


def _quoted(connection: AsyncConnection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
