"""The core's tables, written by the replicator through the core's own units of work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from legacy_adapters.storage.marks_writing import SqlMarks, read_applied, write_beat
from new_core.ports import UnitOfWork
from new_core.storage import SqlDatabase, connection_of


class SqlCoreStore:
    """See the port `CoreStore`. Shared by all tasks of a process.

    Raises, from any call: CoreError, as the core's units of work do.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    @asynccontextmanager
    async def writing(
        self, stream: str, domain: str, term: int, position: int
    ) -> AsyncIterator[tuple[UnitOfWork, SqlMarks]]:
        async with self._database.writing() as uow:
            marks = SqlMarks(connection_of(uow), stream, domain, term, position)
            await marks.begin()
            yield uow, marks
            await marks.end()
            await uow.commit()

    def reading(self) -> UnitOfWork:
        return self._database.reading()

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        async with self._database.reading() as uow:
            return await read_applied(connection_of(uow))

    async def beat(self, name: str, beat: int, sent_us: int) -> None:
        async with self._database.writing() as uow:
            await write_beat(connection_of(uow), name, beat, sent_us)
            await uow.commit()
