"""INSERT … ON CONFLICT for both engines, with the types kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, Any]


async def add(connection: AsyncConnection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows, or add their numbers to the rows that have the same key."""
    await _upsert(connection, table, rows, adding=True)


async def put(connection: AsyncConnection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows, or replace the rows that have the same key."""
    await _upsert(connection, table, rows, adding=False)


async def put_new(connection: AsyncConnection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows whose key is not there yet; leave the others as they are."""
    if rows:
        await connection.execute(_insert(connection, table).on_conflict_do_nothing(), list(rows))


async def _upsert(
    connection: AsyncConnection, table: sa.Table, rows: Sequence[Row], *, adding: bool
) -> None:
    if not rows:
        return
    insert = _insert(connection, table)
    keys = list(table.primary_key.columns)
    values = [c for c in table.columns if not c.primary_key and c.name in rows[0]]
    changes = {
        c.name: (c + insert.excluded[c.name]) if adding else insert.excluded[c.name] for c in values
    }
    # Sorted by key: two writers that add to the same rows then take their locks in one order.
    ordered = sorted(rows, key=lambda row: [row[c.name] for c in keys])
    statement = insert.on_conflict_do_update(index_elements=keys, set_=changes)
    await connection.execute(statement, ordered)


def _insert(connection: AsyncConnection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
