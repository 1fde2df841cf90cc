"""What a batch of a source's transactions means: what to stage, carry across, or hold against it.

Pure: the same batch at the same place always means the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from legacy_adapters.mapping.landing import Emptied, Landing, RogueWrite, Step, Terms
from legacy_adapters.mapping.marks import FENCE, HEARTBEAT
from legacy_adapters.mapping.membership import Home, Membership
from legacy_adapters.mapping.rows import Cell, Row
from legacy_adapters.mapping.versions import Position, Side, Version


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row of a source, changed."""

    table: str
    key: str
    before: Row | None
    after: Row | None


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction of a source, as far as its meaning goes.

    Attributes:
        is_ours: the replicator made it.
        emptied: tables that lost all rows before `changes`.
    """

    position: Position
    name: str
    at: datetime | None
    is_ours: bool
    changes: tuple[RowChange, ...]
    emptied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat of the stream's own, as it was read."""

    sent_us: int
    order: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """A batch, understood.

    Attributes:
        step: what it changes in the books; its landings and emptied tables are of the source.
        beat: the newest in it.
    """

    step: Step
    beat: Beat | None


@dataclass(slots=True)
class _Reading:
    """What was understood so far."""

    terms: dict[str, tuple[str, int]]
    source_at: datetime | None
    landings: list[Landing] = field(default_factory=list)
    emptied: list[Emptied] = field(default_factory=list)
    rogues: list[RogueWrite] = field(default_factory=list)
    wrote: list[frozenset[str]] = field(default_factory=list)
    regained: set[str] = field(default_factory=set)
    beat: Beat | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Understands one stream's batches.

    Attributes:
        side: whose log it is.
        homes: of that side's tables.
    """

    stream: str
    side: Side
    homes: Membership

    def understand(
        self,
        commits: tuple[Commit, ...],
        read_to: Position,
        at: tuple[Position | None, Terms, datetime | None],
    ) -> Meaning:
        """What commits mean to books that stand at (position, terms, the source's time).

        Those that are not behind that position are repetitions and mean nothing. The term that
        counts for a change is the one that the log said last before it.
        """
        expected, terms, source_at = at
        reading = _Reading(dict(terms), source_at)
        reached = expected
        for commit in commits:
            if reached is not None and commit.position.order <= reached.order:
                continue
            reached = commit.position
            reading.source_at = commit.at or reading.source_at
            self._read(reading, commit)
        if reached is None or read_to.order > reached.order:
            reached = read_to
        step = Step(
            self.stream, expected, reached, reading.terms, reading.source_at,
            tuple(reading.landings), tuple(reading.emptied), (), tuple(reading.rogues),
            tuple(reading.wrote), frozenset(reading.regained),
        )  # fmt: skip
        return Meaning(step, reading.beat)

    def _read(self, reading: _Reading, commit: Commit) -> None:
        order = commit.position.order
        if domains := self._wrote(commit):
            reading.wrote.append(domains)
        for table in commit.emptied:
            if (home := self.homes.get(table)) is not None:
                version, carries = self._judge(reading, commit, home, "*")
                reading.emptied.append(Emptied(table, version, carries, commit.name))
        for change in commit.changes:
            home = self.homes.get(change.table)
            if home is not None:
                version, carries = self._judge(reading, commit, home, change.key)
                is_late = not (carries or commit.is_ours or home.table.is_fenced)
                reading.landings.append(
                    Landing(change.table, change.key, change.after, change.before, version,
                            carries, commit.name, is_late and version.term > 0)
                )  # fmt: skip
            elif change.table == FENCE.name:
                self._fence(reading, change)
            elif change.table == HEARTBEAT.name:
                reading.beat = self._beat(change, order) or reading.beat

    def _wrote(self, commit: Commit) -> frozenset[str]:
        """Which domains a commit of the store's own wrote."""
        if commit.is_ours:
            return frozenset()
        tables = (*commit.emptied, *(change.table for change in commit.changes))
        homes = (self.homes.get(table) for table in tables)
        return frozenset(home.domain for home in homes if home and home.table.is_fenced)

    def _beat(self, change: RowChange, order: int) -> Beat | None:
        row = change.after
        is_own = row is not None and row["name"] == self.stream
        return Beat(_number(row["sent_us"]), order) if row is not None and is_own else None

    def _judge(
        self, reading: _Reading, commit: Commit, home: Home, key: str
    ) -> tuple[Version, bool]:
        """The version of a change, and whether it is carried across."""
        owner, term = reading.terms.get(home.domain, ("", 0))
        order = commit.position.order
        is_owner = owner == self.side
        is_told = home.table.is_fenced and owner != ""
        if not is_owner and not commit.is_ours and is_told:
            reading.rogues.append(RogueWrite(home.domain, home.table.name, key, order))
        return Version(term, order), is_owner and not commit.is_ours

    def _fence(self, reading: _Reading, change: RowChange) -> None:
        """A fence row says who owns a domain from here on. Terms only grow."""
        if change.after is None:
            return
        domain, term = str(change.after["domain"]), _number(change.after["term"])
        before, last = reading.terms.get(domain, ("", 0))
        if term < last:
            return
        owner = str(change.after["owner"])
        reading.terms[domain] = (owner, term)
        if owner == self.side and before not in ("", owner):
            reading.regained.add(domain)


def _number(cell: Cell) -> int:
    return cell if isinstance(cell, int) else int(str(cell))
