"""Fences in SQLite, where one transaction at a time writes: having the lock is the drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.errors import FenceTimeout
from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.fences_rules import EVENTS, PREFIX, ROLES, message, trigger_name
from legacy_adapters.storage.opening import BUSY_MS, is_locked
from legacy_adapters.storage.tables import marks as t

_ASK_AGAIN_S = 0.002


class SqliteGatekeeper:
    """See `Gatekeeper`."""

    def __init__(self, side: Side) -> None:
        self._side = side

    async def make_marks(self, engine: AsyncEngine) -> None:
        async with _locked(engine, BUSY_MS / 1000, "its marks") as connection:
            for table in (*t.EVERYWHERE, t.role):
                await connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            await connection.exec_driver_sql("INSERT OR IGNORE INTO mig_role VALUES (1, '')")

    async def fence(self, engine: AsyncEngine, tables: Mapping[str, str]) -> None:
        async with _locked(engine, BUSY_MS / 1000, "its marks") as connection:
            for table in await self.gaps(connection, tables):
                for event in EVENTS:
                    name = trigger_name(event, table)
                    await connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {quoted(name)}")
                    await connection.exec_driver_sql(
                        trigger(event, table, tables[table], self._side)
                    )

    async def unfence(self, engine: AsyncEngine, tables: Sequence[str] | None) -> None:
        if tables is not None and not tables:
            return
        async with _locked(engine, BUSY_MS / 1000, "its marks") as connection:
            names = await self._standing(connection)
            if tables is not None:
                gone = {trigger_name(event, table) for event in EVENTS for table in tables}
                names = {name: text for name, text in names.items() if name in gone}
            for name in names:
                await connection.exec_driver_sql(f"DROP TRIGGER {quoted(name)}")

    async def gaps(self, connection: AsyncConnection, tables: Mapping[str, str]) -> Sequence[str]:
        standing = await self._standing(connection)
        return [
            table
            for table, domain in tables.items()
            if any(
                standing.get(trigger_name(event, table))
                != trigger(event, table, domain, self._side)
                for event in EVENTS
            )
        ]

    async def change(
        self, engine: AsyncEngine, domain: str, statement: sa.Update, wait_s: float
    ) -> tuple[bool, float]:
        clock = asyncio.get_running_loop().time
        began = clock()
        async with _locked(engine, wait_s, domain) as connection:
            waited_s = clock() - began
            found = await connection.execute(statement)
        return found.rowcount == 1, waited_s

    async def _standing(self, connection: AsyncConnection) -> dict[str, str]:
        found = await connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE ?",
            (f"{PREFIX}%",),
        )
        return {row.name: row.sql for row in found}


def trigger(event: str, table: str, domain: str, side: Side) -> str:
    """The statement that makes one of a table's triggers."""
    return (  # a domain's name has letters only
        f"CREATE TRIGGER {quoted(trigger_name(event, table))} BEFORE {event.upper()}"  # noqa: S608 - names of our own
        f" ON {quoted(table)}\n"
        f"WHEN coalesce((SELECT role FROM mig_role WHERE id = 1), '') NOT IN ({ROLES})\n"
        f" AND (SELECT owner FROM mig_fence WHERE domain = '{domain}') IS NOT '{side}'\n"
        f"BEGIN SELECT RAISE(ABORT, '{message(domain)}'); END"
    )


def quoted(name: str) -> str:
    """A name that may be a reserved word."""
    return '"' + name.replace('"', '""') + '"'


@asynccontextmanager
async def _locked(
    engine: AsyncEngine, wait_s: float, purpose: str
) -> AsyncIterator[AsyncConnection]:
    """A transaction that no other writer overlaps; committed when the block ends well.

    Raises:
        FenceTimeout: others wrote, or in a file without WAL read, for all of `wait_s`.
    """
    async with engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout=0")
        deadline = asyncio.get_running_loop().time() + wait_s
        await _when_free(connection, "BEGIN IMMEDIATE", deadline, purpose)
        try:
            yield connection
            # Without WAL it is the readers' turn to make one wait.
            await _when_free(connection, "COMMIT", deadline, purpose)
        except BaseException:
            await connection.rollback()
            raise


async def _when_free(
    connection: AsyncConnection, statement: str, deadline: float, purpose: str
) -> None:
    while True:
        try:
            await connection.exec_driver_sql(statement)
        except OperationalError as exc:
            if not is_locked(exc):
                raise
            if asyncio.get_running_loop().time() >= deadline:
                raise FenceTimeout(f"the file was never free to write {purpose}") from exc
            await asyncio.sleep(_ASK_AGAIN_S)
        else:
            return
