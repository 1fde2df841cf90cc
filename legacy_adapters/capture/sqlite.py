"""Changes of a SQLite database, from a log that triggers write."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from legacy_adapters.capture.sqlite_file import file_of, one_reader, opened, translating, writing
from legacy_adapters.capture.sqlite_log import Ends, LogReader, begin, ends
from legacy_adapters.capture.sqlite_setup import fingerprints, prepare, remove
from legacy_adapters.capture.sqlite_snapshot import open_snapshot
from legacy_adapters.errors import SourceUnavailable
from legacy_adapters.mapping.marks import MARKS
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Retention, Snapshot

_POLL_S = 0.03  # on an idle log

_BUSY_POLL_S = 0.005
_BUSY_S = 0.2
_BEAT_S = 0.5
_WAIT_S = 10.0
_TIDY_S = 1.0
_TIDY_ROWS = 500
_MANY_ROWS = 1_000_000

_Found = TypeVar("_Found")


class SqliteSource:
    """A `ChangeSource` on a SQLite file.

    Args:
        where: a path, or a URL as sqlite:///var/shop.sqlite3.
        tables: what is captured beside MARKS.
        name: of the stream; a file has one log, whatever the name.
        alarm_rows: more of them unread are an alarm.
    """

    def __init__(
        self, where: str, tables: Sequence[Table], name: str, *, alarm_rows: int = _MANY_ROWS
    ) -> None:
        self._path = file_of(where)
        self._tables = (*tables, *MARKS)
        self._name = name
        self._alarm_rows = alarm_rows
        self._confirmed = 0
        self._tidied = 0
        self._tidied_s = 0.0
        self._tidying = asyncio.Lock()

    @property
    def tables(self) -> Sequence[Table]:
        return self._tables

    async def prepare(self) -> None:
        await self._once(lambda connection: prepare(connection, self._tables), writes=True)

    async def remove(self) -> None:
        await self._once(remove, writes=True)

    async def here(self) -> Position:
        found = await self._once(ends)
        return found.at(found.last)

    @asynccontextmanager
    async def _read(self, after: Position | None) -> AsyncIterator[AsyncIterator[Batch]]:
        with one_reader(self._path):
            connection = await asyncio.to_thread(opened, self._path, writes=False, wait_s=_WAIT_S)
            try:
                found = await asyncio.to_thread(ends, connection)
                reader = LogReader(connection, self._tables, found, begin(found, after))
            except BaseException:
                connection.close()
                raise
            batches = _batches(reader)
            try:
                yield batches
            finally:
                await batches.aclose()
                await asyncio.to_thread(reader.close)
                await self._tidy(always=True)

    def read(self, after: Position | None) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        return self._read(after)

    async def confirm(self, position: Position) -> None:
        self._confirmed = max(self._confirmed, position.order)
        await self._tidy()

    async def settled(self, names: Collection[str]) -> None:
        """Nothing to wait for: what this log tells of was read from a committed state."""

    async def fingerprints(self) -> Mapping[str, str]:
        return await self._once(lambda connection: fingerprints(connection, self._tables))

    async def retention(self) -> Retention:
        found, size = await self._once(_size)
        rows = found.last - max(self._confirmed, found.first)
        return Retention(size, None, None, "alarm" if rows > self._alarm_rows else "ok")

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        return open_snapshot(self._path)

    async def close(self) -> None:
        await self._tidy(always=True)

    async def _once(
        self, call: Callable[[sqlite3.Connection], _Found], *, writes: bool = False
    ) -> _Found:
        """Let a thread do something with a connection of its own."""

        def run() -> _Found:
            connection = opened(self._path, writes=writes, wait_s=_WAIT_S)
            try:
                return call(connection)
            finally:
                connection.close()

        return await asyncio.to_thread(run)

    async def _tidy(self, *, always: bool = False) -> None:
        """Delete what is confirmed, now and then: each time writers of the shop wait for us."""
        now_s = time.monotonic()
        many = self._confirmed - self._tidied >= _TIDY_ROWS
        due = many or now_s - self._tidied_s >= _TIDY_S or always
        if not due or self._confirmed <= self._tidied or self._tidying.locked():
            return
        async with self._tidying:
            self._tidied_s = now_s
            order = self._confirmed
            try:
                await self._once(lambda connection: _forget(connection, order), writes=True)
            except SourceUnavailable:
                return  # somebody writes for long; the next confirmation tries again
            self._tidied = max(self._tidied, order)


async def _batches(reader: LogReader) -> AsyncGenerator[Batch]:
    """Looks whether somebody committed, and takes it. A look waits for nobody in WAL mode."""
    seen, told_s, found_s = -1, 0.0, 0.0
    while True:
        version, now_s = reader.version(), time.monotonic()
        is_due = now_s - told_s >= _BEAT_S
        if version != seen or is_due:
            seen = version
            batch = await asyncio.to_thread(reader.take)
            if batch.transactions:
                found_s = now_s
            if batch.transactions or is_due:
                told_s = now_s
                yield batch
                continue
        await asyncio.sleep(_BUSY_POLL_S if now_s - found_s < _BUSY_S else _POLL_S)


def _forget(connection: sqlite3.Connection, order: int) -> None:
    """Delete rows of the log in small pieces, so that no writer waits for long."""
    while True:
        with writing(connection):
            gone = connection.execute(
                "DELETE FROM mig_changelog WHERE seq IN"
                " (SELECT seq FROM mig_changelog WHERE seq <= ? ORDER BY seq LIMIT ?)",
                (order, _TIDY_ROWS),
            ).rowcount
        if gone < _TIDY_ROWS:
            return


def _size(connection: sqlite3.Connection) -> tuple[Ends, int]:
    """The ends of the log, and about how many bytes are between them."""
    found = ends(connection)
    with translating():
        (mean,) = connection.execute(
            "SELECT coalesce(avg(coalesce(length(before), 0) + coalesce(length(after), 0)), 0)"
            " FROM (SELECT before, after FROM mig_changelog ORDER BY seq DESC LIMIT 100)"
        ).fetchone()
    return found, int(mean * (found.last - found.first))
