"""Alembic's entry: always on a connection that the program hands over."""

from __future__ import annotations

from alembic import context

from shadow_compare.storage import (  # noqa: F401 - add their tables to the metadata
    group_tables,
    reconcile_tables,
)
from shadow_compare.storage.tables import metadata

# A table name of our own: the core may live in the same PostgreSQL database.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="evidence_version",
)
with context.begin_transaction():
    context.run_migrations()
