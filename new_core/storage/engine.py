"""Engines for the two databases, set up so that both keep the same promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from new_core.errors import InvalidValue
from new_core.storage.inline_sqlite import connector

WRITING = "banyan_writing"
"""Execution option of connections that write: SQLite takes its one write lock at BEGIN."""

_READ_WAIT_S = 0.25
"""A reader waits only while another process opens or recovers the file."""

_TRY_WAIT_S = 2.0
_TRIES = 2
"""Dry runs at a time, and how long one of them waits for a lock that others hold."""

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def database_url(text: str) -> URL:
    """The URL with the driver that the core uses.

    Raises:
        InvalidValue: no URL, or one of a database that the core does not run on.
    """
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except ArgumentError as exc:
        raise InvalidValue("database", f"{text!r} is not a database URL") from exc
    if backend not in _DRIVERS:
        raise InvalidValue("database", f"{backend} is not supported; use sqlite or postgresql")
    return url.set(drivername=_DRIVERS[backend])


def make_engine(text: str, *, busy_timeout_s: float = 20.0, pool_size: int = 8) -> AsyncEngine:
    """An engine; it connects when first used. The caller disposes of it.

    Raises:
        InvalidValue: no usable URL.
    """
    url = database_url(text)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, busy_timeout_s, pool_size)
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"timeout": 10, "command_timeout": 60},
    )


def make_trier(text: str) -> AsyncEngine:
    """An engine for dry runs: few at a time, and none waits long for a lock or holds one long.

    Raises:
        InvalidValue: no usable URL.
    """
    url = database_url(text)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, _TRY_WAIT_S, _TRIES, _TRY_WAIT_S)
    wait_ms = str(int(_TRY_WAIT_S * 1000))
    return create_async_engine(
        url,
        pool_size=_TRIES,
        max_overflow=0,
        pool_timeout=_TRY_WAIT_S,
        pool_pre_ping=True,
        connect_args={
            "timeout": 10,
            "command_timeout": 60,
            "server_settings": {
                "lock_timeout": wait_ms,
                "statement_timeout": wait_ms,
                # The process may be stopped, or cut off, with a shopper's row locked.
                "idle_in_transaction_session_timeout": "10000",
            },
        },
    )


def make_reader(text: str, *, pool_size: int = 8) -> AsyncEngine:
    """An engine for reads: each transaction sees one state of the database and writes nothing.

    Raises:
        InvalidValue: no usable URL.
    """
    url = database_url(text)
    if url.get_backend_name() != "sqlite":
        engine = make_engine(text, pool_size=pool_size)
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    path = _file(url)
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"async_creator_fn": connector(path, busy_timeout_s=_READ_WAIT_S)},
    )

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    sa.event.listen(engine.sync_engine, "begin", begin)
    return engine


def _file(url: URL) -> str:
    if url.database in (None, "", ":memory:"):
        raise InvalidValue("database", "must be a file: every connection of the pool shares it")
    return str(url.database)


def _sqlite(
    url: URL, busy_timeout_s: float, pool_size: int, pool_timeout_s: float = 30.0
) -> AsyncEngine:
    Path(_file(url)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=pool_timeout_s
    )
    timeout_ms = int(busy_timeout_s * 1000)

    def configure(connection: Any, _record: object) -> None:
        # The driver's own transaction handling would commit before DDL and begin late.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={timeout_ms}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "cache_size=-16000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        # 1. A transaction reads, 2. another one commits, 3. the first wants to write and is
        # refused at once, whatever the timeout. Locking at BEGIN makes writers queue instead.
        writing = connection.get_execution_options().get(WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    sa.event.listen(engine.sync_engine, "connect", configure)
    sa.event.listen(engine.sync_engine, "begin", begin)
    return engine
