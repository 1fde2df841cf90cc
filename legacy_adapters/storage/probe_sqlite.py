"""Looks at a SQLite database before its changes are captured."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.preflight import ForeignKey, LogFacts, TableFacts
from legacy_adapters.mapping.rows import ColumnKind, Table
from legacy_adapters.ports.probing import Probed

_TEXTS = (ColumnKind.TEXT, ColumnKind.JSON)
_TIMES = (ColumnKind.MOMENT, ColumnKind.DAY)


async def probe_sqlite(connection: AsyncConnection, contents: Collection[Table]) -> Probed:
    """Everything that a SQLite file can tell. There are no accounts and no scheduled jobs."""
    mode = str((await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one())
    found = await connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
        "ESCAPE '\\' AND name NOT LIKE 'mig\\_%' ESCAPE '\\' ORDER BY name"
    )
    names = [str(row[0]) for row in found]
    searched = {table.name: table for table in contents}
    tables, keys = [], []
    for name in names:
        tables.append(await _table(connection, name, searched.get(name)))
        keys += await _foreign_keys(connection, name)
    log = LogFacts({"journal_mode": mode.lower()}, retention_s=None, may_read=True)
    return Probed("sqlite", log, tuple(tables), tuple(keys))


async def _told(connection: AsyncConnection, statement: str) -> list[Any]:
    return list((await connection.exec_driver_sql(statement)).all())


async def _table(connection: AsyncConnection, name: str, searched: Table | None) -> TableFacts:
    quoted = _quoted(name)
    columns = await _told(connection, f"PRAGMA table_xinfo({quoted})")
    key = sorted((int(row[5]), str(row[1])) for row in columns if row[5])
    triggers = await connection.execute(
        sa.text(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name "
            "AND name NOT LIKE 'mig\\_%' ESCAPE '\\' ORDER BY name"
        ),
        {"name": name},
    )
    rows = (await connection.exec_driver_sql(f"SELECT COUNT(*) FROM {quoted}")).scalar_one()  # noqa: S608 - a quoted name of its own catalogue
    zero, broken = {}, {}
    if searched is not None:
        zero = await _count(
            connection, name, searched, _TIMES, "{0} IS NOT NULL AND julianday({0}) IS NULL"
        )
        broken = await _count(connection, name, searched, _TEXTS, "typeof({0}) = 'blob'")
    return TableFacts(
        name=name,
        columns=tuple(str(row[1]) for row in columns),
        generated=tuple(str(row[1]) for row in columns if row[6] in {2, 3}),
        key=tuple(column for _, column in key),
        triggers=tuple(str(row[0]) for row in triggers),
        rows=int(rows),
        zero_dates=zero,
        broken_text=broken,
        unsafe_unique=await _nocase(connection, name),
    )


async def _count(
    connection: AsyncConnection,
    name: str,
    table: Table,
    kinds: Collection[ColumnKind],
    condition: str,
) -> dict[str, int]:
    """Columns of some kinds to how many of their cells meet a condition, in one reading."""
    real = {row[1] for row in await _told(connection, f"PRAGMA table_info({_quoted(name)})")}
    chosen = [one for one, column in table.columns.items() if column.kind in kinds and one in real]
    if not chosen:
        return {}
    sums = ", ".join(f"COALESCE(SUM({condition.format(_quoted(one))}), 0)" for one in chosen)
    found = await connection.exec_driver_sql(f"SELECT {sums} FROM {_quoted(name)}")  # noqa: S608 - quoted names
    return {one: int(count) for one, count in zip(chosen, found.one(), strict=True) if count}


async def _foreign_keys(connection: AsyncConnection, name: str) -> list[ForeignKey]:
    found = await _told(connection, f"PRAGMA foreign_key_list({_quoted(name)})")
    return [
        ForeignKey(name, str(row[3]), str(row[2]), on_delete=str(row[6]), on_update=str(row[5]))
        for row in found
    ]


async def _nocase(connection: AsyncConnection, name: str) -> tuple[str, ...]:
    found = []
    for index in await _told(connection, f"PRAGMA index_list({_quoted(name)})"):
        if not index[2]:
            continue
        parts = await _told(connection, f"PRAGMA index_xinfo({_quoted(str(index[1]))})")
        if any(part[5] and str(part[4]).upper() == "NOCASE" for part in parts):
            found.append(str(index[1]))
    return tuple(found)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
