"""Which domains were written by one transaction of the legacy, as its stream has seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.storage.tables.backfill import cowrite
from new_core.ports import Database
from new_core.storage import connection_of

_ALL = ("", "")


async def note_cowrites(
    connection: AsyncConnection, transactions: Collection[frozenset[str]]
) -> None:
    """Count transactions by the domains that each wrote, in the stream's own transaction.

    A pair stands once, its names in order; two empty names count all transactions.
    """
    counts: dict[tuple[str, str], int] = {}
    for domains in transactions:
        for pair in (_ALL, *combinations(sorted(domains), 2)):
            counts[pair] = counts.get(pair, 0) + 1
    if not counts:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = cowrite.c
    statement = insert(cowrite).values(
        [
            {"one": one, "other": other, "transactions": count}
            for (one, other), count in sorted(counts.items())
        ]
    )
    added = row.transactions + statement.excluded.transactions
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[row.one, row.other], set_={"transactions": added}
        )
    )


class SqlCowrites:
    """What was counted, for a preflight."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seen(self) -> tuple[Mapping[tuple[str, str], int], int]:
        """Pairs of domains to transactions that wrote both, and transactions in all.

        Raises:
            CoreError: the tables are not there, since no stream ever ran.
        """
        async with self._database.reading() as uow:
            found = await connection_of(uow).execute(sa.select(cowrite))
            rows = found.all()
        counts = {(one, other): int(count) for one, other, count in rows}
        watched = counts.pop(_ALL, 0)
        return counts, watched
