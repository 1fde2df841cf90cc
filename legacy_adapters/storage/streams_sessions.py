"""Transactions on the core's database for the data half's tables, and whose errors they raise."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.storage.stage_sql import Bulk
from new_core.errors import StoreUnavailable
from new_core.storage.engine import WRITING

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STAGE_LOCK = 471_982_034
"""Any number, the same in every process."""


class Sessions:
    """Opens transactions on one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._writing = engine.execution_options(**{WRITING: True})
        self._reading = engine

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Bulk]:
        """Committed when the block ends well."""
        try:
            async with self._writing.begin() as connection:
                yield Bulk(connection)
        except (SQLAlchemyError, OSError) as exc:
            raise StoreUnavailable(first_line(exc)) from exc

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Bulk]:
        """For reads."""
        try:
            async with self._reading.connect() as connection:
                yield Bulk(connection)
        except (SQLAlchemyError, OSError) as exc:
            raise StoreUnavailable(first_line(exc)) from exc


async def lock_kinds(bulk: Bulk, kinds: Iterable[str]) -> None:
    """One at a time takes rows of a kind into the stage, to the end of the transaction.

    1. One takes a line and finds no order for it, 2. another takes the order and sees no line
    of it yet, 3. both commit, and the line belongs to nobody. On SQLite the write lock of the
    whole file does the same.
    """
    if bulk.is_sqlite:
        return
    for number in sorted({zlib.crc32(kind.encode()) - 2**31 for kind in kinds}):
        await bulk.plain(
            "SELECT pg_advisory_xact_lock(CAST(:first AS int), CAST(:second AS int))",
            first=_STAGE_LOCK,
            second=number,
        )


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(count_us: int) -> datetime:
    """The other way round."""
    return _EPOCH + timedelta(microseconds=count_us)


def first_line(exc: Exception) -> str:
    """What a person needs of an error."""
    return (str(exc).splitlines() or [type(exc).__name__])[0]
