"""Changes of any database that Debezium captures, from its events in a NATS JetStream.

    source = DebeziumSource("nats://bus:4222", "DebeziumStream", "banyan", tables)

Debezium Server writes JSON there (`debezium.sink.type = nats-jetstream`, one stream, all topics
in it), with its schemas or without. `provide.transaction.metadata = true` lets transactions end
when they end; without it one ends with the next one or after half a second of silence, and a
pause in its middle makes two of it: rows still converge, their atomicity is lost.

What Debezium repeats after its own restart is passed on with new positions: old states of rows
come once more, and then the newer ones behind them. Zero dates are Debezium's to tell, as NULL or
1970. Rows before a deletion or update are whole only where the database logs them whole
(REPLICA IDENTITY FULL, binlog_row_image = FULL).

Tried with events in Debezium's documented format on a real JetStream. Not tried: Debezium
itself, which needs a JVM and its connectors.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from legacy_adapters.capture.debezium_events import Garbage, MessageReader
from legacy_adapters.capture.debezium_grouping import Grouping, position_at
from legacy_adapters.capture.debezium_snapshot import DebeziumSnapshot
from legacy_adapters.capture.debezium_stream import EventStream, Messages
from legacy_adapters.errors import SourceUnavailable, SourceUnfit
from legacy_adapters.mapping.marks import MARKS
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, ChangeSource, Retention, Snapshot, Transaction

_SILENCES = 2
_CATCH_UP_S = 20
_LOOK_AGAIN_S = 0.2

log = logging.getLogger(__name__)


class DebeziumSource:
    """Events of Debezium as a `ChangeSource`. A position is a sequence number of the stream.

    Messages that cannot be read are counted in `garbage`, logged, and kept in the stream
    "DURABLE_aside" with the reason; the others go on.

    Args:
        durable: name of the consumer that is the bookmark; one reader at a time.
        database: reads snapshots and definitions; events alone have neither.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        durable: str,
        tables: Sequence[Table],
        *,
        database: ChangeSource | None = None,
    ) -> None:
        self.garbage: Counter[str] = Counter()
        """How many messages of each subject could not be read."""
        self._tables = (*tables, *MARKS)
        self._stream = EventStream(url, stream, durable)
        self._database = database
        self._reader = MessageReader(self._tables)
        self._confirmed: int | None = None
        self._markers: tuple[int, int] = (0, 0)

    @property
    def tables(self) -> Sequence[Table]:
        return self._tables

    async def prepare(self) -> None:
        """Make the durable consumer, and a stream for messages that cannot be read."""
        await self._stream.prepare()

    async def remove(self) -> None:
        """Take both away."""
        await self._stream.remove()

    async def here(self) -> Position:
        """The end of the stream. Commits that Debezium has not sent yet are behind it."""
        return position_at((await self._stream.info()).state.last_seq)

    def read(self, after: Position | None) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """As ChangeSource.read."""
        return self._read(after)

    @asynccontextmanager
    async def _read(self, after: Position | None) -> AsyncIterator[AsyncIterator[Batch]]:
        start = self._confirmed if after is None else after.order
        messages = await self._stream.reader(start)
        try:
            yield _Batches(self, messages)
        finally:
            await messages.close()

    async def take(self, messages: Messages, grouping: Grouping) -> list[Transaction]:
        """The next transactions that are whole."""
        found: list[Transaction] = []
        for sequence, message in await messages.next():
            try:
                event = self._reader.read(message.data)
            except Garbage as garbage:
                self.garbage[message.subject] += 1
                log.warning(
                    "message %s of %s cannot be read: %s", sequence, message.subject, garbage
                )
                await self._stream.keep_aside(message, str(garbage))
                event = None
            if event is not None and event.marker is not None:
                self._markers = (event.marker, sequence)
            found += grouping.add(sequence, event)
        return found

    async def confirm(self, position: Position) -> None:
        """Acknowledge all messages up to a position."""
        self._confirmed = position.order
        await self._stream.confirm(position.order)

    async def settled(self, names: Collection[str]) -> None:
        """Nothing to wait for: an event comes by way of Debezium and the bus, long after its
        commit was seen by others, unless semi-synchronous replication holds that up.
        """

    async def fingerprints(self) -> Mapping[str, str]:
        """The database's own; without it none, for events do not tell definitions."""
        return {} if self._database is None else await self._database.fingerprints()

    async def retention(self) -> Retention:
        """How much of the stream is behind the bookmark, by its share of all messages."""
        info = await self._stream.info()
        state, config = info.state, info.config
        upto = self._confirmed
        if upto is None:
            upto = await self._stream.bookmark() or 0
        limit = config.max_bytes if (config.max_bytes or 0) > 0 else None
        waiting = max(0, state.last_seq - max(upto, state.first_seq - 1))
        behind = state.bytes * waiting // max(1, state.messages)
        is_lost = state.first_seq > upto + 1
        alarm = "alarm" if limit and behind > limit / 2 else "ok"
        kept_s = float(config.max_age) if config.max_age else None
        return Retention(behind, limit, kept_s, "lost" if is_lost else alarm)

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """A snapshot of `database` with its place in the stream.

        Raises, when it is opened:
            SourceUnfit: no database was given.
            SourceUnavailable: Debezium does not catch up; somebody must read meanwhile.
        """
        return self._snapshot()

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Snapshot]:
        if self._database is None:
            raise SourceUnfit(
                "Debezium's events have no snapshot that is tied to a place among them; give this "
                "source the database too, or backfill by Debezium's own snapshot (op r)"
            )
        # 1. An event is in the stream, so its commit was before the snapshot: `low`. 2. The
        # snapshot is opened. 3. An event of a later commit than the snapshot's is in the stream,
        # so all that is in the snapshot stands before it: `high`.
        low = await self.here()
        async with self._database.snapshot() as inner:
            yield DebeziumSnapshot(inner, low, await self._caught_up(inner.high.order))

    async def _caught_up(self, marker: int) -> Position:
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                while self._markers[0] <= marker:  # noqa: ASYNC110 - moved by the reader's task
                    await asyncio.sleep(_LOOK_AGAIN_S)
        except TimeoutError as exc:
            raise SourceUnavailable(
                f"no event behind {marker} was read for {_CATCH_UP_S} s: Debezium is behind, or "
                "nothing writes the heartbeat's row, or nobody reads this source"
            ) from exc
        return position_at(self._markers[1])

    async def close(self) -> None:
        """Close the connection to the bus; the database is the caller's."""
        await self._stream.close()


class _Batches:
    """Batches of one stay on the stream."""

    def __init__(self, source: DebeziumSource, messages: Messages) -> None:
        self._source = source
        self._messages = messages
        self._grouping = Grouping(messages.start)
        self._silences = 0

    def __aiter__(self) -> _Batches:
        return self

    async def __anext__(self) -> Batch:
        before = self._messages.last
        found = await self._source.take(self._messages, self._grouping)
        is_moving = self._messages.last > before or self._messages.pending > 0
        self._silences = 0 if is_moving else self._silences + 1
        if self._silences >= _SILENCES:
            found += self._grouping.end()
        return Batch(tuple(found), position_at(self._grouping.read_to))
