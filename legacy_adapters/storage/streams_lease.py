"""Keeps two processes from carrying the same streams, by a lock that dies with its process."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.errors import TakenOver
from legacy_adapters.storage.streams_sessions import first_line
from new_core.errors import StoreUnavailable

_KEY = 4_706_051_966_283_044
"""Any number, the same in every process."""
_BUSY = "another banyan sync carries the streams of this core; stop it first"
Check = Callable[[], Awaitable[None]]


class SqlLease:
    """A lock of PostgreSQL's session, or of a file beside SQLite's.

    No time limit: a process that was killed leaves it at once, and one that only sleeps keeps
    it. What is written is right without it too; it spares two processes doing everything twice.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Check]:
        """Hold it for the block, which is given a check that it is still held.

        Raises:
            TakenOver: another process holds it; from the check: it is lost.
        """
        if self._engine.dialect.name == "sqlite":
            async with self._file() as check:
                yield check
        else:
            async with self._session() as check:
                yield check

    @asynccontextmanager
    async def _file(self) -> AsyncIterator[Check]:
        with _locked(Path(f"{self._engine.url.database}.sync.lock")):
            yield _is_held

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Check]:
        try:
            connection = await self._engine.connect()
        except (SQLAlchemyError, OSError) as exc:
            raise StoreUnavailable(first_line(exc)) from exc
        try:
            taken = await connection.scalar(sa.text(f"SELECT pg_try_advisory_lock({_KEY})"))
            await connection.commit()
            if not taken:
                raise TakenOver(_BUSY)

            async def check() -> None:
                await _ask(connection)

            yield check
        finally:
            # The lock is the session's: a connection in the pool would keep it.
            await connection.invalidate()
            await connection.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise TakenOver(_BUSY) from exc
        yield


async def _is_held() -> None:
    """A lock of an open file is not lost."""


async def _ask(connection: AsyncConnection) -> None:
    try:
        await connection.execute(sa.text("SELECT 1"))
        await connection.commit()
    except (SQLAlchemyError, OSError) as exc:
        raise TakenOver(f"the lease is lost with its connection: {first_line(exc)}") from exc
