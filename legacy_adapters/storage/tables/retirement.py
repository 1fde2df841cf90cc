"""What was seen of domains that may be retired, and which were."""

from __future__ import annotations

import sqlalchemy as sa

from legacy_adapters.storage.tables.schema import metadata
from new_core.storage import UtcDateTime
from new_core.storage.types import BigNumber

sample = sa.Table(
    "mig_retirement_sample",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
    sa.Column("domain", sa.String(64), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("owner", sa.String(16), nullable=False),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("legacy_requests", sa.BigInteger()),
    sa.Column("unmatched", sa.BigInteger()),
    sa.Column("position", sa.BigInteger()),
    sa.Column("problem", sa.Text(), nullable=False),
    sa.Column("beat_at", UtcDateTime()),
    sa.Column("reads", sa.Text()),
    sa.Column("unread", sa.Text(), nullable=False),
    sa.Column("writes", sa.BigInteger()),
    sa.Index("ix_mig_retirement_sample_domain", "domain", "at"),
)

retired = sa.Table(
    "mig_retired",
    metadata,
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("actor", sa.Text(), nullable=False),
    sa.Column("certificate", sa.String(64), nullable=False),
)
"""`certificate` is the digest of the signed file."""
