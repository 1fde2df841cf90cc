"""Tables of orders."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import JsonText, UtcDateTime

NOT_CANCELLED = sa.text("status <> 'cancelled'")

sales_order = sa.Table(
    "sales_order",
    metadata,
    id_column(),
    sa.Column("number", sa.String(64), nullable=False, unique=True),
    sa.Column("cart_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("customer_id", sa.Uuid(), index=True),
    sa.Column("account_ids", sa.Text(), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("buyer", JsonText(), nullable=False),
    sa.Column("email", sa.Text(), nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("payment_status", sa.String(32), nullable=False),
    sa.Column("fulfilment_status", sa.String(32), nullable=False),
    sa.Column("shipping", JsonText(), nullable=False),
    sa.Column("discounts", JsonText(), nullable=False),
    sa.Column("taxes", JsonText(), nullable=False),
    sa.Column("net_minor", sa.BigInteger(), nullable=False),
    sa.Column("tax_minor", sa.BigInteger(), nullable=False),
    sa.Column("total_minor", sa.BigInteger(), nullable=False),
    sa.Column("tax_included", sa.Boolean(), nullable=False),
    sa.Column("shipping_address", JsonText(), nullable=False),
    sa.Column("billing_address", JsonText(), nullable=False),
    sa.Column("purchase_order_number", sa.Text(), nullable=False),
    sa.Column("note", sa.Text(), nullable=False),
    sa.Column("cancel_reason", sa.Text(), nullable=False),
    sa.Column("token_sha256", sa.String(64), nullable=False),
    sa.Column("token_expires_at", UtcDateTime()),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("placed_at", UtcDateTime()),
    *written_columns(),
    # 1. A payment fails, 2. its order is cancelled and stays in the books, 3. the shopper tries
    # another card. So a cart may have many orders, of which at most one lives.
    sa.Index(
        "uq_sales_order_living_cart",
        "cart_id",
        unique=True,
        sqlite_where=NOT_CANCELLED,
        postgresql_where=NOT_CANCELLED,
    ),
    sa.Index("ix_sales_order_updated_at_id", "updated_at", "id"),
    sa.Index("ix_sales_order_created_at_id", "created_at", "id"),
    sa.CheckConstraint("total_minor >= 0", name="total_minor"),
    sa.CheckConstraint("net_minor + tax_minor = total_minor", name="sum"),
)

order_line = sa.Table(
    "order_line",
    metadata,
    id_column(),
    sa.Column("order_id", sa.Uuid(), refers("sales_order", cascade=True), nullable=False),
    sa.Column("position", sa.Integer(), nullable=False),
    sa.Column("variant_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("product_id", sa.Uuid(), nullable=False),
    # Where an order that came from elsewhere is sent from; the core's own have reservations.
    sa.Column("stock_level_id", sa.Uuid()),
    sa.Column("sku", sa.Text(), nullable=False),
    sa.Column("title", sa.Text(), nullable=False),
    sa.Column("quantity", sa.Integer(), nullable=False),
    sa.Column("unit_micro", sa.BigInteger(), nullable=False),
    sa.Column("base_minor", sa.BigInteger(), nullable=False),
    sa.Column("net_minor", sa.BigInteger(), nullable=False),
    sa.Column("gross_minor", sa.BigInteger(), nullable=False),
    sa.Column("discounts", JsonText(), nullable=False),
    sa.Column("taxes", JsonText(), nullable=False),
    sa.Column("options", JsonText(), nullable=False),
    sa.Column("cancelled_quantity", sa.Integer(), nullable=False),
    sa.Column("fulfilled_quantity", sa.Integer(), nullable=False),
    sa.Column("returned_quantity", sa.Integer(), nullable=False),
    sa.Index("ix_order_line_order_id_position", "order_id", "position"),
    sa.CheckConstraint("quantity >= 0", name="quantity"),
    sa.CheckConstraint("gross_minor >= net_minor", name="gross_minor"),
)

order_change = sa.Table(
    "order_change",
    metadata,
    sa.Column("order_id", sa.Uuid(), refers("sales_order", cascade=True), primary_key=True),
    sa.Column("n", sa.Integer(), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("actions", JsonText(), nullable=False),
    sa.Column("total_before_minor", sa.BigInteger(), nullable=False),
    sa.Column("total_after_minor", sa.BigInteger(), nullable=False),
    sa.Column("actor", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
)

order_number = sa.Table(
    "order_number",
    metadata,
    sa.Column("series", sa.String(32), primary_key=True),
    sa.Column("next_value", sa.BigInteger(), nullable=False),
)
