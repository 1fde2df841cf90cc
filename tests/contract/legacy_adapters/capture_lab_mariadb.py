"""A MariaDB on which sources of changes are tried."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from legacy_adapters.capture.mariadb import MariaDbSource
from legacy_adapters.mapping.rows import Table
from legacy_adapters.ports.capture import ChangeSource
from tests.contract.legacy_adapters.capture_labs import (
    ITEM,
    STREAM,
    TABLES,
    Lab,
    insert,
    item,
    make_tables,
)
from tests.support.mariadb import MariaDb, shared_mariadb
from tests.support.mariadb_shop import Shop


class MariaDbLab:
    """A fresh database of the session's server."""

    is_server = True

    def __init__(self, server: MariaDb) -> None:
        self.server = server
        self.database = f"t_{uuid.uuid4().hex}"
        self.url = server.url(self.database)
        self.engine: AsyncEngine = create_async_engine(
            server.url(self.database, driver="+aiomysql"), pool_size=20
        )

    def source(self, tables: Sequence[Table] = TABLES, name: str = STREAM) -> ChangeSource:
        return MariaDbSource(self.url, tables, name)

    async def admin(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as root."""
        return await asyncio.to_thread(self.server.run, *statements, database=self.database)

    async def cut(self) -> None:
        readers = await self.admin(
            "SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump'"
        )
        for (number,) in readers:
            await self.admin(f"KILL {number}")

    async def restart(self) -> None:
        await self.engine.dispose()
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.server.start)

    async def lose_log(self, source: ChangeSource) -> None:
        await asyncio.to_thread(Shop(self.server, self.database).purge)

    async def poison(self, number: int) -> str:
        async with self.engine.begin() as connection:
            await insert(connection, ITEM, item(number))
            await connection.execute(sa.text("SET sql_mode = ''"))
            await connection.execute(
                sa.text("UPDATE lab_item SET made_at = '0000-00-00' WHERE id = :id"), {"id": number}
            )
            await connection.execute(sa.text("SET sql_mode = DEFAULT"))
        return "made_at"


@asynccontextmanager
async def open_mariadb(_folder: Path, _port: int) -> AsyncIterator[Lab]:
    """A lab whose database is dropped in the end; skips where no server is installed."""
    try:
        lab = MariaDbLab(await asyncio.to_thread(shared_mariadb))
    except RuntimeError as error:
        pytest.skip(str(error))
    await asyncio.to_thread(lab.server.run, f"CREATE DATABASE {lab.database}")
    try:
        await make_tables(lab.engine)
        yield lab
    finally:
        await lab.engine.dispose()
        await lab.admin(f"DROP DATABASE {lab.database}")
