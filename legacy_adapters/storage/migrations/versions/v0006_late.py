"""What was written while nobody owned, to be taken across by whoever owns next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "sync0006"
down_revision = "sync0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mig_late",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mig_late")
