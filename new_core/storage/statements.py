"""Statements that every store here needs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

_VALUES = "values"

CHUNK = 2000
"""Most values in one IN list; a cart's lines, of any number, fit into one statement."""

Row = sa.RowMapping


def chunks(values: Collection[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The values in lists of at most `size`."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def one_of(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """The condition that `fetch` fills in. A statement made once is compiled once."""
    return column.in_(sa.bindparam(_VALUES, expanding=True))


async def fetch(
    connection: AsyncConnection,
    statement: sa.Executable,
    values: Collection[Any],
    **parameters: Any,
) -> list[Row]:
    """All rows of a statement with a `one_of`, for any number of values."""
    found: list[Row] = []
    for part in chunks(values):
        result = await connection.execute(statement, {_VALUES: part, **parameters})
        found.extend(result.mappings())
    return found


async def upsert(
    connection: AsyncConnection,
    table: sa.Table,
    rows: Sequence[dict[str, Any]],
    now: datetime,
) -> None:
    """Insert rows, or overwrite those of the same key and count their version up."""
    if not rows:
        return
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    keys = [column.name for column in table.primary_key]
    insert = make(table)
    changes: dict[str, Any] = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    written = {}
    if "version" in table.c:
        changes["version"] = table.c.version + 1
        changes["updated_at"] = insert.excluded.updated_at
        written = {"version": 1, "updated_at": now}
    statement = (
        insert.on_conflict_do_update(index_elements=keys, set_=changes)
        if changes
        else insert.on_conflict_do_nothing(index_elements=keys)
    )
    await connection.execute(statement, [{**row, **written} for row in rows])


async def replace_children(
    connection: AsyncConnection,
    column: sa.Column[Any],
    owners: Collection[Any],
    rows: Sequence[dict[str, Any]],
) -> None:
    """Put rows in the place of all those that belong to `owners`."""
    for part in chunks(owners):
        await connection.execute(sa.delete(column.table).where(column.in_(part)))
    if rows:
        await connection.execute(sa.insert(column.table), list(rows))
