"""Rows of an oscar shop in a SQLite file, as the sync sees them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from legacy_adapters.mapping.aggregates import AggregateRows, Child, Shape
from legacy_adapters.mapping.rows import Row, Table, plain


def schema_of(database: Path, table: str) -> set[str]:
    """The columns that a table really has."""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def rows_of(database: Path, table: Table) -> list[Row]:
    """All rows of a table, by key."""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        names = ", ".join(f'"{name}"' for name in table.columns)
        chosen = f"SELECT {names} FROM {table.name} ORDER BY {', '.join(table.key)}"  # noqa: S608 - our own names
        return [
            {
                name: plain(column, cell)
                for (name, column), cell in zip(table.columns.items(), row, strict=True)
            }
            for row in connection.execute(chosen)
        ]


def aggregates_of(database: Path, shape: Shape) -> list[AggregateRows]:
    """All aggregates of a shape."""
    rows = {table.name: rows_of(database, table) for table in shape.tables}
    found: list[AggregateRows] = []
    for root in rows[shape.root.name]:
        mine: dict[str, tuple[Row, ...]] = {shape.root.name: (root,)}
        for part in shape.parts:
            held, by = ("id", part.by) if isinstance(part, Child) else (part.by, "id")
            above = {one[held] for one in mine[part.of or shape.root.name]}
            mine[part.table.name] = tuple(one for one in rows[part.table.name] if one[by] in above)
        found.append(mine)
    return found
