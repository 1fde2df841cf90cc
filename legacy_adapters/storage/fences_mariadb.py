"""Fences in MariaDB: a trigger per row, which reads the fence's row with a shared lock."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.errors import FenceTimeout, SourceUnfit
from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.fences_rules import EVENTS, ROLES, message, trigger_name
from legacy_adapters.storage.opening import errno, first_line
from legacy_adapters.storage.tables import marks as t

_INSTALL_WAIT_S = 60.0
_PAUSE_S = 0.1
_DEADLOCK = 1213
# Lock wait timeout, max_statement_time exceeded, and a query that was killed
_LATE = frozenset((1205, 1969, 1317, _DEADLOCK))
_STANDING = sa.text("""
SELECT trigger_name AS name, event_object_table AS of_table, action_statement AS body
FROM information_schema.triggers
WHERE trigger_schema = database() AND trigger_name LIKE 'mig\\_fence\\_%'
""")
_TABLES = sa.text("""
SELECT table_name AS name, engine FROM information_schema.tables
WHERE table_schema = database() AND table_type = 'BASE TABLE'
""")
_CASCADES = sa.text("""
SELECT constraint_name AS name, table_name AS child, referenced_table_name AS parent
FROM information_schema.referential_constraints
WHERE constraint_schema = database()
  AND (delete_rule NOT IN ('RESTRICT', 'NO ACTION') OR update_rule NOT IN ('RESTRICT', 'NO ACTION'))
""")


class MariadbGatekeeper:
    """See `Gatekeeper`."""

    def __init__(self, side: Side) -> None:
        self._side = side

    async def make_marks(self, engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            for table in t.EVERYWHERE:
                await connection.execute(sa.schema.CreateTable(table, if_not_exists=True))

    async def fence(self, engine: AsyncEngine, tables: Mapping[str, str]) -> None:
        async with engine.connect() as connection:
            await _refuse_unfit(connection, tables)
            for table in await self.gaps(connection, tables):
                for event in EVENTS:
                    text = self._trigger(event, table, tables[table])
                    await _patiently(connection, table, text)

    async def unfence(self, engine: AsyncEngine, tables: Sequence[str] | None) -> None:
        async with engine.connect() as connection:
            for name, (table, _) in (await _standing(connection)).items():
                if tables is None or table in tables:
                    text = f"DROP TRIGGER IF EXISTS {quoted(name)}"
                    await _patiently(connection, table, text)

    async def gaps(self, connection: AsyncConnection, tables: Mapping[str, str]) -> Sequence[str]:
        standing = await _standing(connection)
        return [
            table
            for table, domain in tables.items()
            if any(
                standing.get(trigger_name(event, table)) != (table, body(domain, self._side))
                for event in EVENTS
            )
        ]

    async def change(
        self, engine: AsyncEngine, domain: str, statement: sa.Update, wait_s: float
    ) -> tuple[bool, float]:
        clock = asyncio.get_running_loop().time
        began = clock()
        async with engine.connect() as plain:
            # One statement is one transaction: nobody can die in the middle of it.
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            while True:
                left_s = max(began + wait_s - clock(), 0.001)
                try:
                    found = await connection.exec_driver_sql(_bounded(statement, left_s, engine))
                except DBAPIError as exc:
                    if errno(exc) == _DEADLOCK and clock() < began + wait_s:
                        # A writer that waits for another's row may be the third of a circle.
                        continue
                    if errno(exc) not in _LATE:
                        raise
                    text = f"writers of {domain} were at it for {wait_s:g} s"
                    raise FenceTimeout(text) from exc
                return found.rowcount == 1, clock() - began

    def _trigger(self, event: str, table: str, domain: str) -> str:
        return (
            f"CREATE OR REPLACE TRIGGER {quoted(trigger_name(event, table))}"
            f" BEFORE {event.upper()} ON {quoted(table)} FOR EACH ROW {body(domain, self._side)}"
        )


def body(domain: str, side: Side) -> str:
    """What a trigger does for each row. The shared lock is what a closing fence waits for."""
    return (
        "BEGIN DECLARE seen VARCHAR(16);"  # noqa: S608 - names of our own
        f" IF coalesce(@banyan_role, '') NOT IN ({ROLES}) THEN"
        f" SELECT owner INTO seen FROM mig_fence WHERE domain = '{domain}' LOCK IN SHARE MODE;"
        f" IF seen IS NULL OR seen <> '{side}' THEN"
        f" SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1644, MESSAGE_TEXT = '{message(domain)}';"
        " END IF; END IF; END"
    )


def quoted(name: str) -> str:
    """A name that may be a reserved word."""
    return "`" + name.replace("`", "``") + "`"


def _bounded(statement: sa.Update, wait_s: float, engine: AsyncEngine) -> str:
    text = statement.compile(engine.sync_engine, compile_kwargs={"literal_binds": True})
    wait = f"max_statement_time = {wait_s:.3f}, innodb_lock_wait_timeout = {math.ceil(wait_s)}"
    return f"SET STATEMENT {wait} FOR {text}"


async def _standing(connection: AsyncConnection) -> dict[str, tuple[str, str]]:
    return {row.name: (row.of_table, row.body) for row in await connection.execute(_STANDING)}


async def _refuse_unfit(connection: AsyncConnection, tables: Mapping[str, str]) -> None:
    """Refuse what triggers cannot hold.

    Raises:
        SourceUnfit: a table is not there, its engine has no transactions, or a key cascades
            into it: MariaDB fires no trigger for what a cascade does.
    """
    engines = {row.name: row.engine for row in await connection.execute(_TABLES)}
    for table in tables:
        if engines.get(table) != "InnoDB":
            what = f"has the engine {engines[table]}" if table in engines else "is not there"
            raise SourceUnfit(f"the table {table} {what}; only one of InnoDB can be fenced")
    for row in await connection.execute(_CASCADES):
        if row.child in tables and tables.get(row.parent) != tables[row.child]:
            raise SourceUnfit(
                f"{row.name}: a write to {row.parent} changes rows of {row.child}, which fires no"
                f" trigger; make it RESTRICT, or fence {row.parent} with {tables[row.child]}"
            )


async def _patiently(connection: AsyncConnection, table: str, text: str) -> None:
    """Make or drop a trigger without making the table's writers wait long.

    1. A long transaction has written to the table, 2. the trigger waits for it, 3. all others
    wait behind the trigger. So it gives up soon, lets them through, and comes again.
    """
    deadline = asyncio.get_running_loop().time() + _INSTALL_WAIT_S
    while True:
        try:
            await connection.exec_driver_sql(f"SET STATEMENT lock_wait_timeout = 1 FOR {text}")
        except DBAPIError as exc:
            if errno(exc) not in _LATE:
                raise
            if asyncio.get_running_loop().time() >= deadline:
                raise FenceTimeout(f"{table} is never without writers: {first_line(exc)}") from exc
            await asyncio.sleep(_PAUSE_S)
        else:
            return
