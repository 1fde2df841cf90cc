"""Control rows, flips and their journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage import UtcDateTime

revision = "sync0003"
down_revision = "sync0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mig_domain",
        sa.Column("domain", sa.String(64), primary_key=True),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(16), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("flip", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "mig_flip",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("freeze_us", sa.BigInteger()),
        sa.Column("problem", sa.Text(), nullable=False),
    )
    op.create_index("ix_mig_flip_domain", "mig_flip", ["domain", "id"])
    op.create_table(
        "mig_journal",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("flip", sa.Integer(), sa.ForeignKey("mig_flip.id"), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("mark", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_mig_journal_flip", "mig_journal", ["flip", "id"])


def downgrade() -> None:
    for name in ("mig_journal", "mig_flip", "mig_domain"):
        op.drop_table(name)
