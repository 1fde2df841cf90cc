"""Walk a chain of migrations up, down and up, and hold what it made against the models."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from new_core.storage import Chain, downgrade, make_engine, upgrade


def up_down_up(url: str, chain: Chain, metadata: sa.MetaData) -> list[object]:
    """What differs from the models after a chain beside the core's own; empty for nothing."""

    def differences(connection: sa.Connection) -> list[object]:
        options = {
            "version_table": chain.version_table,
            "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    async def migrate() -> list[object]:
        engine = make_engine(url)
        try:
            await upgrade(engine)
            await upgrade(engine, chain=chain)
            await downgrade(engine, "base", chain=chain)
            await upgrade(engine, chain=chain)
            async with engine.connect() as connection:
                return await connection.run_sync(differences)
        finally:
            await engine.dispose()

    return asyncio.run(migrate())
