"""Groups of MariaDB's log put together to transactions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from legacy_adapters.capture.mariadb_server import sequence
from legacy_adapters.capture.mariadb_statements import effect
from legacy_adapters.capture.row_changes import is_replicators
from legacy_adapters.errors import SourceLost, SourceUnfit
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Change, Transaction

_STANDALONE, _PREPARED = 1, 64

Ended = tuple[Position, Transaction | None]
"""The place behind a committed group, and what it did, if that concerns anybody."""


def domain_of(gtid: str) -> str:
    """A GTID's replication domain; "" of none."""
    return gtid.partition("-")[0]


class Grouping:
    """Puts what stands between two GTIDs together to a transaction."""

    def __init__(self, database: str, tables: Sequence[Table], after: Position) -> None:
        self._database = database.lower()
        self._tables = {table.name.lower(): table.name for table in tables}
        self._end = after
        self._domain: str | None = domain_of(after.token) or None
        self._place: Position | None = None
        self._flags = 0
        self._changes: list[Change] = []
        self._truncated: dict[str, None] = {}
        self._altered: dict[str, None] = {}
        self._savepoints: dict[str, int] = {}

    @property
    def end_token(self) -> str:
        """Behind the last whole group."""
        return self._end.token

    def begin(self, gtid: str, flags: int) -> None:
        """A group begins; one that was not ended was never committed.

        Raises:
            SourceUnfit: its domain is another one than that of those before it.
            SourceLost: its sequence number is not behind theirs.
        """
        domain, order = domain_of(gtid), sequence(gtid)
        if self._domain not in {None, domain}:
            raise SourceUnfit(
                f"the log has a second replication domain ({gtid} behind {self._end.token}), so "
                "it has no one order; let all sessions have one gtid_domain_id"
            )
        if order <= self._end.order:
            raise SourceLost(
                f"the log goes back, from {self._end.token} to {gtid}: it was begun anew, or the "
                "server was restored; set gtid_strict_mode = ON, and start with a new backfill"
            )
        self._domain, self._place, self._flags = domain, Position(order, gtid), flags
        self._changes, self._truncated, self._altered = [], {}, {}
        self._savepoints = {}

    def add(self, changes: Sequence[Change]) -> None:
        """Rows of a known table changed.

        Raises:
            SourceUnfit: in a transaction of two phases.
        """
        if self._flags & _PREPARED and changes:
            raise SourceUnfit(
                f"an XA transaction writes {changes[0].table}; the log has its rows before it is "
                "decided, so it cannot be captured: let writers use plain transactions"
            )
        self._changes.extend(changes)

    def statement(self, text: str, database: str, at: datetime) -> Ended | None:
        """A statement stands in the log as text. Returns what it ended, as `end` does.

        Raises:
            SourceUnfit: it may have changed rows of known tables, and which ones is not there.
        """
        words = text.split(None, 2)
        verb = words[0].upper().rstrip(";") if words else ""
        if verb == "COMMIT":
            return self.end(at)
        if verb in {"SAVEPOINT", "ROLLBACK"}:
            return self._undo(verb, text, at)
        done = effect(text, database)
        if written := self._known(done.written):
            raise SourceUnfit(
                f"{', '.join(written)}: the log has a statement instead of the rows it changed; "
                "SET GLOBAL binlog_format = ROW, and start with a new backfill"
            )
        self._altered.update(dict.fromkeys(self._known(done.altered)))
        for table in self._known(done.truncated):
            self._truncated[table] = None
            self._changes = [one for one in self._changes if one.table != table]
        return self.end(at) if self._flags & _STANDALONE else None

    def _undo(self, verb: str, text: str, at: datetime) -> Ended | None:
        name = text.rsplit(maxsplit=1)[-1].strip("`;").lower()
        if verb == "SAVEPOINT":
            self._savepoints[name] = len(self._changes)
        elif len(text.split()) > 1:
            del self._changes[self._savepoints.get(name, 0) :]
        else:
            self._changes = []
            return self.end(at)
        return None

    def _known(self, found: frozenset[tuple[str, str]]) -> list[str]:
        here = {table for database, table in found if database == self._database}
        return sorted(name for low, name in self._tables.items() if low in here or "" in here)

    def end(self, at: datetime) -> Ended | None:
        """The group is committed. None: it had no GTID, so it is of before the position."""
        place, self._place = self._place, None
        if place is None:
            return None
        self._end = place
        if not (self._changes or self._truncated or self._altered):
            return place, None
        return place, Transaction(
            place,
            place.token,
            at,
            is_replicators(self._changes),
            tuple(self._changes),
            tuple(self._truncated),
            tuple(self._altered),
        )
