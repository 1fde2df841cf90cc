"""Brings the data half's own tables up to date, beside the core's in one database."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from new_core.storage import Chain, upgrade

VERSION_TABLE = "sync_alembic_version"
CHAIN = Chain(Path(__file__).parent / "migrations", VERSION_TABLE)


async def upgrade_sync(engine: AsyncEngine) -> None:
    """Migrate up; does nothing when the tables are there already.

    Raises:
        SchemaMismatch: the tables were made by a newer program.
        StoreUnavailable: the database does not answer.
    """
    await upgrade(engine, chain=CHAIN)
