"""What capturing needs in a SQLite file: a log that triggers write."""

# ruff: noqa: S608 - names and texts in statements are quoted

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Sequence

from legacy_adapters.capture.sqlite_file import translating, writing
from legacy_adapters.capture.sqlite_triggers import (
    LONGEST_KEY,
    PREFIX,
    ROLE_TRIGGERS,
    TABLE_NAMES,
    TABLES,
    Shape,
    Unique,
    condition_of,
    quoted,
    text,
    triggers,
)
from legacy_adapters.errors import SourceUnfit
from legacy_adapters.mapping.rows import Table


def prepare(connection: sqlite3.Connection, tables: Sequence[Table]) -> None:
    """Make the log and its triggers, anew where a table changed. One transaction.

    Raises:
        SourceUnfit: the text says what to do.
    """
    with translating():
        _check(connection)
    with writing(connection):
        for statement in TABLES:
            connection.execute(statement)
        connection.execute(
            "INSERT OR IGNORE INTO mig_changelog_state VALUES (1, 0, ?)", (secrets.token_hex(4),)
        )
        _place(connection, "mig_role", ROLE_TRIGGERS)
        for table in tables:
            _prepare_table(connection, table)


def remove(connection: sqlite3.Connection) -> None:
    """Take the triggers and the log away."""
    with writing(connection):
        for name in _our_triggers(connection):
            connection.execute(f"DROP TRIGGER {quoted(name)}")
        for table in TABLE_NAMES:
            connection.execute(f"DROP TABLE IF EXISTS {table}")


def fingerprints(connection: sqlite3.Connection, tables: Sequence[Table]) -> dict[str, str]:
    """Digests of tables' definitions and of our triggers on them."""
    with translating():
        found = {table.name: _digest(connection, table.name) for table in tables}
    return {name: digest for name, digest in found.items() if digest is not None}


def altered(connection: sqlite3.Connection, tables: Sequence[Table]) -> tuple[str, ...]:
    """Tables that are not as they were when they were prepared, or lost a trigger."""
    known = _pairs(connection, "SELECT tbl, digest FROM mig_changelog_shape ORDER BY shape")
    return tuple(
        table.name
        for table in tables
        if _digest(connection, table.name) != known.get(table.name, "")
    )


def shapes(connection: sqlite3.Connection) -> dict[int, tuple[str, ...]]:
    """Names of the columns of logged rows, by shape."""
    rows = connection.execute("SELECT shape, columns FROM mig_changelog_shape")
    return {number: tuple(json.loads(columns)) for number, columns in rows}


def _check(connection: sqlite3.Connection) -> None:
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()
    if encoding != b"UTF-8":
        raise SourceUnfit(
            f"the database's encoding is {encoding.decode()}; copy it to one in UTF-8"
        )
    # Otherwise a reader would hold up writers, and a writer readers.
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != b"wal":
        raise SourceUnfit("the database is not in WAL mode: PRAGMA journal_mode = WAL")
    if not _texts(connection, "SELECT name FROM sqlite_master WHERE name = 'mig_role'"):
        raise SourceUnfit("there is no table mig_role; install the fences first")


def _prepare_table(connection: sqlite3.Connection, table: Table) -> None:
    columns, key = _columns(connection, table)
    listed = json.dumps(columns)
    connection.execute(
        "INSERT INTO mig_changelog_shape (tbl, columns, digest) SELECT ?1, ?2, ''"
        " WHERE ?2 IS NOT (SELECT columns FROM mig_changelog_shape WHERE tbl = ?1"
        " ORDER BY shape DESC LIMIT 1)",
        (table.name, listed),
    )
    ((number,),) = connection.execute(
        "SELECT max(shape) FROM mig_changelog_shape WHERE tbl = ?", (table.name,)
    )
    shape = Shape(table.name, number, columns, key, _uniques(connection, table.name))
    _place(connection, table.name, triggers(shape))
    connection.execute(
        "UPDATE mig_changelog_shape SET digest = ? WHERE shape = ?",
        (_digest(connection, table.name), number),
    )


def _place(connection: sqlite3.Connection, table: str, wanted: Sequence[str]) -> None:
    """Let our triggers of a table be these."""
    there = _pairs(
        connection,
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        f" AND tbl_name = {text(table)} AND name GLOB '{PREFIX}*'",
    )
    if sorted(there.values()) == sorted(wanted):
        return
    for name in there:
        connection.execute(f"DROP TRIGGER {quoted(name)}")
    for statement in wanted:
        connection.execute(statement)


def _columns(
    connection: sqlite3.Connection, table: Table
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All columns, and those of the primary key.

    Raises:
        SourceUnfit: the table cannot be captured.
    """
    found = connection.execute(
        "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table.name,)
    ).fetchall()
    if not found:
        raise SourceUnfit(f"there is no table {table.name}")
    columns = tuple(name.decode() for name, _ in found)
    key = tuple(name.decode() for name, at in sorted(found, key=lambda row: row[1]) if at)
    if not key:
        raise SourceUnfit(f"{table.name} has no primary key; build it anew with one")
    if set(key) != set(table.key) or len(key) > LONGEST_KEY:
        raise SourceUnfit(f"{table.name} has another primary key than {', '.join(table.key)}")
    if missing := sorted(table.columns.keys() - set(columns)):
        raise SourceUnfit(f"{table.name} lacks {', '.join(missing)}")
    return columns, key


def _uniques(connection: sqlite3.Connection, table: str) -> tuple[Unique, ...]:
    found: list[Unique] = []
    for index, sql in connection.execute(
        "SELECT l.name, coalesce(m.sql, '') FROM pragma_index_list(?) AS l"
        " LEFT JOIN sqlite_master AS m ON m.type = 'index' AND m.name = l.name"
        " WHERE l.\"unique\" AND l.origin <> 'pk' ORDER BY l.name",
        (table,),
    ).fetchall():
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index.decode(),)
            )
        ]
        # An index on an expression is nothing that a shop's REPLACE goes by.
        if all(name is not None for name in names):
            columns = tuple(name.decode() for name in names)
            found.append(Unique(columns, condition_of(sql.decode())))
    return tuple(found)


def _digest(connection: sqlite3.Connection, table: str) -> str | None:
    rows = _texts(
        connection,
        "SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL"
        f" AND ((type = 'table' AND name = {text(table)})"
        f" OR (type = 'trigger' AND tbl_name = {text(table)} AND name GLOB '{PREFIX}*'))"
        " ORDER BY type, name",
    )
    if not any(kind == "table" for kind, _ in rows):
        return None
    return hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest()


def _our_triggers(connection: sqlite3.Connection) -> list[str]:
    rows = _texts(
        connection,
        f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB '{PREFIX}*'",
    )
    return [name for (name,) in rows]


def _texts(connection: sqlite3.Connection, statement: str) -> list[tuple[str, ...]]:
    rows = connection.execute(statement).fetchall()
    return [tuple(cell.decode() for cell in row) for row in rows]


def _pairs(connection: sqlite3.Connection, statement: str) -> dict[str, str]:
    return {first: second for first, second, *_ in _texts(connection, statement)}
