"""The proof of the rules: recorded pairs, uses of rules, drift of fields."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.create_table(
        "recorded_pairs",
        _key("domain"),
        _key("stores"),
        _key("route"),
        _key("status_class"),
        sa.Column("draw", sa.BigInteger, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        _key("request_id"),
        sa.Column("shopper", sa.Text, nullable=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("pair", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(
            "domain", "stores", "route", "status_class", "draw", name="pk_recorded_pairs"
        ),
    )
    op.create_index("ix_recorded_pairs_shopper", "recorded_pairs", ["shopper"])
    op.create_table(
        "rule_uses",
        _key("domain"),
        _key("rule"),
        sa.Column("since_s", sa.Double, nullable=False),
        sa.Column("last_s", sa.Double, nullable=True),
        sa.Column("uses", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("domain", "rule", name="pk_rule_uses"),
    )
    op.create_table(
        "drifts",
        _key("domain"),
        _key("stores"),
        _key("side"),
        _key("route"),
        _key("pattern"),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("drift", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("domain", "stores", "side", "route", "pattern", name="pk_drifts"),
    )


def downgrade() -> None:
    for name in ("drifts", "rule_uses", "recorded_pairs"):
        op.drop_table(name)
