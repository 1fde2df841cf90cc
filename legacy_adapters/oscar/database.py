"""Reads oscar's database: SQLite, PostgreSQL or MariaDB, by URL, and never writes to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from legacy_adapters.errors import LegacyUnavailable, LegacyUnreadable

Cells = Mapping[str, Any]

_CHUNK = 500
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "mysql": "mysql+aiomysql",
    "mariadb": "mariadb+aiomysql",
}


class OscarDatabase:
    """One connection to oscar's database, opened when first used.

    Columns have no types here: cells arrive as the driver gives them, so that one that is
    broken parks its row instead of failing the page.
    """

    def __init__(self, url: str) -> None:
        self._engine = reading_engine(url)
        self._connection: AsyncConnection | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        await self._engine.dispose()

    async def rows(self, statement: sa.Executable) -> list[Cells]:
        """All rows of a statement.

        Raises:
            LegacyUnavailable: no answer; safe to try again.
            LegacyUnreadable: a table or column is missing.
        """
        try:
            if self._connection is None:
                connection = await self._engine.connect()
                self._connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            result = await self._connection.execute(statement)
            return [dict(row) for row in result.mappings()]
        except (SQLAlchemyError, OSError, ModuleNotFoundError) as exc:
            raise _ours(exc) from exc

    async def rows_in(
        self, statement: sa.Select[Any], column: sa.ColumnElement[Any], values: Collection[int]
    ) -> list[Cells]:
        """All rows of a statement whose column is one of the values."""
        found: list[Cells] = []
        for part in chunks(values):
            found += await self.rows(statement.where(column.in_(part)))
        return found

    async def value(self, statement: sa.Executable) -> Any:
        """The only cell of a statement's only row."""
        (row,) = await self.rows(statement)
        (cell,) = row.values()
        return cell


def chunks(values: Collection[int]) -> Iterator[list[int]]:
    """The values in lists that every database takes in one IN."""
    rest = iter(values)
    while part := list(islice(rest, _CHUNK)):
        yield part


def reading_engine(text: str) -> AsyncEngine:
    """An engine that only reads. The caller disposes of it.

    Raises:
        LegacyUnreadable: no URL of a database that oscar runs on.
        LegacyUnavailable: there is no such file.
    """
    url = _url(text)
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True)
    path = Path(str(url.database or ""))
    if not path.is_file():
        raise LegacyUnavailable(f"there is no database file {path}")
    # Read-only, so that a wrong path makes no empty shop and a bug here harms none.
    read_only = url.set(database=f"file:{path.resolve()}", query={"mode": "ro", "uri": "true"})
    engine = create_async_engine(read_only, connect_args={"timeout": 20})

    def configure(connection: Any, _record: object) -> None:
        # Text that is no UTF-8 parks its row as text with a mark, not the whole page.
        connection.driver_connection._conn.text_factory = _text

    sa.event.listen(engine.sync_engine, "connect", configure)
    return engine


def _text(raw: bytes) -> str | bytes:
    """Text of a SQLite cell; bytes where it is none, which the mapping then refuses."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _url(text: str) -> URL:
    try:
        url = make_url(text)
        driver = _DRIVERS[url.get_backend_name()]
    except (ArgumentError, NoSuchModuleError) as exc:
        raise LegacyUnreadable(
            f"{text!r} is not a database URL, e.g. sqlite:///var/legacy/oscar.sqlite3"
        ) from exc
    except KeyError as exc:
        raise LegacyUnreadable(
            f"{exc.args[0]} is not supported; use sqlite, postgresql or mariadb"
        ) from exc
    return url.set(drivername=driver)


def _ours(exc: Exception) -> LegacyUnavailable | LegacyUnreadable:
    text = (str(getattr(exc, "orig", None) or exc).splitlines() or [type(exc).__name__])[0]
    if isinstance(exc, ModuleNotFoundError):
        return LegacyUnreadable(f"the driver {exc.name} is not installed: pip install {exc.name}")
    missing = isinstance(exc, OperationalError) and ("no such" in text or "doesn't exist" in text)
    if missing or isinstance(exc, ProgrammingError):
        return LegacyUnreadable(f"this is no database of an oscar shop: {text}")
    if isinstance(exc, OperationalError | InterfaceError | OSError):
        return LegacyUnavailable(text)
    return LegacyUnreadable(text)
