"""Opens a store's database to write our marks and rows to it, and makes its errors ours."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from legacy_adapters.errors import AdapterError, RowRefused, SourceUnavailable, SourceUnfit

SQLITE, POSTGRESQL, MARIADB = "sqlite", "postgresql", "mysql"
"""Names of the dialects, as the engines here have them."""

BUSY_MS = 20_000

# SQLite's own waiting sleeps up to 100 ms at a time, and would starve among writers that come and
# go. One that asks this often gets the lock when it is free.
_ASK_AGAIN_S = 0.002

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "mysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
}
# Strict: what does not fit is refused and not cut, and a key of 0 is a key. In UTC: a moment
# is written as it stands. Read committed: no gaps are locked that the shop wants to write to.
_MARIADB_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', "
    "time_zone = '+00:00', tx_isolation = 'READ-COMMITTED', idle_transaction_timeout = 60"
)
_MARIADB_UNFIT = frozenset((1044, 1045, 1049, 1054, 1142, 1146, 1227, 1370, 1419))
_MARIADB_REFUSED = frozenset((1048, 1062, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 4025))


def open_engine(text: str, *, pool_size: int = 2) -> AsyncEngine:
    """An engine on an existing database; it connects when first used.

    On SQLite a transaction begins where the caller says so, by BEGIN IMMEDIATE.

    Raises:
        SourceUnavailable: there is no such file.
        SourceUnfit: no URL of a database that can be synced, or its driver is missing.
    """
    url = _url(text)
    try:
        if url.get_backend_name() == SQLITE:
            return _sqlite(url)
        options: dict[str, Any] = {"timeout": 10, "command_timeout": 120}
        if url.get_backend_name() == MARIADB:
            options = {
                "connect_timeout": 10,
                "init_command": _MARIADB_SESSION,
                "charset": "utf8mb4",
            }
        else:
            options["server_settings"] = {"timezone": "UTC"}
        return create_async_engine(
            url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True, connect_args=options
        )
    except ModuleNotFoundError as exc:
        raise SourceUnfit(
            f"the driver {exc.name} is missing: pip install 'banyan-migration[sync]'"
        ) from exc


async def begin_writing(connection: AsyncConnection, wait_s: float = BUSY_MS / 1000) -> None:
    """Begin a transaction that writes; on SQLite alone one says so, and waits for others.

    Raises:
        OperationalError: the file was locked for all that time.
    """
    if connection.dialect.name != SQLITE:
        return
    deadline = asyncio.get_running_loop().time() + wait_s
    await connection.exec_driver_sql("PRAGMA busy_timeout=0")
    while True:
        try:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            break
        except OperationalError as exc:
            if not is_locked(exc) or asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(_ASK_AGAIN_S)
    # Without WAL the commit waits for readers.
    await connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MS}")


def first_line(error: BaseException) -> str:
    """What a database said, without the statement that it said it about."""
    text = str(getattr(error, "orig", None) or error)
    return (text.splitlines() or [type(error).__name__])[0]


def sqlstate(error: BaseException) -> str:
    """The code of PostgreSQL; "" elsewhere."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def errno(error: BaseException) -> int:
    """The code of MariaDB; 0 elsewhere."""
    said = getattr(getattr(error, "orig", None), "args", None) or (0,)
    return said[0] if isinstance(said[0], int) else 0


def is_locked(error: BaseException) -> bool:
    """Whether another one holds what was asked for; SQLite's word for it."""
    return "is locked" in str(getattr(error, "orig", "") or "")


def ours(error: Exception, table: str = "") -> AdapterError:
    """What a caller can act on: mend the row, mend the database, or try again."""
    text = first_line(error)
    if not isinstance(error, DBAPIError):
        return SourceUnavailable(text)
    state, number = sqlstate(error), errno(error)
    if state:
        return _of_postgresql(error, state, table)
    if number in _MARIADB_UNFIT or (not number and _lacks(text)):
        return SourceUnfit(text)
    if number in _MARIADB_REFUSED or isinstance(error, IntegrityError | DataError):
        return RowRefused(table, text)
    if isinstance(error, ProgrammingError):
        return SourceUnfit(text)
    return SourceUnavailable(text)


def _of_postgresql(error: DBAPIError, state: str, table: str) -> AdapterError:
    text = first_line(error)
    if state[:2] in {"22", "23"}:
        cause = getattr(error.orig, "__cause__", None)
        return RowRefused(table or str(getattr(cause, "table_name", None) or ""), text)
    if state[:2] in {"42", "3D", "3F", "28", "0A"}:
        return SourceUnfit(text)
    return SourceUnavailable(text)


def _lacks(text: str) -> bool:
    return any(word in text for word in ("no such", "has no column", "not a database"))


def _url(text: str) -> URL:
    try:
        url = make_url(text)
        return url.set(drivername=_DRIVERS[url.get_backend_name()])
    except (ArgumentError, NoSuchModuleError) as exc:
        raise SourceUnfit(
            f"{text!r} is not a database URL, e.g. sqlite:///var/legacy/oscar.sqlite3"
        ) from exc
    except KeyError as exc:
        raise SourceUnfit(
            f"{exc.args[0]} is not supported; use sqlite, postgresql or mariadb"
        ) from exc


def _sqlite(url: URL) -> AsyncEngine:
    path = Path(str(url.database or ""))
    if not path.is_file():
        # SQLite would make an empty one.
        raise SourceUnavailable(f"there is no database file {path}")
    file = url.set(database=f"file:{path.resolve()}", query={"mode": "rw", "uri": "true"})
    engine = create_async_engine(file, poolclass=NullPool)

    def configure(connection: Any, _record: object) -> None:
        # The driver's own transaction handling would commit before DDL and begin late.
        connection.isolation_level = None
        cursor = connection.cursor()
        # A fence that a power cut takes back is none.
        for pragma in (f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "synchronous=FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    sa.event.listen(engine.sync_engine, "connect", configure)
    return engine
