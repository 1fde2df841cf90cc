"""One transaction for all that a dry run does, and the proof that nothing of it stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from new_core.errors import DryRunNotTakenBack, DryRunStrayed

MarkDryRun = Callable[[AsyncConnection], Awaitable[None]]
"""Says in a transaction that it is a dry run's."""

_MARK = "dry_run"


class SqlDryRun:
    """A dry run on one database. Belongs to one request; opens nothing until asked.

    Attributes:
        engine: used by dry runs alone.
        stray: what it tried that cannot be taken back, in words; None while nothing.
    """

    def __init__(self, engine: AsyncEngine, mark: MarkDryRun | None = None) -> None:
        self.stray: str | None = None
        self.engine = engine
        self._mark = mark
        self._connection: AsyncConnection | None = None
        self._transaction: AsyncTransaction | None = None
        self._is_lent = False
        self._is_over = False

    async def lend(self) -> AsyncConnection:
        """The one connection, in its transaction, until `give_back`.

        Raises:
            DryRunStrayed: the run is over, or another unit of work has the connection.
            SQLAlchemyError, OSError: the database does not answer.
        """
        if self._is_over:
            # 1. A request leaves a task behind, 2. its dry run is taken back and answered,
            # 3. the task writes. That would be a write after all.
            raise self._strayed("a unit of work outlived the dry run")
        if self._is_lent:
            raise self._strayed("two units of work were open at a time")
        self._is_lent = True
        try:
            if self._connection is None:
                await self._open()
            assert self._connection is not None  # noqa: S101 - just opened
        except BaseException:
            self._is_lent = False
            raise
        return self._connection

    def give_back(self) -> None:
        """Let the next unit of work have the connection."""
        self._is_lent = False

    def guard(self, connection: sa.Connection) -> None:
        """Let a statement through only on this run's own engine.

        Raises:
            DryRunStrayed: it is another one's, which nobody would roll back.
        """
        if connection.engine.pool is not self.engine.sync_engine.pool:
            raise self._strayed("a statement was sent over another connection")

    async def take_back(self) -> None:
        """End the run: roll everything back, and see that there was everything to roll back.

        The savepoint was made first of all. Had anything committed on the way, it would be
        gone, and going back to it fails.

        Raises:
            DryRunNotTakenBack: that cannot be told.
        """
        self._is_over = True
        connection, transaction = self._connection, self._transaction
        if connection is None or transaction is None:
            return
        try:
            await connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {_MARK}")
            await transaction.rollback()
        except (SQLAlchemyError, OSError) as exc:
            await connection.invalidate()
            raise DryRunNotTakenBack("the dry run's transaction was not there any more") from exc
        except BaseException:
            await connection.invalidate()
            raise
        finally:
            await connection.close()

    async def _open(self) -> None:
        connection = await self.engine.connect()
        try:
            transaction = await connection.begin()
            if self._mark is not None:
                await self._mark(connection)
            await connection.exec_driver_sql(f"SAVEPOINT {_MARK}")
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        self._connection, self._transaction = connection, transaction

    def _strayed(self, what: str) -> DryRunStrayed:
        self.stray = what
        return DryRunStrayed(what)


_CURRENT: ContextVar[SqlDryRun | None] = ContextVar(_MARK, default=None)


def current_run() -> SqlDryRun | None:
    """The dry run that this task belongs to, over or not."""
    return _CURRENT.get()


@contextmanager
def in_force(run: SqlDryRun) -> Iterator[None]:
    """What this block does and starts belongs to the run."""
    before = _CURRENT.set(run)
    try:
        yield
    finally:
        _CURRENT.reset(before)


def watch_all_engines() -> None:
    """From now on no statement of a dry run passes it by, on whatever engine of this process.

    A service that opens a connection of its own would commit there, and the dry run would
    tell that nothing stayed.
    """
    if not sa.event.contains(sa.Engine, "before_cursor_execute", _watch):
        sa.event.listen(sa.Engine, "before_cursor_execute", _watch)


def _watch(connection: sa.Connection, *_statement: Any) -> None:
    run = _CURRENT.get()
    if run is not None:
        run.guard(connection)
