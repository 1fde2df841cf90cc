"""Where the lines of orders from elsewhere are sent from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("order_line", sa.Column("stock_level_id", sa.Uuid()))


def downgrade() -> None:
    op.drop_column("order_line", "stock_level_id")
