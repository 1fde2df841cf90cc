"""Stores batches: everything of one batch in one transaction."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.storage import tables, tally
from shadow_compare.storage.books import store_books
from shadow_compare.storage.done import forget_old, only_new, remember, wait_for_turn
from shadow_compare.storage.entering import enter_epochs
from shadow_compare.storage.groups import GroupsWriter
from shadow_compare.storage.pairs import PairKeeper, prune_pairs
from shadow_compare.storage.retention import PRUNE_ROWS, prune_rows
from shadow_compare.storage.rule_uses import store_rule_uses
from shadow_compare.storage.samples import KEEP_EPOCH_S, forget_epochs, store_samples
from shadow_compare.storage.upsert import add, put_new

KEEP_TREND_S = 30 * 24 * 3600
PRUNE_EVERY_S = 3600


class SqlEvidenceWriter:
    """Implements ports.EvidenceWriter. One task uses it at a time."""

    def __init__(self, engine: AsyncEngine, *, keep_s: float = KEEP_TREND_S) -> None:
        """Args: keep_s: how long examples, pairs and journals are kept."""
        self._engine = engine
        self._keep_s = keep_s
        self._pruned_s = 0.0
        self._groups = GroupsWriter()
        self._pairs = PairKeeper()

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        runs = tables.runs.c
        query = sa.select(runs.run, runs.segment, runs.position)
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        except (SQLAlchemyError, OSError) as exc:
            raise EvidenceUnavailable(f"cannot read the checkpoints: {exc}") from exc
        return {row.run: Checkpoint(row.segment, row.position) for row in rows}

    async def commit(self, batch: Batch) -> Batch:
        try:
            async with self._engine.begin() as connection:
                await wait_for_turn(connection)
                new, before = await only_new(connection, batch)
                await self._store(connection, new)
                await remember(connection, new, before)
                return new
        except (SQLAlchemyError, OSError) as exc:
            self._pairs.forget()
            raise EvidenceUnavailable(f"cannot store the evidence: {exc}") from exc

    async def _store(self, connection: AsyncConnection, batch: Batch) -> None:
        await _store_epochs(connection, batch)
        added = await store_samples(connection, batch.judged)
        await add(connection, tables.totals, tally.totals(batch.judged, added))
        await add(connection, tables.tallies, tally.tallies(batch.judged, added))
        await add(connection, tables.latencies, tally.latencies(batch.judged))
        await add(connection, tables.answered, tally.answered(batch.judged))
        await add(connection, tables.noise, tally.noise(batch.judged))
        await self._groups.store(connection, batch)
        await self._pairs.store(connection, batch)
        await store_rule_uses(connection, batch)
        await store_books(connection, batch)
        if batch.at_s - self._pruned_s >= PRUNE_EVERY_S:
            await _prune(connection, batch.at_s - KEEP_TREND_S)
            await prune_pairs(connection, batch)
            await forget_old(connection, batch.at_s)
            await forget_epochs(connection, batch.at_s - KEEP_EPOCH_S)
            deleted = await prune_rows(connection, batch.at_s - self._keep_s)
            self._pairs.forget()
            # What one transaction may not hold is left for the next one.
            if max(deleted.values()) < PRUNE_ROWS:
                self._pruned_s = batch.at_s


async def _store_epochs(connection: AsyncConnection, batch: Batch) -> None:
    rows = [
        {
            "domain": epoch.domain,
            "key": epoch.key,
            "rules": epoch.rules,
            "stores": epoch.stores,
            "since_s": epoch.since_s,
        }
        for epoch in batch.epochs
    ]
    await put_new(connection, tables.epochs, rows)
    await enter_epochs(connection, batch)


async def _prune(connection: AsyncConnection, before_s: float) -> None:
    for table in (tables.tallies, tables.latencies, tables.answered):
        await connection.execute(sa.delete(table).where(table.c.at_s < int(before_s)))
