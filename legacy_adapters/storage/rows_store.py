"""The legacy's tables, written by the replicator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.errors import AdapterError, RowRefused
from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.mapping.versions import Version
from legacy_adapters.storage.marks_writing import SqlMarks, read_applied, write_beat
from legacy_adapters.storage.opening import begin_writing, open_engine, ours
from legacy_adapters.storage.rows_statements import drop_rows, put_rows


class SqlRowStore:
    """See the port `RowStore`. Shared by all tasks of a process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def writing(
        self, stream: str, domain: str, term: int, position: int
    ) -> AsyncIterator[SqlWriting]:
        async with self._transaction() as connection:
            marks = SqlMarks(connection, stream, domain, term, position)
            writing = SqlWriting(connection, marks)
            await marks.begin()
            yield writing
            # 1. A row is refused, 2. the caller catches that and goes on, 3. half would stay.
            writing.check()
            await marks.end()

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        try:
            # Without a transaction: on SQLite it would make writers wait.
            async with self._engine.connect() as connection:
                return await read_applied(connection)
        except (SQLAlchemyError, OSError) as exc:
            raise ours(exc) from exc

    async def beat(self, name: str, beat: int, sent_us: int) -> None:
        async with self._transaction() as connection:
            await write_beat(connection, name, beat, sent_us)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                try:
                    await begin_writing(connection)
                    yield connection
                    await connection.commit()
                except BaseException:
                    # Not back to the pool: a statement may still run, and a role be set.
                    await connection.invalidate()
                    raise
        except (SQLAlchemyError, OSError) as exc:
            raise ours(exc) from exc


class SqlWriting:
    """See the port `Writing`."""

    def __init__(self, connection: AsyncConnection, marks: SqlMarks) -> None:
        self._connection = connection
        self._marks = marks
        self._failed: AdapterError | None = None

    async def versions(self, kind: str, ids: Collection[UUID]) -> Mapping[UUID, Version]:
        return await self._marks.versions(kind, ids)

    async def stamp(
        self, kind: str, versions: Mapping[UUID, Version], deleted: Collection[UUID]
    ) -> None:
        await self._marks.stamp(kind, versions, deleted)

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        try:
            await put_rows(self._connection, table, rows)
        except (SQLAlchemyError, OSError, ValueError) as exc:
            raise self._noted(exc, table) from exc

    async def drop(self, table: Table, keys: Collection[str]) -> None:
        try:
            await drop_rows(self._connection, table, keys)
        except (SQLAlchemyError, OSError, ValueError) as exc:
            raise self._noted(exc, table) from exc

    async def barrier(self, domain: str, term: int) -> None:
        await self._marks.barrier(domain, term)

    def check(self) -> None:
        """See that nothing was refused.

        Raises:
            AdapterError: what was.
        """
        if self._failed is not None:
            raise self._failed

    def _noted(self, error: Exception, table: Table) -> AdapterError:
        refused = isinstance(error, ValueError)
        found = RowRefused(table.name, str(error)) if refused else ours(error, table.name)
        self._failed = found
        return found


def open_rows(url: str) -> SqlRowStore:
    """The legacy's tables by URL. The caller closes it.

    Raises:
        SourceUnavailable, SourceUnfit: see `open_engine`.
    """
    return SqlRowStore(open_engine(url, pool_size=4))
