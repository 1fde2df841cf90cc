"""Moves the legacy's own counters out of the way of keys that the core gives."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.number_ranges import FIRST_FREE
from legacy_adapters.mapping.rows import ColumnKind, Table
from legacy_adapters.storage.opening import MARIADB, SQLITE, open_engine, ours

_COUNTED_IN_SQLITE = sa.text(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND UPPER(sql) LIKE '%AUTOINCREMENT%'"
)
_COUNTED_IN_MARIADB = sa.text(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
    " AND auto_increment IS NOT NULL AND auto_increment < :first"
)


async def raise_counters(url: str, tables: Sequence[Table]) -> int:
    """Let rows that the legacy itself makes get numbers above the core's. Returns how many
    counters were moved; none in PostgreSQL, whose counters no given key moves.

    1. The core gives an order the number 1,000,000,007 and it is written into the legacy,
    2. that moves the legacy's counter there, 3. after a flip back the legacy makes an order with
    the number 1,000,000,008, 4. which the core gives to another one.

    Raises:
        SourceUnavailable, SourceUnfit: see `open_engine`.
    """
    counted = {
        table.name
        for table in tables
        if len(table.key) == 1 and table.columns[table.key[0]].kind is ColumnKind.INTEGER
    }
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            if engine.dialect.name == SQLITE:
                return await _in_sqlite(connection, counted)
            if engine.dialect.name == MARIADB:
                return await _in_mariadb(connection, counted)
    except (SQLAlchemyError, OSError) as exc:
        raise ours(exc) from exc
    finally:
        await engine.dispose()
    return 0


async def _in_sqlite(connection: AsyncConnection, tables: set[str]) -> int:
    await connection.exec_driver_sql("BEGIN IMMEDIATE")
    names = set((await connection.execute(_COUNTED_IN_SQLITE)).scalars()) & tables
    moved = 0
    for name in sorted(names):
        to = {"name": name, "last": FIRST_FREE - 1}
        found = await connection.execute(
            sa.text("UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = :name"), to
        )
        if not found.rowcount:
            await connection.execute(
                sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), to
            )
        moved += 1
    await connection.commit()
    return moved


async def _in_mariadb(connection: AsyncConnection, tables: set[str]) -> int:
    found = await connection.execute(_COUNTED_IN_MARIADB, {"first": FIRST_FREE})
    names = sorted(set(found.scalars()) & tables)
    for name in names:
        await connection.execute(sa.text(f"ALTER TABLE `{name}` AUTO_INCREMENT = {FIRST_FREE}"))
    await connection.commit()
    return len(names)
