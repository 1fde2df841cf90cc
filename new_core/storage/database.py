"""Units of work on SQLAlchemy, and the one place where its errors become ours."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from new_core.errors import CoreError, InvalidValue, SchemaMismatch, StoreUnavailable
from new_core.storage.catalog import SqlCatalog
from new_core.storage.commerce import SqlPricing, SqlStock
from new_core.storage.engine import WRITING
from new_core.storage.migrate import current_revision, head_revision
from new_core.storage.reference import ReferenceCache
from new_core.storage.refs import SqlImports, SqlRefs


class SqlDatabase:
    """Makes units of work on an engine that writes and one that reads.

    Shared by all tasks of a process.
    """

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._reading = reader
        self._writing = writer.execution_options(**{WRITING: True})
        self._cache = ReferenceCache()

    async def dispose(self) -> None:
        """Close all connections."""
        await self._reading.dispose()
        await self._writing.dispose()

    def reading(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(self._reading, self._cache)

    def writing(self) -> SqlUnitOfWork:
        # A cache of its own: what this transaction wrote may yet be rolled back.
        return SqlUnitOfWork(self._writing, ReferenceCache())

    async def check(self) -> None:
        revision = await current_revision(self._reading)
        if revision != head_revision():
            raise SchemaMismatch(
                f"the database is at revision {revision}, this program needs {head_revision()}"
            )


class SqlUnitOfWork:
    """One transaction on one connection."""

    catalog: SqlCatalog
    pricing: SqlPricing
    stock: SqlStock
    refs: SqlRefs
    imports: SqlImports

    def __init__(self, engine: AsyncEngine, cache: ReferenceCache) -> None:
        self._engine = engine
        self._cache = cache
        self._connection: AsyncConnection | None = None
        self._transaction: AsyncTransaction | None = None

    async def __aenter__(self) -> Self:
        connection: AsyncConnection | None = None
        try:
            connection = await self._engine.connect()
            self._transaction = await connection.begin()
        except (SQLAlchemyError, OSError) as exc:
            if connection is not None:
                await connection.close()
            raise _ours(exc) from exc
        self._connection = connection
        self.catalog = SqlCatalog(connection, self._cache)
        self.pricing = SqlPricing(connection)
        self.stock = SqlStock(connection)
        self.refs = SqlRefs(connection)
        self.imports = SqlImports(connection)
        return self

    async def commit(self) -> None:
        if self._transaction is not None:
            await self._transaction.commit()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._transaction is not None and self._transaction.is_active:
                await self._transaction.rollback()
        finally:
            if self._connection is not None:
                await self._connection.close()
        if isinstance(error, SQLAlchemyError | OSError):
            raise _ours(error) from error


def _ours(error: SQLAlchemyError | OSError) -> CoreError:
    """What a caller can act on: mend the value, or try again later."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, IntegrityError | DataError):
        return InvalidValue("row", f"breaks a rule of the database: {text}")
    if isinstance(error, OSError | PoolTimeoutError | DBAPIError):
        return StoreUnavailable(text)
    return CoreError(text)
