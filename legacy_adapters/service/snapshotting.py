"""Copies a domain's rows into the stage while both stores go on: by snapshots with a place.

Nothing is written to the source, and no window of the log is watched:

1. A snapshot is read, 2. a shopper changes a row of it, 3. the stream brings the change, 4. the
snapshot's row arrives late. Every row carries the version at which it was true, so 4 changes
nothing. And if a row is deleted in 2, its tombstone is newer than 4 as well.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from legacy_adapters.errors import BackfillBusy, BackfillTooEarly
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.rows import Table, key_text
from legacy_adapters.mapping.versions import Side, Version
from legacy_adapters.ports import Progress
from legacy_adapters.ports.backfilling import BackfillBooks, Part, Run, unfinished
from legacy_adapters.ports.capture import ChangeSource, Snapshot
from legacy_adapters.ports.documents import Kind
from legacy_adapters.ports.stage import Stage
from new_core.ports import Clock

_STREAM = stream_from(Side.LEGACY)


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard a backfill may work.

    Attributes:
        page: rows a page, and so a transaction.
        tasks: ranges that are read at the same time.
        snapshot_s: a snapshot is given back after this time; the source keeps old rows for it.
        rows_per_s: at most, over all tasks; 0 is without a limit.
        waiting: aggregates that may wait to be applied; beyond it the backfill waits for them.
    """

    page: int = 5_000
    tasks: int = 2
    snapshot_s: float = 10.0
    rows_per_s: int = 0
    waiting: int = 20_000


@dataclass(frozen=True, slots=True)
class Clockwork:
    """Time as it passes: seconds that never jump, and a wait."""

    seconds: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backfill did. `taken` rows were new or newer than what was staged."""

    domain: str
    rows: int
    taken: int
    gone: int
    resumed: bool
    elapsed_s: float


class SnapshotBackfill:
    """One run of one domain. Start it again to go on where it was stopped."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it reads, writes, tells and waits by
        self,
        source: ChangeSource,
        stage: Stage,
        books: BackfillBooks,
        progress: Progress,
        now: Clock,
        clockwork: Clockwork,
        pace: Pace | None = None,
    ) -> None:
        self._source, self._stage, self._books = source, stage, books
        self._progress, self._now, self._clockwork = progress, now, clockwork
        self._pace = pace or Pace()
        self._rows = self._taken = 0
        self._began_s = clockwork.seconds()

    async def run(
        self, domain: str, kinds: Sequence[Kind[Any]], *, restart: bool = False
    ) -> Copied:
        """Stage all rows of a domain's aggregates.

        Args:
            domain: whose rows.
            kinds: the domain's own, each after what it points at.
            restart: read everything again, even what an earlier run has read.

        Raises:
            BackfillTooEarly: the stream has not begun, so that changes meanwhile would be lost.
            BackfillBusy: the legacy does not own the domain any more.
            SourceUnavailable, StoreUnavailable: no answer; start again to go on.
        """
        self._began_s = self._clockwork.seconds()
        tables = {table.name: table for kind in kinds for table in kind.translation.shape.tables}
        last = None if restart else await self._books.run(domain)
        resumed = last is not None and last.finished_at is None
        run = last if last is not None and resumed else await self._plan(domain, tables)
        self._progress.begin(f"staging {domain}", max(run.total, run.rows), run.rows)
        await self._read(run, tables)
        gone = 0
        for table in tables.values():
            gone += await self._stage.sweep(table, run.since)
        await self._books.finish(domain, self._now())
        elapsed_s = self._clockwork.seconds() - self._began_s
        return Copied(domain, self._rows, self._taken, gone, resumed, elapsed_s)

    async def _plan(self, domain: str, tables: dict[str, Table]) -> Run:
        term = await self._term(domain)
        parts: list[Part] = []
        total = 0
        async with self._source.snapshot() as snapshot:
            since = Version(term, snapshot.low.order)
            for table in tables.values():
                total += await snapshot.count(table)
                cuts = [None, *await snapshot.splits(table, self._pace.tasks), None]
                parts += [
                    Part(table.name, number, after, to)
                    for number, (after, to) in enumerate(itertools.pairwise(cuts))
                ]
        run = Run(domain, since, total, tuple(parts), self._now())
        await self._books.begin(run)
        return run

    async def _term(self, domain: str) -> int:
        """Of the domain, as the stream last saw it."""
        checkpoint = await self._stage.checkpoint(_STREAM)
        if checkpoint is None:
            raise BackfillTooEarly(
                "the stream from the legacy has not begun; start `banyan sync` first, so that "
                "no change is lost while rows are copied"
            )
        owner, term = checkpoint.terms.get(domain, (Side.LEGACY.value, 1))
        if owner != Side.LEGACY:
            raise BackfillBusy(f"{owner} owns {domain}; the legacy's rows are not the truth now")
        return term

    async def _read(self, run: Run, tables: dict[str, Table]) -> None:
        """A table after the other, its parts side by side."""
        left = unfinished(run)
        for name in tables:
            queue: list[Part] = [part for part in left if part.table == name][::-1]

            async def work(queue: list[Part] = queue) -> None:
                while queue:
                    await self._read_part(run, queue.pop(), tables)

            try:
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(min(self._pace.tasks, len(queue))):
                        tasks.create_task(work())
            except ExceptionGroup as group:
                # The first ends the others; what it says is what matters.
                raise group.exceptions[0] from group

    async def _read_part(self, run: Run, part: Part, tables: dict[str, Table]) -> None:
        while not part.is_finished:
            async with self._source.snapshot() as snapshot:
                opened_s = self._clockwork.seconds()
                while not part.is_finished:
                    part = await self._page(run.domain, part, tables[part.table], snapshot)
                    if self._clockwork.seconds() - opened_s > self._pace.snapshot_s:
                        break

    async def _page(self, domain: str, part: Part, table: Table, snapshot: Snapshot) -> Part:
        await self._yield_way(domain)
        after = part.last if part.last is not None else part.after
        rows = await snapshot.page(table, after, self._pace.page, to=part.to)
        term = await self._term(domain)
        if rows:
            version = Version(term, snapshot.low.order)
            self._taken += await self._stage.deliver(table, rows, version)
            self._rows += len(rows)
            self._progress.advance(len(rows))
        moved = replace(
            part,
            last=key_text(table, rows[-1]) if rows else part.last,
            rows=part.rows + len(rows),
            is_finished=len(rows) < self._pace.page,
        )
        # 1. A page is delivered, 2. we die, 3. the same page is read again from a newer
        # snapshot: what did not change since is found staged, and nothing happens.
        await self._books.move(domain, moved)
        return moved

    async def _yield_way(self, domain: str) -> None:
        """Wait for whoever has to keep up with us, and for the rate."""
        while (await self._stage.waiting(_STREAM, domain)).dirty > self._pace.waiting:
            await self._clockwork.sleep(0.2)
        if self._pace.rows_per_s:
            due_s = self._began_s + self._rows / self._pace.rows_per_s
            await self._clockwork.sleep(max(0.0, due_s - self._clockwork.seconds()))
