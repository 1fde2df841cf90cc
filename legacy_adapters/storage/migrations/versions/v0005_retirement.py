"""Samples of domains that may be retired, and which were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage import UtcDateTime
from new_core.storage.types import BigNumber

revision = "sync0005"
down_revision = "sync0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mig_retirement_sample",
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
    )
    op.create_index("ix_mig_retirement_sample_domain", "mig_retirement_sample", ["domain", "at"])
    op.create_table(
        "mig_retired",
        sa.Column("domain", sa.String(64), primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("certificate", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mig_retired")
    op.drop_table("mig_retirement_sample")
