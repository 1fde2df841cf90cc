"""Reads the log that triggers write in a SQLite file. Blocking calls, for a thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from legacy_adapters.capture.row_changes import deleted, inserted, updated
from legacy_adapters.capture.sqlite_file import translating
from legacy_adapters.capture.sqlite_setup import altered, shapes
from legacy_adapters.capture.sqlite_triggers import cells
from legacy_adapters.errors import SourceLost, SourceUnfit
from legacy_adapters.mapping.marks import APPLIED
from legacy_adapters.mapping.rows import Row, Table, plain
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Change, Transaction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IS_PREPARED = "SELECT 1 FROM sqlite_master WHERE name = 'mig_changelog_state'"
_END = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'mig_changelog'), 0)"
_ROWS = """SELECT seq, tbl, op, shape, is_ours, at_ms, before, after
FROM mig_changelog WHERE seq > ? ORDER BY seq"""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the log begins and ends, and which of its lives it is in.

    Attributes:
        first: the position before the first row that is kept.
        last: of its last row, kept or not.
    """

    life: str
    first: int
    last: int

    def at(self, order: int) -> Position:
        """A position of this log."""
        return Position(order, f"{self.life}-{order}")


def ends(connection: sqlite3.Connection) -> Ends:
    """The ends as they are now.

    Raises:
        SourceUnfit: nothing was prepared.
    """
    with translating():
        if not connection.execute(_IS_PREPARED).fetchone():
            raise SourceUnfit("there is no table mig_changelog; prepare the source first")
        (life,) = connection.execute("SELECT life FROM mig_changelog_state").fetchone()
        (last,) = connection.execute(_END).fetchone()
        (first,) = connection.execute("SELECT min(seq) - 1 FROM mig_changelog").fetchone()
    return Ends(life.decode(), last if first is None else first, last)


def begin(found: Ends, after: Position | None) -> int:
    """Where reading begins.

    Raises:
        SourceLost: the log from `after` on is gone.
    """
    if after is None:
        return found.first
    life = after.token.partition("-")[0]
    if life != found.life or after.order > found.last:
        raise SourceLost("the changelog was made anew since it was read last")
    if after.order < found.first:
        raise SourceLost("rows of the changelog were deleted that nobody had read")
    return after.order


class LogReader:
    """Takes what was committed since the last time."""

    def __init__(
        self, connection: sqlite3.Connection, tables: Sequence[Table], found: Ends, after: int
    ) -> None:
        self._connection = connection
        self._tables: Mapping[str, Table] = {table.name: table for table in tables}
        self._ends = found
        self._after = after
        self._schema = -1
        self._shapes: dict[int, tuple[str, ...]] = {}
        self._altered: tuple[str, ...] = ()
        self._turn = threading.Lock()

    def version(self) -> int:
        """A number that is another one after somebody else committed. Waits for nobody."""
        with self._turn, translating():
            (found,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(found)

    def close(self) -> None:
        """Close the connection, behind a call that is still running in another thread."""
        with self._turn:
            self._connection.close()

    def take(self) -> Batch:
        """Everything committed behind what was taken before.

        Raises:
            SourceLost, SourceUnavailable, SourceUnfit
        """
        with self._turn, translating():
            self._connection.execute("BEGIN")
            try:
                news = self._look_at_schema()
                (last,) = self._connection.execute(_END).fetchone()
                rows = self._connection.execute(_ROWS, (self._after,)).fetchall()
            finally:
                self._connection.execute("COMMIT")
        if last < self._after or len(rows) != last - self._after:
            raise SourceLost("rows of the changelog are gone that nobody had read")
        found = self._transactions(rows, news)
        self._after = last
        return Batch(tuple(found), self._ends.at(last))

    def _look_at_schema(self) -> tuple[str, ...]:
        """Tables that are not what they were, told once."""
        (version,) = self._connection.execute("PRAGMA schema_version").fetchone()
        if version == self._schema:
            return ()
        self._schema = version
        self._shapes = shapes(self._connection)
        before, self._altered = (
            self._altered,
            altered(self._connection, tuple(self._tables.values())),
        )
        return tuple(name for name in self._altered if name not in before)

    def _transactions(
        self, rows: Sequence[tuple[Any, ...]], news: tuple[str, ...]
    ) -> list[Transaction]:
        """What one view shows that the one before did not: whole commits, at least one.

        SQLite lets one writer at a time, so rows of a commit stand together, and the
        replicator's are known each. Where one commit of the shop ends and its next begins is
        not known, and not needed: they are one transaction here.
        """
        found: list[Transaction] = []
        begin_at = 0
        for at in range(1, len(rows) + 1):
            if at == len(rows) or _is_ours(rows[at]) != _is_ours(rows[begin_at]):
                found.append(self._transaction(rows[begin_at:at], () if found else news))
                begin_at = at
        if news and not found:
            found.append(Transaction(self._ends.at(self._after), "", None, False, (), (), news))
        return found

    def _transaction(self, rows: Sequence[tuple[Any, ...]], news: tuple[str, ...]) -> Transaction:
        changes: list[Change] = []
        for row in rows:
            changes += self._changes(row)
        seq, at_ms = rows[-1][0], rows[-1][5]
        return Transaction(
            position=self._ends.at(seq),
            name=str(seq),
            at=_EPOCH + timedelta(milliseconds=at_ms),
            is_ours=_is_ours(rows[0]),
            changes=tuple(changes),
            altered=news,
        )

    def _changes(self, row: tuple[Any, ...]) -> tuple[Change, ...]:
        _, name, op, shape, _, _, before, after = row
        table = self._tables.get(name.decode())
        if table is None:
            return ()
        names = self._shapes[shape]
        if op == b"i":
            return inserted(table, _row(table, names, after))
        if op == b"d":
            return deleted(table, _row(table, names, before))
        return updated(table, _row(table, names, before), _row(table, names, after))


def _is_ours(row: tuple[Any, ...]) -> bool:
    return bool(row[4]) or row[1] == APPLIED.name.encode()


def _row(table: Table, names: tuple[str, ...], logged: bytes) -> Row:
    return {
        name: plain(table.columns[name], cell)
        for name, cell in zip(names, cells(logged), strict=True)
        if name in table.columns
    }
