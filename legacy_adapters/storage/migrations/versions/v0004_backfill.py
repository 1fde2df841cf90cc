"""Tables of backfills, and of what was written together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage import UtcDateTime

revision = "sync0004"
down_revision = "sync0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mig_backfill",
        sa.Column("domain", sa.String(64), primary_key=True),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
    )
    op.create_table(
        "mig_backfill_part",
        sa.Column("domain", sa.String(64), primary_key=True),
        sa.Column("tbl", sa.String(128), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("after", sa.Text()),
        sa.Column("up_to", sa.Text()),
        sa.Column("last", sa.Text()),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("is_finished", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "mig_cowrite",
        sa.Column("one", sa.String(64), primary_key=True),
        sa.Column("other", sa.String(64), primary_key=True),
        sa.Column("transactions", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mig_cowrite")
    op.drop_table("mig_backfill_part")
    op.drop_table("mig_backfill")
