"""What is asked of a database whose changes are captured."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.mapping.versions import Position


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a known table, changed.

    An update that changes the primary key comes as a deletion and an insertion.

    Attributes:
        key: `key_text` of the row.
        before: None for an insertion; also None where the database does not log it.
        after: None for a deletion.
    """

    table: str
    key: str
    before: Row | None
    after: Row | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One commit of the source, whole, with what it did to known tables.

    Attributes:
        position: right behind it; going on from here does not repeat it.
        name: what the source calls it, for `settled`.
        at: when it committed, by the source's clock; for display only.
        is_ours: the replicator made it: it wrote APPLIED.
        changes: in their order; a row changed twice stands twice.
        truncated: tables that were emptied as a whole, before `changes`.
        altered: tables whose definition changed.
    """

    position: Position
    name: str
    at: datetime | None
    is_ours: bool
    changes: tuple[Change, ...]
    truncated: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read of the log at once.

    Attributes:
        transactions: in commit order, maybe none.
        read_to: everything up to here was read, also where nothing of it concerned us.
    """

    transactions: tuple[Transaction, ...]
    read_to: Position


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of the log the source keeps for a reader.

    Attributes:
        behind_bytes: from the confirmed position to the end of the log.
        limit_bytes: beyond it the source drops the log; None without a limit.
        kept_s: how long it keeps what nobody needs any more; None when not by time.
        state: "ok", "alarm" (over half of the limit) or "lost".
    """

    behind_bytes: int
    limit_bytes: int | None
    kept_s: float | None
    state: str


class Snapshot(Protocol):
    """One state of the database, read while it goes on changing. Open it for 30 s at most.

    Attributes of the state: every commit up to `low` is in it, none behind `high` is. Where a
    database can say it exactly, both are the same position.
    """

    @property
    def low(self) -> Position: ...

    @property
    def high(self) -> Position: ...

    async def count(self, table: Table) -> int:
        """How many rows there are, or a good guess of it."""
        ...

    async def page(
        self, table: Table, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[Row]:
        """The next rows by primary key: those behind key text `after`, up to and with `to`.

        Ordered by the key's columns; None is before the first and behind the last.
        """
        ...

    async def some(self, table: Table, column: str, values: Collection[str]) -> Sequence[Row]:
        """Rows whose `column` is one of the values (texts of cells), ordered by primary key."""
        ...

    async def splits(self, table: Table, parts: int) -> Sequence[str]:
        """Up to `parts` - 1 key texts that cut the table into parts of about equal size."""
        ...


class ChangeSource(Protocol):
    """A database's log of changes. One reader at a time.

    Raises, from any call:
        SourceUnavailable: no answer; safe to try again from the last position.
        SourceLost: the log from the asked position on is gone; a new backfill is needed.
        SourceUnfit: it is set up so that changes cannot be captured; the text says what to do.
    """

    @property
    def tables(self) -> Sequence[Table]:
        """What is captured: the tables given, and MARKS."""
        ...

    async def prepare(self) -> None:
        """Make what reading needs: a publication and slot, triggers. Repeatable."""
        ...

    async def remove(self) -> None:
        """Take away all that `prepare` made. Repeatable."""
        ...

    async def here(self) -> Position:
        """The end of the log: every commit that was answered before this call is before it."""
        ...

    def read(self, after: Position | None) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """Batches behind a position (None: from where `prepare` began), without end.

        At least once each, in commit order, a transaction never split. Yields an empty batch at
        least every second while nothing happens, with `read_to` moving on.
        """
        ...

    async def confirm(self, position: Position) -> None:
        """What is before it is never asked for again. Call it after the own commit alone."""
        ...

    async def settled(self, names: Collection[str]) -> None:
        """Wait until a new reader of the source sees these transactions.

        A log can tell of a commit before other sessions see it.
        """
        ...

    async def fingerprints(self) -> Mapping[str, str]:
        """A digest of each known table's definition; a missing table is absent."""
        ...

    async def retention(self) -> Retention:
        """How close the source is to dropping what was not read yet."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """One state of the source with its place in the log."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
