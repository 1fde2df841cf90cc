"""Open the evidence database the way each side of it needs."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from shadow_compare.errors import EvidenceUnavailable

BUSY_TIMEOUT_MS = 10_000
IDLE_IN_TRANSACTION_MS = 30_000


def parse(url: str) -> URL:
    """Read an async SQLAlchemy URL.

    Raises:
        EvidenceUnavailable: it is no such URL, or of an engine that is not supported.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise EvidenceUnavailable(f"not a database URL: {exc}") from exc
    if parsed.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        known = "sqlite+aiosqlite:///FILE or postgresql+asyncpg://HOST/NAME"
        raise EvidenceUnavailable(f"evidence is kept in {known}, not in {parsed.drivername}")
    if parsed.get_backend_name() == "sqlite" and sqlite_file(parsed) is None:
        raise EvidenceUnavailable("evidence is shared between processes; give SQLite a file")
    return parsed


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite URL, None for any other and for a database in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def writer_engine(url: URL) -> AsyncEngine:
    """An engine whose transactions take the write lock at once.

    A transaction that begins by reading and then writes can meet a snapshot that another
    writer has made stale, and SQLite then fails it without waiting. BEGIN IMMEDIATE waits
    in line instead.
    """
    if url.get_backend_name() != "sqlite":
        # Batches are stored one at a time: a comparer that is frozen in the middle of one
        # must not keep the others waiting for ever.
        settings = {"idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS)}
        return create_async_engine(
            url, pool_pre_ping=True, connect_args={"server_settings": settings}
        )
    engine = create_async_engine(url)
    # FULL: spool segments are deleted after the commit, so the commit must outlive the power.
    # What is deleted is overwritten with zeros: it was somebody's.
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
    _prepare(engine, pragmas, begin="BEGIN IMMEDIATE")
    return engine


def reader_engine(url: URL) -> AsyncEngine:
    """An engine that cannot write and creates no file."""
    file = sqlite_file(url)
    if file is None:
        # One answer is made of several queries: they must all see the same moment.
        return create_async_engine(
            url,
            pool_pre_ping=True,
            isolation_level="REPEATABLE READ",
            connect_args={"server_settings": {"default_transaction_read_only": "on"}},
        )
    read_only = url.set(database=f"file:{file.resolve()}", query={"mode": "ro", "uri": "true"})
    engine = create_async_engine(read_only)
    _prepare(engine, ("query_only=ON",), begin="BEGIN")
    return engine


def _prepare(engine: AsyncEngine, pragmas: tuple[str, ...], *, begin: str) -> None:
    def on_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver would begin transactions by its own rules; ours are begun below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    sa.event.listen(engine.sync_engine, "connect", on_connect)
    sa.event.listen(engine.sync_engine, "begin", on_begin)
