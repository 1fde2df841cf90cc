"""What of a batch is new, and what is done from now on.

A frame is offered twice when its comparer was slow or was killed between storing and
acknowledging, when the bus lost the acknowledgement, or when the database stored a batch
and died before it could say so. It counts once:

1. two comparers judge the same frame; 2. the first one's transaction counts it and puts
its number into the run's spans; 3. the second one's transaction, which cannot begin to
look before the first has ended, finds the number there and leaves the frame out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.batch import Batch
from shadow_compare.core.spans import ALL, Span, covers, joined, spans_of
from shadow_compare.storage.done_tables import done

# A closed run is remembered for longer than any bus keeps a frame of it.
KEEP_CLOSED_S = 30 * 24 * 3600
_ONE_AT_A_TIME = 5_723_441_190_212_805  # any number that no other program locks
_CLOSED = Span(1, ALL)

Spans = Mapping[str, tuple[Span, ...]]
Of = TypeVar("Of")


async def wait_for_turn(connection: AsyncConnection) -> None:
    """Let one batch at a time be stored, so that what it reads stays true until it ends.

    SQLite's writers stand in line by themselves. On PostgreSQL the end of the transaction,
    or of its connection, lets the next one in.
    """
    if connection.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(:key)")
        await connection.execute(lock, {"key": _ONE_AT_A_TIME})


async def only_new(connection: AsyncConnection, batch: Batch) -> tuple[Batch, Spans]:
    """The batch without what was stored before, and the spans that its runs had."""
    runs = {one.run for one in batch.judged} | {*batch.accounts, *batch.closed, *batch.passed}
    before = await _spans(connection, runs)
    closed = {run for run, spans in before.items() if _CLOSED in spans}
    seen: set[tuple[str, int]] = set()
    judged = []
    for one in batch.judged:
        key = (one.run, one.seq)
        if key not in seen and not covers(before.get(one.run, ()), one.seq):
            judged.append(one)
        seen.add(key)
    new = replace(
        batch,
        judged=tuple(judged),
        accounts=_without(batch.accounts, closed),
        checkpoints=_without(batch.checkpoints, closed),
        closed=_without(batch.closed, closed),
        passed=_without(batch.passed, closed),
    )
    return new, before


async def remember(connection: AsyncConnection, batch: Batch, before: Spans) -> None:
    """Mark the frames of a batch as done; of a closed run, all that may ever come."""
    seqs: dict[str, list[int]] = {}
    for one in batch.judged:
        seqs.setdefault(one.run, []).append(one.seq)
    added = {run: spans_of(of_run) for run, of_run in seqs.items()}
    for run, passed in batch.passed.items():
        if passed.seq:
            added.setdefault(run, []).append(Span(1, passed.seq))
    for run in batch.closed:
        added.setdefault(run, []).append(_CLOSED)
    for run, spans in sorted(added.items()):
        had = before.get(run, ())
        has = joined((*had, *spans))
        await _delete(connection, run, set(had) - set(has))
        rows = [
            {"run": run, "first": span.first, "last": span.last, "at_s": batch.at_s}
            for span in has
            if span not in had
        ]
        if rows:
            await connection.execute(sa.insert(done), rows)


async def forget_old(connection: AsyncConnection, at_s: float) -> None:
    """Runs that were closed so long ago that no frame of them can be left on any bus."""
    old = (done.c.last == ALL) & (done.c.at_s < at_s - KEEP_CLOSED_S)
    await connection.execute(sa.delete(done).where(old))


async def _spans(connection: AsyncConnection, runs: Iterable[str]) -> dict[str, tuple[Span, ...]]:
    query = (
        sa.select(done.c.run, done.c.first, done.c.last)
        .where(done.c.run.in_(sorted(runs)))
        .order_by(done.c.run, done.c.first)
    )
    found: dict[str, list[Span]] = {}
    for row in (await connection.execute(query)).all():
        found.setdefault(row.run, []).append(Span(row.first, row.last))
    return {run: tuple(spans) for run, spans in found.items()}


async def _delete(connection: AsyncConnection, run: str, spans: set[Span]) -> None:
    firsts: Sequence[int] = sorted(span.first for span in spans)
    if firsts:
        same = (done.c.run == run) & done.c.first.in_(firsts)
        await connection.execute(sa.delete(done).where(same))


def _without(of: Mapping[str, Of], runs: set[str]) -> dict[str, Of]:
    return {run: value for run, value in of.items() if run not in runs}
