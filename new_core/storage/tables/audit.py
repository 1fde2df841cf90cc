"""Tables of the audit's chain."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import metadata
from new_core.storage.types import BigNumber, UtcDateTime

audit_entry = sa.Table(
    "audit_entry",
    metadata,
    sa.Column("id", BigNumber, primary_key=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("actor_id", sa.String(255), nullable=False),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("action", sa.String(120), nullable=False),
    sa.Column("entity", sa.String(64), nullable=False),
    sa.Column("entity_id", sa.String(255), nullable=False),
    sa.Column("before", sa.Text()),
    sa.Column("after", sa.Text()),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("seq", sa.BigInteger()),
    sa.Column("prev_hash", sa.String(64)),
    sa.Column("hash", sa.String(64)),
    sa.UniqueConstraint("seq"),
    sa.Index("ix_audit_entry_of", "entity", "entity_id", "seq"),
    sqlite_autoincrement=True,
)
sa.Index(
    "ix_audit_entry_unsealed",
    audit_entry.c.id,
    sqlite_where=audit_entry.c.seq.is_(None),
    postgresql_where=audit_entry.c.seq.is_(None),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("chain", sa.String(16), primary_key=True),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
