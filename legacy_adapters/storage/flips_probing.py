"""What a flip asks a database beside its fences: barriers, open transactions, counters."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.mapping.number_ranges import FIRST_FREE, FIRST_OWN
from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.marks_writing import read_applied
from legacy_adapters.storage.opening import MARIADB, SQLITE, ours

_BUSY_S = 5.0
"""SQLite does not say how long a writer has been at it; one that keeps others out is too long."""

_OLDEST = {
    "postgresql": (
        "SELECT COALESCE(MAX(EXTRACT(EPOCH FROM clock_timestamp() - xact_start)), 0)"
        " FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    ),
    MARIADB: (
        "SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0)"
        " FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> CONNECTION_ID()"
    ),
}
_COUNTERS = {
    "postgresql": (
        "SELECT sequencename AS name, COALESCE(last_value, start_value) AS last"
        " FROM pg_sequences WHERE schemaname = current_schema()"
    ),
    MARIADB: (
        "SELECT table_name AS name, auto_increment AS last FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND auto_increment IS NOT NULL"
    ),
    SQLITE: "SELECT name, seq AS last FROM sqlite_sequence",
}


@dataclass(frozen=True, slots=True)
class SqlApplied:
    """Implements cutover's port `Applied`: reads barriers without keeping writers waiting."""

    engine: AsyncEngine

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        try:
            async with self.engine.connect() as connection:
                return await read_applied(connection)
        except (SQLAlchemyError, OSError) as exc:
            raise ours(exc) from exc


@dataclass(frozen=True, slots=True)
class SqlCounters:
    """Implements cutover's port `Numbers` over the legacy's counters.

    The core draws its numbers from rows that stand beside what they name, so they are past
    every key in use by themselves; the legacy's counters are the ones that could run into them.
    """

    legacy: AsyncEngine

    async def ensure(self, domain: str, side: Side) -> Sequence[str]:  # noqa: ARG002 - all or none
        """Which counters of the legacy would draw the core's keys."""
        try:
            async with self.legacy.connect() as connection:
                if not await _has_counters(connection):
                    return ()
                asked = sa.text(_COUNTERS[connection.dialect.name])
                found = [(row.name, int(row.last)) for row in await connection.execute(asked)]
        except (SQLAlchemyError, OSError) as exc:
            raise ours(exc) from exc
        return tuple(
            f"{name} of the legacy draws {last + 1} next, which is the core's"
            for name, last in found
            if FIRST_OWN - 1 <= last < FIRST_FREE - 1
        )


async def oldest_transaction(engine: AsyncEngine) -> float:
    """For how long the oldest transaction of others has been open, in seconds.

    Raises:
        SourceUnavailable, SourceUnfit: it cannot be asked.
    """
    try:
        async with engine.connect() as connection:
            if connection.dialect.name == SQLITE:
                return await _is_busy(connection)
            asked = sa.text(_OLDEST[connection.dialect.name])
            return float((await connection.execute(asked)).scalar_one())
    except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
        raise ours(exc) from exc


async def _is_busy(connection: AsyncConnection) -> float:
    """Asked of the driver itself: SQLAlchemy has begun a transaction of its own by now."""
    raw: Any = (await connection.get_raw_connection()).driver_connection
    try:
        await raw.execute(f"PRAGMA busy_timeout={int(_BUSY_S * 1_000)}")
        await raw.execute("BEGIN IMMEDIATE")
        await raw.execute("ROLLBACK")
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc) or "busy" in str(exc):
            return _BUSY_S
        raise
    finally:
        # The time-out is the connection's; the next one from the pool shall wait as it should.
        await connection.invalidate()
    return 0.0


async def _has_counters(connection: AsyncConnection) -> bool:
    if connection.dialect.name != SQLITE:
        return True
    asked = sa.text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")
    return (await connection.execute(asked)).first() is not None
