"""Our marks in both databases: see `mapping.marks` for what the first three mean."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from legacy_adapters.mapping.marks import APPLIED, FENCE, HEARTBEAT, VERSIONS
from legacy_adapters.storage.tables.schema import metadata

# MariaDB would take another engine, or compare names without regard to case, if told so.
_IN_MARIADB: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}

fence = sa.Table(
    FENCE.name,
    metadata,
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(16), nullable=False),
    sa.Column("term", sa.BigInteger(), nullable=False),
    **_IN_MARIADB,
)

applied = sa.Table(
    APPLIED.name,
    metadata,
    sa.Column("stream", sa.String(32), primary_key=True),
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("barrier", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("writes", sa.BigInteger(), nullable=False),
    **_IN_MARIADB,
)

heartbeat = sa.Table(
    HEARTBEAT.name,
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("beat", sa.BigInteger(), nullable=False),
    sa.Column("sent_us", sa.BigInteger(), nullable=False),
    **_IN_MARIADB,
)

version = sa.Table(
    VERSIONS,
    metadata,
    sa.Column("kind", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("is_deleted", sa.Boolean(), nullable=False),
    **_IN_MARIADB,
)

fenced = sa.Table(
    "mig_fenced",
    metadata,
    sa.Column("table_name", sa.String(64), primary_key=True),
    sa.Column("domain", sa.String(64), nullable=False),
    **_IN_MARIADB,
)
"""Which tables have a fence, so that one that lost it, e.g. because it was made anew, is missed."""

role = sa.Table(
    "mig_role",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("role", sa.String(16), nullable=False),
)
"""SQLite alone uses it, which has no settings of a session: one row, which says whose the open
transaction is, and is empty at the end of every one.
"""

EVERYWHERE = (fence, applied, heartbeat, version, fenced)
"""What stands in both databases, whichever they are."""
