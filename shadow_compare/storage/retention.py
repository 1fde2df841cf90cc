"""Let go of what is kept of exchanges: what is old, and what holds one person's values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.storage.group_tables import journal
from shadow_compare.storage.proof_tables import recorded_pairs, rule_uses
from shadow_compare.storage.schema import current_revision, head_revision
from shadow_compare.storage.strata_tables import strata
from shadow_compare.storage.tables import (
    answered,
    domains,
    epochs,
    examples,
    latencies,
    ledger,
    metadata,
    runs,
    tallies,
    totals,
)

DAY_S = 24 * 3600.0
PRUNE_ROWS = 1_000
_LOOK_ROWS = 200

# What is kept of single exchanges and of what people said, by the time it is of.
KEPT = (examples, recorded_pairs, journal)
# Counts and books: names of routes, rules and releases, and numbers. A purge leaves them as
# they are, and `samples` and `strata`, which hold nothing else.
_COUNTED = frozenset(
    table.name
    for table in (
        answered,
        domains,
        epochs,
        latencies,
        ledger,
        rule_uses,
        runs,
        strata,
        tallies,
        totals,
    )
)

Holds = Callable[[bytes], bool]


async def prune_rows(
    connection: AsyncConnection, before_s: float, most: int = PRUNE_ROWS
) -> Mapping[str, int]:
    """Delete the rows of `KEPT` that are older, at most so many of each table.

    Returns: table name to rows deleted; there may be more where it says `most`.
    """
    deleted = {}
    for table in KEPT:
        key = _key(table)
        old = sa.select(*key).where(table.c.at_s < before_s).limit(most)
        is_old = sa.tuple_(*key).in_(old)
        deleted[table.name] = (await connection.execute(sa.delete(table).where(is_old))).rowcount
    return deleted


class SqlRetention:
    """Deletes from an evidence database that is there already. One task at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def prune(self, before_s: float, *, dry_run: bool = False) -> Mapping[str, int]:
        """Delete what is older, in bounded transactions, so that a comparer gets its turn.

        Returns: table name to rows deleted, or with `dry_run` to rows that would be.

        Raises:
            EvidenceUnavailable: the database did not answer, or is of another release. What
                was deleted until then is deleted.
        """
        deleted = dict.fromkeys([table.name for table in KEPT], 0)
        async with self._errors():
            if dry_run:
                return await self._old(before_s)
            while True:
                async with self._engine.begin() as connection:
                    found = await prune_rows(connection, before_s)
                for name, count in found.items():
                    deleted[name] += count
                if max(found.values()) < PRUNE_ROWS:
                    break
            await self._scrub()
        return deleted

    async def purge(self, holds: Holds, *, dry_run: bool = False) -> Mapping[str, int]:
        """Delete every row about an exchange in whose texts `holds` finds something.

        Counts stay. Every table is looked through but those of counts, so that a table
        which is added later is not forgotten. Each table is one transaction.

        Returns, raises: as `prune`.
        """
        deleted = {}
        async with self._errors():
            for table in metadata.sorted_tables:
                if table.name in _COUNTED or not _text_columns(table):
                    continue
                count = await self._purge_table(table, holds, dry_run=dry_run)
                if count or table in KEPT:
                    deleted[table.name] = count
            if not dry_run:
                await self._scrub()
        return deleted

    async def _purge_table(self, table: sa.Table, holds: Holds, *, dry_run: bool) -> int:
        key, texts = _key(table), _text_columns(table)
        query = sa.select(*key, *texts)
        async with self._engine.begin() as connection:
            rows = await connection.stream(query.execution_options(yield_per=_LOOK_ROWS))
            found = [
                tuple(row[: len(key)])
                async for row in rows
                if any(holds(text) for text in _texts(row[len(key) :]))
            ]
            if not dry_run:
                for one in found:
                    is_one = sa.and_(*(c == value for c, value in zip(key, one, strict=True)))
                    await connection.execute(sa.delete(table).where(is_one))
        return len(found)

    async def _old(self, before_s: float) -> Mapping[str, int]:
        counted = {}
        async with self._engine.begin() as connection:
            for table in KEPT:
                query = sa.select(sa.func.count()).select_from(table)
                old = await connection.execute(query.where(table.c.at_s < before_s))
                counted[table.name] = int(old.scalar_one())
        return counted

    async def _scrub(self) -> None:
        """SQLite overwrites what is deleted with zeros and uses its pages again; only the
        log beside the file still has the old pages, until it is folded in and cut.
        """
        if self._engine.dialect.name != "sqlite":
            return
        async with self._engine.connect() as connection:
            await connection.exec_driver_sql("COMMIT")
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        try:
            async with self._engine.connect() as connection:
                found = await connection.run_sync(current_revision)
            if found != head_revision():
                what = (
                    f"its revision is {found or 'none'}, and this release is of {head_revision()}"
                )
                raise EvidenceUnavailable(f"the evidence is of another release: {what}")
            yield
        except (SQLAlchemyError, OSError) as exc:
            raise EvidenceUnavailable(f"the evidence lets nothing be deleted: {exc}") from exc


def _key(table: sa.Table) -> Sequence[sa.Column[Any]]:
    return list(table.primary_key.columns)


def _text_columns(table: sa.Table) -> list[sa.Column[Any]]:
    return [c for c in table.columns if isinstance(c.type, sa.Text | sa.LargeBinary)]


def _texts(values: Sequence[Any]) -> Iterator[bytes]:
    for value in values:
        if isinstance(value, str):
            yield value.encode("utf-8", "surrogatepass")
        elif value is not None:
            yield bytes(value)
