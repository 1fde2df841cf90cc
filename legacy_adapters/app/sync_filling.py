"""Fills the stage of a domain by snapshots of the legacy, while both streams run."""

from __future__ import annotations

import asyncio
import time

from legacy_adapters.app import utc_now
from legacy_adapters.app.syncing import Sync
from legacy_adapters.errors import AdapterError
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports import Progress
from legacy_adapters.service.snapshotting import Clockwork, Copied, Pace, SnapshotBackfill
from legacy_adapters.storage.backfill_books import SqlBackfillBooks


async def fill(
    sync: Sync, name: str, progress: Progress, pace: Pace, *, restart: bool = False
) -> list[Copied]:
    """Stage all rows of a domain, or of all in their order when `name` is empty.

    Raises:
        AdapterError, CoreError: each says what to do about it.
    """
    found = [one.name for one in sync.domains if name in ("", one.name)]
    if not found:
        known = ", ".join(one.name for one in sync.domains)
        raise AdapterError(f"{name} is no domain that moves; there are {known}")
    clockwork = Clockwork(time.monotonic, asyncio.sleep)
    copied = []
    for domain in found:
        books = SqlBackfillBooks(sync.database)
        source = sync.sources[Side.LEGACY]
        one = SnapshotBackfill(source, sync.stage, books, progress, utc_now, clockwork, pace)
        copied.append(await one.run(domain, sync.of(domain), restart=restart))
    return copied
