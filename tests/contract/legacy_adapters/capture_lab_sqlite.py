"""A SQLite file on which sources of changes are tried."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.capture.sqlite import SqliteSource
from legacy_adapters.mapping.rows import Table
from legacy_adapters.ports.capture import ChangeSource
from new_core.storage.engine import WRITING, make_engine
from tests.contract.legacy_adapters.capture_labs import (
    ITEM,
    STREAM,
    TABLES,
    Lab,
    insert,
    item,
    make_tables,
)


class SqliteLab:
    """A fresh file. Nobody can cut a connection to it."""

    is_server = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine: AsyncEngine = make_engine(f"sqlite:///{path}", pool_size=20).execution_options(
            **{WRITING: True}
        )

    def source(self, tables: Sequence[Table] = TABLES, name: str = STREAM) -> ChangeSource:
        return SqliteSource(str(self.path), tables, name)

    async def cut(self) -> None:
        return

    async def restart(self) -> None:
        return

    async def lose_log(self, source: ChangeSource) -> None:
        def delete() -> None:
            connection = sqlite3.connect(self.path)
            with connection:
                connection.execute("DELETE FROM mig_changelog")
            connection.close()

        await asyncio.to_thread(delete)

    async def poison(self, number: int) -> str:
        async with self.engine.begin() as connection:
            await insert(connection, ITEM, item(number))
            await connection.execute(
                sa.text("UPDATE lab_item SET name = CAST(x'ff' AS TEXT) WHERE id = :id"),
                {"id": number},
            )
        return "name"


@asynccontextmanager
async def open_sqlite(folder: Path, _port: int) -> AsyncIterator[Lab]:
    """A lab in a folder of the test."""
    lab = SqliteLab(folder / "lab.sqlite3")
    try:
        await make_tables(lab.engine)
        async with lab.engine.begin() as connection:
            await connection.exec_driver_sql(
                "CREATE TABLE mig_role (id INTEGER PRIMARY KEY CHECK (id = 1), role TEXT NOT NULL)"
            )
            await connection.exec_driver_sql("INSERT INTO mig_role VALUES (1, '')")
        yield lab
    finally:
        await lab.engine.dispose()
