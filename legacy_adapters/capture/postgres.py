"""Changes of a PostgreSQL database, from its log by logical decoding."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.engine import make_url

from legacy_adapters.capture.pgoutput import PgoutputReader, lsn_text
from legacy_adapters.capture.postgres_link import PostgresLink
from legacy_adapters.capture.postgres_setup import (
    PostgresSetup,
    end_of_records,
    full_number,
)
from legacy_adapters.capture.postgres_snapshot import open_snapshot
from legacy_adapters.capture.postgres_stream import LogStream
from legacy_adapters.capture.postgres_wire import Wire
from legacy_adapters.errors import SourceUnavailable
from legacy_adapters.mapping.marks import MARKS
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Retention, Snapshot

_POLL_S = 0.002
_BUSY_S = 3.0

_VISIBLE = """
SELECT bool_and(pg_visible_in_snapshot(number::xid8, pg_current_snapshot()))
FROM unnest($1::text[]) AS number
"""


class PostgresSource:
    """A `ChangeSource` on a PostgreSQL database.

    Args:
        url: postgresql://user:password@host/database
        tables: what is captured beside MARKS.
        name: of the stream; the slot and the publication are called after it.
    """

    def __init__(self, url: str, tables: Sequence[Table], name: str) -> None:
        self._link = PostgresLink(url)
        self._tables = (*tables, *MARKS)
        database = make_url(self._link.dsn).database or ""
        self._setup = PostgresSetup(name, database, self._tables)
        self._stream: LogStream | None = None
        self._confirmed = 0

    @property
    def tables(self) -> Sequence[Table]:
        return self._tables

    async def prepare(self) -> None:
        async with self._link.session() as session:
            await self._setup.prepare(session)

    async def remove(self) -> None:
        async with self._link.session() as session:
            await self._setup.remove(session)

    async def here(self) -> Position:
        async with self._link.session() as session:
            insert, flushed = await session.fetchrow(
                "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn,"
                " pg_current_wal_flush_lsn() - '0/0'::pg_lsn"
            )
            order = end_of_records(int(insert))
            if int(flushed) < order:
                # Only what is flushed is decoded, and on a quiet server nobody may flush the
                # rest for long. An empty commit does.
                await session.execute(
                    "SELECT set_config('synchronous_commit', 'on', false);"
                    " SELECT pg_logical_emit_message(true, 'banyan', '')"
                )
        return Position(order, lsn_text(order))

    @asynccontextmanager
    async def _read(self, after: Position | None) -> AsyncIterator[AsyncIterator[Batch]]:
        async with self._link.session() as session:
            begin = await self._setup.check(session, None if after is None else after.order)
        stream = await self._connect(begin)
        self._stream = stream
        try:
            yield stream
        finally:
            self._stream = None
            await stream.stop()

    def read(self, after: Position | None) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        return self._read(after)

    async def _connect(self, begin: int) -> LogStream:
        """A stream that runs. A server needs a moment to see that the last reader is gone."""
        waited_s = 0.0
        while True:
            stream = LogStream(
                lambda: Wire(self._link.dsn, self._setup.name, self._setup.name, begin),
                PgoutputReader(self._tables),
                begin,
            )
            try:
                await stream.start()
            except SourceUnavailable as exc:
                await stream.stop()
                if "another reader" not in str(exc) or waited_s >= _BUSY_S:
                    raise
            except BaseException:
                await stream.stop()
                raise
            else:
                return stream
            await asyncio.sleep(0.2)
            waited_s += 0.2

    async def confirm(self, position: Position) -> None:
        if self._stream is not None:
            self._stream.confirm(position.order)
            return
        async with self._link.session() as session:
            slot = await self._setup.slot(session)
            if slot is not None and slot.confirmed < position.order:
                await session.execute(
                    "SELECT pg_replication_slot_advance($1, $2::text::pg_lsn)",
                    self._setup.name,
                    lsn_text(position.order),
                )

    async def settled(self, names: Collection[str]) -> None:
        if not names:
            return
        async with self._link.session() as session:
            text = await session.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
            # A number from before the counter's first turn is one that everybody sees.
            numbers = [str(max(full_number(int(name), int(text)), 3)) for name in set(names)]
        while True:
            async with self._link.session() as session:
                if await session.fetchval(_VISIBLE, numbers):
                    return
            await asyncio.sleep(_POLL_S)

    async def fingerprints(self) -> Mapping[str, str]:
        async with self._link.session() as session:
            return await self._setup.fingerprints(session)

    async def retention(self) -> Retention:
        async with self._link.session() as session:
            slot = await self._setup.slot(session)
        return slot.retention if slot is not None else Retention(0, None, None, "lost")

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        return open_snapshot(self._link.dsn)

    async def close(self) -> None:
        if self._stream is not None:
            await self._stream.stop()
        await self._link.close()
