"""Tables of carts."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import JsonText, UtcDateTime

cart = sa.Table(
    "cart",
    metadata,
    id_column(),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("customer_id", sa.Uuid(), index=True),
    sa.Column("location_id", sa.Uuid()),
    sa.Column("account_ids", JsonText(), nullable=False),
    sa.Column("group_ids", JsonText(), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("channel", sa.Text(), nullable=False),
    sa.Column("country", sa.String(2), nullable=False),
    sa.Column("coupons", JsonText(), nullable=False),
    sa.Column("token_sha256", sa.String(64), nullable=False),
    sa.Column("email", sa.Text(), nullable=False),
    sa.Column("shipping_code", sa.Text(), nullable=False),
    sa.Column("shipping_address", JsonText(), nullable=False),
    sa.Column("billing_address", JsonText(), nullable=False),
    sa.Column("merged_into", sa.Uuid()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("expires_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.Index("ix_cart_state_expires_at", "state", "expires_at"),
    sa.Index("ix_cart_updated_at_id", "updated_at", "id"),
    sa.CheckConstraint(
        "state IN ('open', 'frozen', 'ordered', 'merged', 'abandoned')", name="state"
    ),
)

cart_line = sa.Table(
    "cart_line",
    metadata,
    id_column(),
    sa.Column("cart_id", sa.Uuid(), refers("cart", cascade=True), nullable=False),
    sa.Column("variant_id", sa.Uuid(), nullable=False),
    sa.Column("options_hash", sa.String(64), nullable=False),
    sa.Column("options", JsonText(), nullable=False),
    sa.Column("quantity", sa.Integer(), nullable=False),
    sa.Column("position", sa.Integer(), nullable=False),
    sa.Column("shown_micro", sa.BigInteger()),
    sa.UniqueConstraint("cart_id", "variant_id", "options_hash"),
    sa.CheckConstraint("quantity > 0", name="quantity"),
)

# How many units a line may hold; a variant without a row is sold by the piece.
quantity_rule = sa.Table(
    "quantity_rule",
    metadata,
    sa.Column("variant_id", sa.Uuid(), primary_key=True),
    sa.Column("minimum", sa.Integer(), nullable=False),
    sa.Column("maximum", sa.Integer()),
    sa.Column("step", sa.Integer(), nullable=False),
    *written_columns(),
    sa.CheckConstraint("minimum >= 1", name="minimum"),
    sa.CheckConstraint("step >= 1", name="step"),
)
