"""Tables of backfills, and of what was written together."""

from __future__ import annotations

import sqlalchemy as sa

from legacy_adapters.storage.tables.schema import metadata
from new_core.storage import UtcDateTime

run = sa.Table(
    "mig_backfill",
    metadata,
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("total", sa.BigInteger(), nullable=False),
    sa.Column("started_at", UtcDateTime(), nullable=False),
    sa.Column("finished_at", UtcDateTime()),
)

part = sa.Table(
    "mig_backfill_part",
    metadata,
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("tbl", sa.String(128), primary_key=True),
    sa.Column("number", sa.Integer(), primary_key=True),
    sa.Column("place", sa.Integer(), nullable=False),  # in which order the parts are read
    sa.Column("after", sa.Text()),
    sa.Column("up_to", sa.Text()),
    sa.Column("last", sa.Text()),
    sa.Column("rows", sa.BigInteger(), nullable=False),
    sa.Column("is_finished", sa.Boolean(), nullable=False),
)

# A row per pair of domains that one transaction wrote, and one without names that counts all
# transactions.
cowrite = sa.Table(
    "mig_cowrite",
    metadata,
    sa.Column("one", sa.String(64), primary_key=True),
    sa.Column("other", sa.String(64), primary_key=True),
    sa.Column("transactions", sa.BigInteger(), nullable=False),
)
