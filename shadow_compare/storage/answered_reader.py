"""Reads how often each side answered, and how often that was an error."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from shadow_compare.core.evidence import Answered
from shadow_compare.storage import tables
from shadow_compare.storage.reader import SqlEvidenceReader

_HOUR_S = 3600


class SqlReader(SqlEvidenceReader):
    """Implements ports.EvidenceReader whole: all that its parent reads, and answers."""

    async def answered(self, domain: str) -> Sequence[Answered]:
        counts = tables.answered.c
        last = sa.select(sa.func.max(counts.at_s)).where(counts.domain == domain)
        sums = (sa.func.sum(counts[name]).label(name) for name in ("answers", "errors"))
        query = (
            sa.select(counts.side, counts.role, *sums)
            .where(counts.domain == domain, counts.at_s > last.scalar_subquery() - _HOUR_S)
            .group_by(counts.side, counts.role)
            .order_by(counts.side, counts.role)
        )
        async with self._open() as connection:
            rows = [] if connection is None else (await connection.execute(query)).all()
        return tuple(
            Answered(row.side, row.role, int(row.answers), int(row.errors)) for row in rows
        )
