"""A PostgreSQL on which sources of changes are tried."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from legacy_adapters.capture.postgres import PostgresSource
from legacy_adapters.mapping.rows import Table
from legacy_adapters.ports.capture import ChangeSource
from tests.contract.legacy_adapters.capture_labs import ITEM as _ITEM
from tests.contract.legacy_adapters.capture_labs import (
    STREAM,
    TABLES,
    Lab,
    insert,
    item,
    make_tables,
)
from tests.support.postgres import _run_as


class PostgresLab:
    """A fresh database of the session's server."""

    is_server = True

    def __init__(self, port: int) -> None:
        self.port = port
        self.database = f"t_{uuid.uuid4().hex}"
        self.url = f"postgresql://postgres@127.0.0.1:{port}/{self.database}"
        self.engine: AsyncEngine = create_async_engine(
            self.url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=20
        )

    def source(self, tables: Sequence[Table] = TABLES, name: str = STREAM) -> ChangeSource:
        return PostgresSource(self.url, tables, name)

    async def admin(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Run a statement in the server's own database."""
        connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        try:
            found: list[asyncpg.Record] = await connection.fetch(statement, *values)
        finally:
            await connection.close()
        return found

    async def cut(self) -> None:
        await self.admin(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
            " WHERE active_pid IS NOT NULL AND database = $1",
            self.database,
        )

    async def restart(self) -> None:
        await self.engine.dispose()
        ((folder,),) = await self.admin("SHOW data_directory")
        ((options,),) = await self.admin("SELECT pg_read_file('postmaster.opts')")
        control = Path(options.split(maxsplit=1)[0].strip('"')).with_name("pg_ctl")
        await asyncio.to_thread(_restart, control, folder)

    async def lose_log(self, source: ChangeSource) -> None:
        await self.admin(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE database = $1",
            self.database,
        )

    async def poison(self, number: int) -> str:
        async with self.engine.begin() as connection:
            await insert(connection, _ITEM, item(number))
            await connection.execute(
                sa.text("UPDATE lab_item SET made_at = 'infinity' WHERE id = :id"), {"id": number}
            )
        return "made_at"


@asynccontextmanager
async def open_postgres(_folder: Path, port: int) -> AsyncIterator[Lab]:
    """A lab whose database is dropped in the end, slots and all."""
    lab = PostgresLab(port)
    await lab.admin(f"CREATE DATABASE {lab.database}")
    try:
        await make_tables(lab.engine)
        yield lab
    finally:
        await lab.engine.dispose()
        await lab.cut()
        while await lab.admin(
            "SELECT 1 FROM pg_replication_slots WHERE active AND database = $1", lab.database
        ):
            await asyncio.sleep(0.01)
        await lab.admin(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE database = $1",
            lab.database,
        )
        await lab.admin(f"DROP DATABASE {lab.database} WITH (FORCE)")


def _restart(control: Path, folder: str) -> None:
    subprocess.run(
        [str(control), "-D", folder, "-m", "immediate", "-w", "-l", f"{folder}/../log", "restart"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=60, **_run_as(),
    )  # fmt: skip
