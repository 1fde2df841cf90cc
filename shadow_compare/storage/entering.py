"""Which epoch a domain is in, and what it found there when it came in."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.batch import Batch
from shadow_compare.core.epoch import Epoch
from shadow_compare.storage import tables
from shadow_compare.storage.upsert import put


async def enter_epochs(connection: AsyncConnection, batch: Batch) -> None:
    """Say which epochs are in force, and of those that were not, which samples they carry."""
    if not batch.epochs:
        return
    domains = tables.domains.c
    names = sorted(epoch.domain for epoch in batch.epochs)
    found = await connection.execute(sa.select(tables.domains).where(domains.domain.in_(names)))
    before = {row.domain: row for row in found}
    rows = [
        await _row(connection, epoch, before.get(epoch.domain), batch.at_s)
        for epoch in batch.epochs
    ]
    await put(connection, tables.domains, rows)


async def _row(
    connection: AsyncConnection, epoch: Epoch, before: sa.Row[Any] | None, now_s: float
) -> dict[str, Any]:
    row = {"domain": epoch.domain, "epoch": epoch.key, "heartbeat_s": now_s}
    if before is not None and before.epoch == epoch.key:
        return row | {"carried": before.carried, "in_force_since_s": before.in_force_since_s}
    totals = tables.totals.c
    query = sa.select(sa.func.sum(totals.samples)).where(
        totals.domain == epoch.domain, totals.epoch == epoch.key
    )
    carried = (await connection.execute(query)).scalar()
    return row | {"carried": int(carried or 0), "in_force_since_s": now_s}
