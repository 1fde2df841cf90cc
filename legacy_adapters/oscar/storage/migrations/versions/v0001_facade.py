"""Sessions, counters and countries of the facade."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage import UtcDateTime

revision = "oscar0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oscar_session",
        sa.Column("key_sha256", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("cart_id", sa.Uuid()),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_oscar_session_expires_at", "oscar_session", ["expires_at"])
    op.create_table(
        "oscar_counter",
        sa.Column("entity_type", sa.String(32), primary_key=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "oscar_country",
        sa.Column("code", sa.String(2), primary_key=True),
        sa.Column("alpha_3", sa.String(3), nullable=False),
        sa.Column("numeric_code", sa.String(3), nullable=False),
        sa.Column("printable_name", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("ships", sa.Boolean(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("oscar_country")
    op.drop_table("oscar_counter")
    op.drop_index("ix_oscar_session_expires_at", table_name="oscar_session")
    op.drop_table("oscar_session")
