"""SQLite without a thread in between, for reads.

aiosqlite sends every call to a thread and back: opening a cursor, executing, fetching and
closing cost four round trips of about 100 µs each, where the read itself takes 20 µs. In WAL
mode a reader waits for nobody, so reads may run on the event loop. Writes wait for each
other and stay with aiosqlite.

The classes have what SQLAlchemy's adapter for asynchronous drivers calls, and no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self


class InlineCursor:
    """A cursor whose coroutines never wait."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        self._cursor.execute(sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        self._cursor.executemany(sql, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid


class InlineConnection:
    """A connection whose coroutines never wait for a thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = connection

    def cursor(self) -> InlineCursor:
        return InlineCursor(self._open().cursor())

    async def create_function(
        self, name: str, arity: int, function: Callable[..., Any], **options: Any
    ) -> None:
        self._open().create_function(name, arity, function, **options)

    async def commit(self) -> None:
        self._open().commit()

    async def rollback(self) -> None:
        self._open().rollback()

    async def close(self) -> None:
        self.stop()

    def stop(self) -> None:
        """Close without waiting."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("no active connection")
        return self._connection


def connector(path: str, *, busy_timeout_s: float) -> Callable[..., Any]:
    """What SQLAlchemy calls, with arguments of its own choice, to get a connection."""

    async def connect(*_arguments: object, **_options: object) -> InlineConnection:
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
        try:
            for pragma in ("query_only=ON", "cache_size=-16000"):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return InlineConnection(connection)

    return connect
