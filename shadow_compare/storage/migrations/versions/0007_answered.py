"""Answers and errors of each side, in intervals of five minutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    op.create_table(
        "answered",
        _key("domain"),
        sa.Column("at_s", sa.BigInteger, nullable=False),
        *(_key(name) for name in ("side", "role")),
        *(_count(name) for name in ("answers", "errors")),
        sa.PrimaryKeyConstraint("domain", "at_s", "side", "role", name="pk_answered"),
    )


def downgrade() -> None:
    op.drop_table("answered")
