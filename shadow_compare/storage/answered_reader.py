"""Reads how often each side answered, and how often that was an error."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.evidence import Answered
from shadow_compare.storage import tables

_HOUR_S = 3600


async def answered_of(connection: AsyncConnection, domain: str) -> Sequence[Answered]:
    """Per side and role, over the last hour with data."""
    counts = tables.answered.c
    last = sa.select(sa.func.max(counts.at_s)).where(counts.domain == domain)
    sums = (sa.func.sum(counts[name]).label(name) for name in ("answers", "errors"))
    query = (
        sa.select(counts.side, counts.role, *sums)
        .where(counts.domain == domain, counts.at_s > last.scalar_subquery() - _HOUR_S)
        .group_by(counts.side, counts.role)
        .order_by(counts.side, counts.role)
    )
    rows = (await connection.execute(query)).all()
    return tuple(Answered(row.side, row.role, int(row.answers), int(row.errors)) for row in rows)
