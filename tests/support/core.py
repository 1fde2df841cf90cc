"""The core's database for a test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from new_core.storage import SqlDatabase, make_engine, make_reader, make_trier, upgrade

BOTH = ("sqlite", "postgresql")


@contextlib.asynccontextmanager
async def core_database(url: str) -> AsyncIterator[SqlDatabase]:
    """The core's tables, as a process of the core has them."""
    engine = make_engine(url)
    await upgrade(engine)
    database = SqlDatabase(engine, make_reader(url), make_trier(url))
    try:
        yield database
    finally:
        await database.dispose()
