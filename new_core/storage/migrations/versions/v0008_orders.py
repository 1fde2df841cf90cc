"""Orders and checkouts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage.types import JsonText, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("sales_order", "order_line", "order_change", "order_number", "checkout")


def upgrade() -> None:
    """Make the tables."""
    _make_orders()
    _make_lines()
    _make_changes()
    _make_numbers()
    _make_checkouts()


def downgrade() -> None:
    """Drop them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _make_orders() -> None:
    op.create_table(
        "sales_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid()),
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
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("net_minor + tax_minor = total_minor", name=op.f("ck_sales_order_sum")),
        sa.CheckConstraint("total_minor >= 0", name=op.f("ck_sales_order_total_minor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_order")),
        sa.UniqueConstraint("number", name=op.f("uq_sales_order_number")),
    )
    op.create_index(op.f("ix_sales_order_cart_id"), "sales_order", ["cart_id"], unique=False)
    op.create_index(
        "ix_sales_order_created_at_id", "sales_order", ["created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_sales_order_customer_id"), "sales_order", ["customer_id"], unique=False
    )
    op.create_index(
        "ix_sales_order_updated_at_id", "sales_order", ["updated_at", "id"], unique=False
    )
    op.create_index(
        "uq_sales_order_living_cart",
        "sales_order",
        ["cart_id"],
        unique=True,
        sqlite_where=sa.text("status <> 'cancelled'"),
        postgresql_where=sa.text("status <> 'cancelled'"),
    )


def _make_lines() -> None:
    op.create_table(
        "order_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
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
        sa.CheckConstraint("gross_minor >= net_minor", name=op.f("ck_order_line_gross_minor")),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_order_line_quantity")),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
            name=op.f("fk_order_line_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
    )
    op.create_index(
        "ix_order_line_order_id_position", "order_line", ["order_id", "position"], unique=False
    )
    op.create_index(op.f("ix_order_line_variant_id"), "order_line", ["variant_id"], unique=False)


def _make_changes() -> None:
    op.create_table(
        "order_change",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("actions", JsonText(), nullable=False),
        sa.Column("total_before_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_after_minor", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
            name=op.f("fk_order_change_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("order_id", "n", name=op.f("pk_order_change")),
    )


def _make_numbers() -> None:
    op.create_table(
        "order_number",
        sa.Column("series", sa.String(32), nullable=False),
        sa.Column("next_value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_order_number")),
    )


def _make_checkouts() -> None:
    op.create_table(
        "checkout",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("order_id", sa.Uuid()),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("offer", JsonText(), nullable=False),
        sa.Column("request_principal", sa.Text(), nullable=False),
        sa.Column("request_route", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=False),
        sa.Column("request_fingerprint", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkout")),
        sa.UniqueConstraint("cart_id", name=op.f("uq_checkout_cart_id")),
        sa.UniqueConstraint("order_id", name=op.f("uq_checkout_order_id")),
    )
    op.create_index(
        "ix_checkout_state_updated_at", "checkout", ["state", "updated_at"], unique=False
    )
