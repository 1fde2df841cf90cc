"""Our marks: fences, what is applied, heartbeats, versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "sync0002"
down_revision = "sync0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "mig_fence",
        sa.Column("domain", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(16), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "mig_applied",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("domain", sa.String(64), primary_key=True),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("term", "barrier", "position", "writes")
        ),
    )
    op.create_table(
        "mig_heartbeat",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("sent_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "mig_version",
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "mig_fenced",
        sa.Column("table_name", sa.String(64), primary_key=True),
        sa.Column("domain", sa.String(64), nullable=False),
    )
    role = op.create_table(
        "mig_role",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), nullable=False),
    )
    op.bulk_insert(role, [{"id": 1, "role": ""}])


def downgrade() -> None:
    """Drop them; fences go first, by `Fences.remove`, for their triggers read these."""
    for name in (
        "mig_role",
        "mig_fenced",
        "mig_version",
        "mig_heartbeat",
        "mig_applied",
        "mig_fence",
    ):
        op.drop_table(name)
