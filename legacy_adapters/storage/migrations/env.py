"""Runs the data half's migrations on the connection that the program hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy.engine import Connection

from legacy_adapters.storage.migrate import VERSION_TABLE
from legacy_adapters.storage.tables import metadata


def migrate(connection: Connection) -> None:
    """Run what the command asked for, in the connection's transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


migrate(context.config.attributes["connection"])
