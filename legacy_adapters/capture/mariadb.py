"""Changes of a MariaDB, from its binary log.

    source = MariaDbSource("mysql://capture:…@db/shop", tables, "legacy>core")
    async with source.read(None) as batches:
        async for batch in batches: ...

The server logs rows (binlog_format = ROW, binlog_row_image = FULL) with the names of columns
(binlog_row_metadata = FULL, MariaDB 10.5 or later) and has one replication domain. The user has
REPLICATION SLAVE, BINLOG MONITOR and SELECT on the shop.

Not in the log, so not captured: rows that a foreign key's ON DELETE or ON UPDATE changes, and
whatever a session with sql_log_bin = 0 does. MySQL is refused: its GTIDs are others, and there
was no server of it to try this on; Debezium captures it, see `DebeziumSource`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from legacy_adapters.capture import mariadb_server as servers
from legacy_adapters.capture.mariadb_handover import Handover
from legacy_adapters.capture.mariadb_log import LogThread, try_to_read
from legacy_adapters.capture.mariadb_retention import held
from legacy_adapters.capture.mariadb_server import Session, server_of
from legacy_adapters.capture.mariadb_snapshot import MariaDbSnapshot, snapshot, snapshot_position
from legacy_adapters.errors import AdapterError
from legacy_adapters.mapping.marks import MARKS
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Retention

_JOIN_S = 15
_LOOK_AGAIN_S = 0.005

T = TypeVar("T")


class MariaDbSource:
    """A MariaDB's log of changes, as `ChangeSource`.

    A position is a GTID: its order is the sequence number. Nothing is made in the server, and
    nothing keeps its log: it drops files by itself (binlog_expire_logs_seconds), read or not.

    Args:
        name: of the stream; a second reader of one name is refused.
        server_id: of this reader, unlike that of every server and replica; by default from the
            database and the name.
    """

    def __init__(
        self, url: str, tables: Sequence[Table], name: str, *, server_id: int | None = None
    ) -> None:
        self._server = server_of(url)
        self._tables = (*tables, *MARKS)
        self._name = f"{self._server.database} {name}"
        self._server_id = server_id or servers.reader_id(self._name)
        self._began: Position | None = None
        self._confirmed: Position | None = None
        self._places: dict[int, tuple[str, int]] = {}
        self._reading: set[LogThread] = set()

    @property
    def tables(self) -> Sequence[Table]:
        return self._tables

    async def prepare(self) -> None:
        """Look whether changes can be captured, and note where the log is; makes nothing."""
        began = await self._ask(self._prepared)
        self._began = self._began or began

    async def remove(self) -> None:
        """There is nothing to take away."""

    async def here(self) -> Position:
        """The end of the log. A commit is in the log before it is answered."""
        return await self._ask(_here)

    def read(self, after: Position | None) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """As ChangeSource.read. None: from where this object's `prepare` was, or without it
        from the beginning of the oldest file that the server keeps.
        """
        return self._read(after)

    @asynccontextmanager
    async def _read(self, after: Position | None) -> AsyncIterator[AsyncIterator[Batch]]:
        start = after or self._began
        if start is None:
            start = await self._ask(_oldest)
        if start.token:
            servers.sequence(start.token)
        turn = await asyncio.to_thread(self._turn)
        try:
            async with self._reading_from(start) as batches:
                yield batches
        finally:
            await asyncio.to_thread(servers.end_turn, turn, self._name)

    def _turn(self) -> Session:
        session = Session.opened(self._server)
        try:
            servers.take_turn(session, self._name)
        except AdapterError:
            session.close()
            raise
        return session

    @asynccontextmanager
    async def _reading_from(self, start: Position) -> AsyncIterator[AsyncIterator[Batch]]:
        handover = Handover(start)
        thread = LogThread(self._server, self._tables, self._server_id, start, handover)
        self._places = thread.places
        self._reading.add(thread)
        thread.start()
        try:
            yield _Batches(handover)
        finally:
            thread.stop()
            handover.close()
            self._reading.discard(thread)
            await asyncio.to_thread(thread.join, _JOIN_S)

    async def confirm(self, position: Position) -> None:
        """Only noted here, for `retention`: the server's log goes by age, not by readers."""
        self._confirmed = position

    async def settled(self, names: Collection[str]) -> None:
        """Wait until new sessions see these transactions.

        1. A commit is written to the log and sent to readers, 2. with semi-synchronous
        replication it waits for a replica now, 3. and only then sessions see it. A snapshot's
        place in the log is exact about this, so it is asked until it is behind all of them.
        """
        last = max((servers.sequence(name) for name in names), default=0)
        while last and (await self._ask(_visible)).order < last:  # noqa: ASYNC110 - asks a server
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def fingerprints(self) -> Mapping[str, str]:
        """A digest of each known table's columns."""
        return await self._ask(
            lambda session: servers.fingerprints(self._server, session, self._tables)
        )

    async def retention(self) -> Retention:
        """How much of the log is behind the position that was confirmed last, or `prepare`'s."""
        position = self._confirmed or self._began
        place = self._places.get(position.order) if position else None
        return await self._ask(lambda session: held(session, position, place))

    def snapshot(self) -> AbstractAsyncContextManager[MariaDbSnapshot]:
        """As ChangeSource.snapshot; its place is exact."""
        return snapshot(self._server)

    async def close(self) -> None:
        """End readers that are still at it."""
        for thread in tuple(self._reading):
            thread.stop()

    async def _ask(self, question: Callable[[Session], T]) -> T:
        def asked() -> T:
            with self._server.session() as session:
                return question(session)

        return await asyncio.to_thread(asked)

    def _prepared(self, session: Session) -> Position:
        servers.check(self._server, session)
        servers.check_columns(self._server, session, self._tables)
        position = _here(session)
        try_to_read(self._server, self._server_id, position)
        return position


class _Batches:
    """Batches of one stay on the log."""

    def __init__(self, handover: Handover) -> None:
        self._handover = handover

    def __aiter__(self) -> _Batches:
        return self

    async def __anext__(self) -> Batch:
        return await self._handover.take()


def _here(session: Session) -> Position:
    return servers.position_of(str(session.rows("SELECT @@gtid_binlog_pos")[0][0]))


def _oldest(session: Session) -> Position:
    file = str(session.rows("SHOW BINARY LOGS")[0][0])
    return servers.position_of(servers.gtids_at(session, file))


def _visible(session: Session) -> Position:
    session.rows("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    session.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    return snapshot_position(session)
