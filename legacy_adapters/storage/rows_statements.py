"""Inserts, updates and deletions of whole rows, in each database's words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.rows import ColumnKind, Row, Table, key_text, plain
from legacy_adapters.storage.opening import MARIADB, POSTGRESQL
from legacy_adapters.storage.rows_values import alike, as_json, chunks, key_cells, told

_CHUNK = 500
_SOURCE = "json_populate_recordset(NULL::{table}, $1::text::json)"


async def put_rows(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """As Writing.put.

    Raises:
        ValueError: a cell cannot be written.
    """
    write = _put_as_json if connection.dialect.name == POSTGRESQL else _put
    for names, run in alike(table, rows):
        for part in chunks(run, _CHUNK):
            await write(connection, table, names, part)


async def drop_rows(connection: AsyncConnection, table: Table, keys: Collection[str]) -> None:
    """As Writing.drop.

    Raises:
        ValueError: a text is no key of the table.
    """
    rows = [key_cells(table, key) for key in keys]
    name = _quoted(connection, table.name)
    for part in chunks(rows, _CHUNK):
        if connection.dialect.name == POSTGRESQL:
            columns = ", ".join(_quoted(connection, one) for one in table.key)
            source = _SOURCE.format(table=name)
            text = f"DELETE FROM {name} WHERE ({columns}) IN (SELECT {columns} FROM {source})"  # noqa: S608 - quoted names
            await connection.exec_driver_sql(text, (as_json(table, part),))
        else:
            where, values = _in_keys(connection, table, part)
            await connection.exec_driver_sql(f"DELETE FROM {name} WHERE {where}", values)  # noqa: S608 - quoted names


async def _put_as_json(
    connection: AsyncConnection, table: Table, names: Sequence[str], rows: Sequence[Row]
) -> None:
    name = _quoted(connection, table.name)
    columns = ", ".join(_quoted(connection, one) for one in names)
    text = (
        f"INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE"  # noqa: S608 - quoted names
        f" SELECT {columns} FROM {_SOURCE.format(table=name)}"
        f"{_on_conflict(connection, table, names)}"
    )
    await connection.exec_driver_sql(text, (as_json(table, rows),))


async def _put(
    connection: AsyncConnection, table: Table, names: Sequence[str], rows: Sequence[Row]
) -> None:
    dialect = connection.dialect.name
    cells = [told(table, row, dialect) for row in rows]
    known = await _known(connection, table, rows) if dialect == MARIADB else frozenset()
    fresh = [one for one, row in zip(cells, rows, strict=True) if key_text(table, row) not in known]
    there = [one for one, row in zip(cells, rows, strict=True) if key_text(table, row) in known]
    marks = ", ".join(_mark(dialect, table, one) for one in names)
    insert = (
        f"INSERT INTO {_quoted(connection, table.name)}"  # noqa: S608 - quoted names
        f" ({', '.join(_quoted(connection, one) for one in names)})"
        f" VALUES ({marks})"
    )
    if dialect != MARIADB:
        await connection.exec_driver_sql(insert + _on_conflict(connection, table, names), cells)
        return
    if fresh:
        await connection.exec_driver_sql(insert, fresh)
    changed = [one for one in names if one not in table.key]
    if there and changed:
        quoted = [_quoted(connection, one) for one in changed]
        changes = ", ".join(f"{one} = VALUES({one})" for one in quoted)
        await connection.exec_driver_sql(f"{insert} ON DUPLICATE KEY UPDATE {changes}", there)


async def _known(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> frozenset[str]:
    """Keys of rows that are there, which are locked.

    MariaDB takes any unique key for the one that is a duplicate's, and would change another
    row than the one that is meant. So rows that are there are told from those that are not.
    """
    keys = [{name: row[name] for name in table.key} for row in rows]
    where, values = _in_keys(connection, table, keys)
    columns = ", ".join(_quoted(connection, one) for one in table.key)
    found = await connection.exec_driver_sql(
        f"SELECT {columns} FROM {_quoted(connection, table.name)} WHERE {where} FOR UPDATE",  # noqa: S608 - quoted names
        values,
    )
    return frozenset(
        key_text(
            table,
            {
                name: plain(table.columns[name], cell)
                for name, cell in zip(table.key, row, strict=True)
            },
        )
        for row in found
    )


def _in_keys(
    connection: AsyncConnection, table: Table, keys: Sequence[Row]
) -> tuple[str, tuple[object, ...]]:
    """A condition that holds for rows with these keys, and its parameters."""
    dialect = connection.dialect.name
    values = tuple(cell for key in keys for cell in told(table, key, dialect))
    names = sorted(table.key)
    marks = [_mark(dialect, table, one) for one in names]
    quoted = [_quoted(connection, one) for one in names]
    if len(names) == 1:
        return f"{quoted[0]} IN ({', '.join(marks * len(keys))})", values
    one = " AND ".join(f"{name} = {mark}" for name, mark in zip(quoted, marks, strict=True))
    return " OR ".join(f"({one})" for _ in keys), values


def _mark(dialect: str, table: Table, column: str) -> str:
    if dialect != MARIADB:
        return "?"
    # The driver fails on bytes.
    return "UNHEX(%s)" if table.columns[column].kind is ColumnKind.BYTES else "%s"


def _on_conflict(connection: AsyncConnection, table: Table, names: Sequence[str]) -> str:
    keys = ", ".join(_quoted(connection, one) for one in table.key)
    changes = ", ".join(
        f"{_quoted(connection, one)} = excluded.{_quoted(connection, one)}"
        for one in names
        if one not in table.key
    )
    return f" ON CONFLICT ({keys}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"


def _quoted(connection: AsyncConnection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
