"""Tables of promotions."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import JsonText, UtcDateTime

promotion = sa.Table(
    "promotion",
    metadata,
    id_column(),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("code", sa.String(64), unique=True),
    sa.Column("action", JsonText(), nullable=False),
    sa.Column("conditions", JsonText(), nullable=False),
    sa.Column("items", JsonText(), nullable=False),
    sa.Column("priority", sa.Integer(), nullable=False),
    sa.Column("stacking_group", sa.String(64), nullable=False),
    sa.Column("exclusive", sa.Boolean(), nullable=False),
    sa.Column("combines_with", JsonText(), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("starts_at", UtcDateTime()),
    sa.Column("ends_at", UtcDateTime()),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("usage_limit", sa.BigInteger()),
    sa.Column("usage_per_customer", sa.Integer()),
    sa.Column("budget_minor", sa.BigInteger()),
    sa.Column("applies_to_contract", sa.Boolean(), nullable=False),
    # Counted while a limit or a budget bounds it, by conditional updates only.
    sa.Column("used", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("spent_minor", sa.BigInteger(), nullable=False, server_default="0"),
    # Whether its start and its end were told.
    sa.Column("told", sa.String(10), nullable=False, server_default="nothing"),
    *written_columns(),
    sa.Index("ix_promotion_status_code", "status", "code"),
    sa.CheckConstraint("kind IN ('line', 'order', 'shipping')", name="kind"),
    sa.CheckConstraint("status IN ('draft', 'active', 'ended')", name="status"),
    sa.CheckConstraint("told IN ('nothing', 'started', 'ended')", name="told"),
    sa.CheckConstraint("used >= 0", name="used"),
    sa.CheckConstraint("spent_minor >= 0", name="spent_minor"),
)

# The order is another module's: an id, no foreign key.
promotion_usage = sa.Table(
    "promotion_usage",
    metadata,
    sa.Column("promotion_id", sa.Uuid(), refers("promotion"), primary_key=True),
    sa.Column("order_id", sa.Uuid(), primary_key=True, index=True),
    sa.Column("customer_id", sa.Uuid()),
    sa.Column("coupon", sa.String(64), nullable=False),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),
    sa.Column("used_at", UtcDateTime(), nullable=False),
    sa.CheckConstraint("amount_minor >= 0", name="amount_minor"),
)

promotion_customer = sa.Table(
    "promotion_customer",
    metadata,
    sa.Column("promotion_id", sa.Uuid(), refers("promotion"), primary_key=True),
    sa.Column("customer_id", sa.Uuid(), primary_key=True),
    sa.Column("used", sa.BigInteger(), nullable=False),
    sa.CheckConstraint("used >= 0", name="used"),
)
