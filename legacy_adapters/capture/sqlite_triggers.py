"""How SQLite is made to keep a log: the SQL of triggers, and what they write. Pure.

A cell is written as `quote` writes it, which takes every value that SQLite can hold, unlike
its JSON functions: those refuse a BLOB, and with it the write of the shop. Text with a zero
byte is written in hexadecimal, because `quote` cuts it there.
"""

# ruff: noqa: S608 - SQL is what this module makes; names and texts in it are quoted

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PREFIX = "mig_log_"
"""Of the names of triggers."""

TABLES = (
    """CREATE TABLE IF NOT EXISTS mig_changelog (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, op TEXT NOT NULL,
  shape INTEGER NOT NULL, is_ours INTEGER NOT NULL, at_ms INTEGER NOT NULL, before, after)""",
    # What the columns of a logged row are; a table that changes gets a new shape.
    """CREATE TABLE IF NOT EXISTS mig_changelog_shape (
  shape INTEGER PRIMARY KEY, tbl TEXT NOT NULL, columns TEXT NOT NULL, digest TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS mig_changelog_state (
  id INTEGER PRIMARY KEY CHECK (id = 1), is_ours INTEGER NOT NULL, life TEXT NOT NULL)""",
    # Rows that REPLACE may be about to push out: it fires no trigger of deletion.
    """CREATE TABLE IF NOT EXISTS mig_changelog_replaced (
  tbl TEXT NOT NULL, k0, k1, k2, k3, before)""",
)
TABLE_NAMES = (
    "mig_changelog", "mig_changelog_shape", "mig_changelog_state", "mig_changelog_replaced",
)  # fmt: skip
LONGEST_KEY = 4

ROLE_TRIGGERS = tuple(
    f"""CREATE TRIGGER {PREFIX}role_{what.split()[0].lower()} AFTER {what} ON mig_role BEGIN
  UPDATE mig_changelog_state SET is_ours = (NEW.role = 'replicator') WHERE id = 1;
END"""
    for what in ("INSERT", "UPDATE OF role")
)
"""The role is copied, so that writes of the shop go on when fences and roles are taken away.

It is set and taken back within a transaction of the replicator, so nobody else ever sees it:
what is logged meanwhile is the replicator's, exactly.
"""

_NOW_MS = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_LOG = "INSERT INTO mig_changelog (tbl, op, shape, is_ours, at_ms, before, after)"


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique index. `condition` says which rows are in it; "" for all."""

    columns: tuple[str, ...]
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as it stands in the database.

    Attributes:
        number: of its columns' list, in logged rows.
        key: its primary key's columns, in their order.
        uniques: its other unique indexes.
    """

    table: str
    number: int
    columns: tuple[str, ...]
    key: tuple[str, ...]
    uniques: tuple[Unique, ...]


def quoted(name: str) -> str:
    """An identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text for SQL."""
    return "'" + value.replace("'", "''") + "'"


def triggers(shape: Shape) -> tuple[str, ...]:
    """The SQL of all triggers of a table."""
    return (
        *_before(shape),
        _trigger(shape, "insert", "AFTER INSERT", _replaced(shape), _logged(shape, "i")),
        _trigger(shape, "update", "AFTER UPDATE", _forget(shape), _replaced(shape),
                 _logged(shape, "u")),
        _trigger(shape, "delete", "AFTER DELETE", _forget(shape), _logged(shape, "d")),
    )  # fmt: skip


def trigger_name(table: str, what: str) -> str:
    """Name of one of a table's triggers."""
    return f"{PREFIX}{table}_{what}"


def _trigger(shape: Shape, what: str, when: str, *statements: str) -> str:
    body = "\n".join(f"  {statement};" for statement in statements)
    name = quoted(trigger_name(shape.table, what))
    on, _, condition = when.partition(" WHEN ")
    rest = f" WHEN {condition}" if condition else ""
    return f"CREATE TRIGGER {name} {on} ON {quoted(shape.table)}{rest} BEGIN\n{body}\nEND"


def _logged(shape: Shape, op: str) -> str:
    before = "NULL" if op == "i" else _cells(shape, "OLD")
    after = "NULL" if op == "d" else _cells(shape, "NEW")
    return (
        f"{_LOG} SELECT {text(shape.table)}, '{op}', {shape.number}, is_ours, {_NOW_MS},"
        f" {before}, {after} FROM mig_changelog_state"
    )


def _cells(shape: Shape, of: str) -> str:
    return " || ',' || ".join(_cell(f"{of}.{quoted(name)}") for name in shape.columns)


def _cell(cell: str) -> str:
    return (
        f"CASE WHEN typeof({cell}) = 'text' AND instr({cell}, char(0))"
        f" THEN 'T' || hex({cell}) ELSE quote({cell}) END"
    )


def _before(shape: Shape) -> tuple[str, ...]:
    """Note the rows that stand in a new row's way.

    Whether they are pushed out is known only afterwards: an INSERT may also be ignored, be
    refused, or become an UPDATE.
    """
    of, name = quoted(shape.table), text(shape.table)
    indexes = (Unique(shape.key), *shape.uniques)
    # One index, one SELECT: in an OR SQLite would not use an index that is partial.
    found = [f"SELECT * FROM {of} WHERE {_meets(index)}" for index in indexes]
    note = (
        f"INSERT INTO mig_changelog_replaced (tbl, {_key_places(shape)}, before)"
        f" SELECT {name}, {', '.join(f'way.{quoted(k)}' for k in shape.key)},"
        f" {_cells(shape, 'way')} FROM ({' UNION '.join(found)}) AS way"
    )
    forget = f"DELETE FROM mig_changelog_replaced WHERE tbl = {name}"
    exists = " OR ".join(f"EXISTS ({select})" for select in found)
    other = f"NOT ({_same(shape.key, 'way', 'OLD')})"
    moving = sorted({column for index in indexes for column in index.columns})
    moved = " OR ".join(f"NEW.{quoted(column)} IS NOT OLD.{quoted(column)}" for column in moving)
    listed = ", ".join(quoted(column) for column in moving)
    return (
        _trigger(shape, "coming", f"BEFORE INSERT WHEN {exists}", forget, note),
        _trigger(shape, "moving", f"BEFORE UPDATE OF {listed} WHEN {moved}", forget,
                 f"{note} WHERE {other}"),
    )  # fmt: skip


def _replaced(shape: Shape) -> str:
    """Log the deletion of rows that stood in the way and are gone.

    One with the new row's own key is gone too: the new row stands in its place.
    """
    of, rows = quoted(shape.table), "mig_changelog_replaced"
    pairs = list(enumerate(shape.key))
    stands = " AND ".join(f"{of}.{quoted(name)} IS {rows}.k{at}" for at, name in pairs)
    is_new = " AND ".join(f"NEW.{quoted(name)} IS {rows}.k{at}" for at, name in pairs)
    return (
        f"{_LOG} SELECT tbl, 'd', {shape.number}, (SELECT is_ours FROM mig_changelog_state),"
        f" {_NOW_MS}, before, NULL FROM {rows} WHERE tbl = {text(shape.table)}"
        f" AND (({is_new}) OR NOT EXISTS (SELECT 1 FROM {of} WHERE {stands}));\n"
        f"  DELETE FROM {rows} WHERE tbl = {text(shape.table)}"
    )


def _forget(shape: Shape) -> str:
    """A row that was changed or deleted in the open is not one that was pushed out."""
    pairs = " AND ".join(f"k{at} IS OLD.{quoted(name)}" for at, name in enumerate(shape.key))
    return f"DELETE FROM mig_changelog_replaced WHERE tbl = {text(shape.table)} AND {pairs}"


def _meets(index: Unique) -> str:
    equal = " AND ".join(f"{quoted(name)} = NEW.{quoted(name)}" for name in index.columns)
    return f"{equal} AND ({index.condition})" if index.condition else equal


def _same(names: Sequence[str], one: str, other: str) -> str:
    return " AND ".join(f"{one}.{quoted(n)} IS {other}.{quoted(n)}" for n in names)


def _key_places(shape: Shape) -> str:
    return ", ".join(f"k{at}" for at in range(len(shape.key)))


_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|[()]|\bWHERE\b", re.IGNORECASE
)


def condition_of(index_sql: str) -> str:
    """What a partial index's definition says behind WHERE; "" where it says nothing."""
    depth = 0
    for found in _TOKEN.finditer(index_sql):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0 and found[0].upper() == "WHERE":
            return index_sql[found.end() :].strip()
    return ""


_CELL = re.compile(rb"'(?:[^']|'')*'|X'[0-9A-Fa-f]*'|[^,']+")

Native = None | int | float | str | bytes


def cells(logged: bytes) -> list[Native]:
    """The cells of a logged row, as SQLite holds them; text that is no UTF-8 as bytes.

    Raises:
        ValueError: nothing that a trigger wrote.
    """
    return [_native(found) for found in _CELL.findall(logged)]


def _native(found: bytes) -> Native:
    if found == b"NULL":
        return None
    first = found[:1]
    if first == b"'":
        return as_text(found[1:-1].replace(b"''", b"'"))
    if first == b"X":
        return bytes.fromhex(found[2:-1].decode())
    if first == b"T":
        return as_text(bytes.fromhex(found[1:].decode()))
    try:
        return int(found)
    except ValueError:
        return float(found)


def as_text(raw: bytes) -> str | bytes:
    """Text of a cell; bytes where it is none, which the mapping then refuses."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
