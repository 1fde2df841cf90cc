"""Lists of choices, and which of them products have chosen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "oscar0004"
down_revision = "oscar0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oscar_choice_list",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.String(255)),
    )
    op.create_table(
        "oscar_choice",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("code", sa.String(255)),
    )
    op.create_index("ix_oscar_choice_list_id", "oscar_choice", ["list_id"])
    op.create_index("ix_oscar_choice_label", "oscar_choice", ["label"])
    op.create_table(
        "oscar_chosen",
        sa.Column("product_id", sa.Uuid(), primary_key=True),
        sa.Column("attribute_id", sa.Uuid(), primary_key=True),
        sa.Column("choice_id", sa.Uuid(), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.create_index("ix_oscar_chosen_choice_id", "oscar_chosen", ["choice_id"])


def downgrade() -> None:
    for table in ("oscar_chosen", "oscar_choice", "oscar_choice_list"):
        op.drop_table(table)
