"""Samples: what is counted once, per stratum; which evidence an epoch found again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ADDED = {
    "totals": ("samples", "unequal", "noisy"),
    "tallies": ("samples", "unequal"),
    "domains": ("carried",),
}


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    names = ("domain", "epoch", "route", "served", "status_class")
    counts = ("compared", "mismatched", "samples", "unequal", "remembered")
    op.create_table(
        "strata",
        *(_key(name) for name in names),
        *(_count(name) for name in counts),
        sa.Column("below", sa.BigInteger, nullable=False),
        sa.Column("last_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint(*names, name="pk_strata"),
    )
    op.create_table(
        "samples",
        sa.Column("stratum", sa.BigInteger, nullable=False),
        sa.Column("sample", sa.BigInteger, nullable=False),
        sa.Column("request", sa.BigInteger, nullable=False),
        sa.Column("is_unequal", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("stratum", "sample", name="pk_samples"),
        sqlite_with_rowid=False,
    )
    for table, columns in _ADDED.items():
        for name in columns:
            op.add_column(table, _count(name))
    op.add_column("domains", sa.Column("in_force_since_s", sa.Double))


def downgrade() -> None:
    op.drop_column("domains", "in_force_since_s")
    for table, columns in _ADDED.items():
        for name in reversed(columns):
            op.drop_column(table, name)
    op.drop_table("samples")
    op.drop_table("strata")
