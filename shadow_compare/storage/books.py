"""The books and the checkpoints, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core import ledger
from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.core.ledger import Kind, Line
from shadow_compare.core.text import storable
from shadow_compare.storage import tables
from shadow_compare.storage.tally import followed
from shadow_compare.storage.upsert import add, put

CLOSED = ""


async def store_books(connection: AsyncConnection, batch: Batch) -> None:
    """Bring every run's books and checkpoint forward, and close what has ended.

    A run is closed at most once:

    1. the run's worker died and its last frame is judged; 2. its books are folded into
    the closed ones, and the run's row stays, marked; 3. the comparer is killed before the
    spool forgets the run; 4. the next comparer finds the run in the spool, and the mark
    tells it that the run has been counted.
    """
    if batch.gone:
        runs = tables.runs.c
        gone = runs.closed & runs.run.in_(batch.gone)
        await connection.execute(sa.delete(tables.runs).where(gone))
    done = followed(batch.judged)
    touched = {*done, *batch.accounts, *batch.checkpoints, *batch.closed, *batch.passed}
    if not touched:
        return
    rows = await _runs(connection, touched)
    closed = {run for run, (_, is_closed) in rows.items() if is_closed}
    books = await _books(connection, touched - closed)
    for run in sorted(touched - closed):
        counters = {storable(name): count for name, count in batch.accounts.get(run, {}).items()}
        after = ledger.settle(books.get(run, {}), counters, done.get(run, {}))
        if run in batch.passed:
            after = ledger.give_up(after, batch.passed[run].sent)
        if run in batch.closed:
            await _fold(connection, run, ledger.close(after, batch.closed[run]))
        elif after != books.get(run, {}):
            await put(connection, tables.ledger, _lines(run, after.items()))
    checkpoints = [
        {
            "run": run,
            "segment": checkpoint.segment,
            "position": checkpoint.offset,
            "closed": run in batch.closed,
        }
        for run in sorted(touched - closed)
        for checkpoint in [batch.checkpoints.get(run, rows.get(run, _NEW)[0])]
    ]
    await put(connection, tables.runs, checkpoints)


_NEW = (Checkpoint(), False)


async def _runs(connection: AsyncConnection, names: set[str]) -> dict[str, tuple[Checkpoint, bool]]:
    runs = tables.runs.c
    query = sa.select(tables.runs).where(runs.run.in_(sorted(names)))
    return {
        row.run: (Checkpoint(row.segment, row.position), row.closed)
        for row in (await connection.execute(query)).all()
    }


async def _books(connection: AsyncConnection, names: set[str]) -> dict[str, dict[Line, int]]:
    query = sa.select(tables.ledger).where(tables.ledger.c.run.in_(sorted(names)))
    books: dict[str, dict[Line, int]] = {}
    for row in (await connection.execute(query)).all():
        line = Line(row.domain, row.route, Kind(row.kind), row.reason)
        books.setdefault(row.run, {})[line] = row.exchanges
    return books


async def _fold(connection: AsyncConnection, run: str, books: Mapping[Line, int]) -> None:
    await connection.execute(sa.delete(tables.ledger).where(tables.ledger.c.run == run))
    await add(connection, tables.ledger, _lines(CLOSED, books.items()))


def _lines(run: str, lines: Iterable[tuple[Line, int]]) -> list[dict[str, str | int]]:
    return [
        {
            "run": run,
            "domain": line.domain,
            "route": line.route,
            "kind": line.kind.value,
            "reason": line.reason,
            "exchanges": count,
        }
        for line, count in lines
        if count
    ]
