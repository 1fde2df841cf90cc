"""Runs the migrations: on a connection that the program hands over, or on a URL.

alembic -c new_core/storage/migrations/alembic.ini -x url=sqlite:///var/core.sqlite3 current
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy.engine import Connection

from new_core.settings import CoreSettings
from new_core.storage.engine import WRITING, make_engine
from new_core.storage.tables import metadata
from new_core.storage.tables.search import is_modelled


def migrate(connection: Connection) -> None:
    """Run what the command asked for, on this connection and in its transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_object=is_modelled,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_url(url: str) -> None:
    """The same, on a connection of its own."""
    engine = make_engine(url)
    try:
        async with engine.connect() as connection:
            writing = await connection.execution_options(**{WRITING: True})
            async with writing.begin():
                await writing.run_sync(migrate)
    finally:
        await engine.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    asyncio.run(
        migrate_url(context.get_x_argument(as_dictionary=True).get("url", CoreSettings().database))
    )
