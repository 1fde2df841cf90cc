"""Tables of what came from other systems."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import metadata
from new_core.storage.types import UtcDateTime

external_ref = sa.Table(
    "external_ref",
    metadata,
    sa.Column("system", sa.String(64), primary_key=True),
    sa.Column("entity_type", sa.String(32), primary_key=True),
    sa.Column("external_id", sa.String(255), primary_key=True),
    sa.Column("internal_id", sa.Uuid(), nullable=False),
    sa.Column("checksum", sa.String(64), nullable=False),
    sa.Column("first_seen_at", UtcDateTime(), nullable=False),
    sa.Column("last_synced_at", UtcDateTime(), nullable=False),
    sa.Column("removed_at", UtcDateTime()),
    sa.UniqueConstraint("system", "entity_type", "internal_id", name="uq_external_ref_internal"),
    sa.Index("ix_external_ref_internal_id", "internal_id"),
)

import_cursor = sa.Table(
    "import_cursor",
    metadata,
    sa.Column("stream", sa.String(128), primary_key=True),
    sa.Column("position", sa.Text(), nullable=False),
    sa.Column("finished", sa.Boolean(), nullable=False),
    sa.Column("moved_at", UtcDateTime(), nullable=False),
)

import_parked = sa.Table(
    "import_parked",
    metadata,
    sa.Column("system", sa.String(64), primary_key=True),
    sa.Column("entity_type", sa.String(32), primary_key=True),
    sa.Column("external_id", sa.String(255), primary_key=True),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("parked_at", UtcDateTime(), nullable=False),
)
