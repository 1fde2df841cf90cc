"""A source with snapshots, a stage and books, in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from legacy_adapters.mapping.rows import Row, Table, key_text
from legacy_adapters.mapping.versions import Position, Version
from legacy_adapters.ports.backfilling import Part, Run
from legacy_adapters.ports.stage import Checkpoint, Waiting

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(Exception):
    """The process is gone."""


@dataclass
class FakeTables:
    """A source whose rows one may change while it is read. Keys are whole numbers.

    Attributes:
        rows: table to key to row.
        order: of its log; each change adds one.
        on_page: called before a page is given out, as another task might get a turn.
    """

    rows: dict[str, dict[int, Row]]
    order: int = 1
    on_page: Any = None
    snapshots: int = 0

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[_State]:
        """One state of it."""
        self.snapshots += 1
        yield _State({name: dict(rows) for name, rows in self.rows.items()}, self)


@dataclass
class _State:
    rows: dict[str, dict[int, Row]]
    source: FakeTables
    low: Position = field(init=False)
    high: Position = field(init=False)

    def __post_init__(self) -> None:
        self.low = self.high = Position(self.source.order)

    async def count(self, table: Table) -> int:
        return len(self.rows[table.name])

    async def page(
        self, table: Table, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[Row]:
        if self.source.on_page is not None:
            self.source.on_page()
        first = -1 if after is None else int(after)
        keys = sorted(
            key for key in self.rows[table.name] if key > first and (to is None or key <= int(to))
        )
        return [self.rows[table.name][key] for key in keys[:size]]

    async def splits(self, table: Table, parts: int) -> Sequence[str]:
        keys = sorted(self.rows[table.name])
        step = max(1, len(keys) // parts)
        return [str(key) for key in keys[step - 1 : -1 : step]][: parts - 1]


@dataclass
class FakeStage:
    """Staged rows by table and key, with the version at which each was true.

    Attributes:
        terms: of the stream's checkpoint; None before it has begun.
        kill_at: the call at which the process dies; None for never.
    """

    terms: Mapping[str, tuple[str, int]] | None = None
    staged: dict[tuple[str, str], tuple[Version, Row | None]] = field(default_factory=dict)
    dirty: int = 0
    calls: int = 0
    kill_at: int | None = None

    def live(self) -> dict[tuple[str, str], Row]:
        """What is staged and no tombstone."""
        return {key: row for key, (_, row) in self.staged.items() if row is not None}

    def put(self, table: str, key: str, version: Version, row: Row | None) -> bool:
        """Take a row if it is newer."""
        known = self.staged.get((table, key))
        if known is not None and known[0] >= version:
            return False
        self.staged[table, key] = version, row
        return True

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.kill_at:
            raise Killed

    async def deliver(self, table: Table, rows: Sequence[Row], version: Version) -> int:
        self._call()
        return sum(self.put(table.name, key_text(table, row), version, row) for row in rows)

    async def sweep(self, table: Table, older: Version) -> int:
        self._call()
        old = [
            key
            for key, (version, row) in self.staged.items()
            if key[0] == table.name and version < older and row is not None
        ]
        for key in old:
            self.staged[key] = older, None
        return len(old)

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        if self.terms is None:
            return None
        return Checkpoint(stream, Position(1), self.terms, None, AT, "", None)

    async def waiting(self, stream: str, domain: str) -> Waiting:
        return Waiting(self.dirty, 0, None)


@dataclass
class FakeBooks:
    """Runs in memory, which outlive the process."""

    kept: dict[str, Run] = field(default_factory=dict)

    async def run(self, domain: str) -> Run | None:
        return self.kept.get(domain)

    async def runs(self) -> Mapping[str, Run]:
        return self.kept

    async def begin(self, run: Run) -> None:
        self.kept[run.domain] = run

    async def move(self, domain: str, part: Part) -> None:
        run = self.kept[domain]
        parts = tuple(
            part if (one.table, one.number) == (part.table, part.number) else one
            for one in run.parts
        )
        self.kept[domain] = replace(run, parts=parts)

    async def finish(self, domain: str, at: datetime) -> None:
        self.kept[domain] = replace(self.kept[domain], finished_at=at)


def names(keys: Collection[tuple[str, str]]) -> list[str]:
    """table/key, sorted."""
    return sorted(f"{table}/{key}" for table, key in keys)
