"""Carts and ways of shipping."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage.types import JsonText, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATES = "state IN ('open', 'frozen', 'ordered', 'merged', 'abandoned')"


def upgrade() -> None:
    """Make the tables."""
    _make_carts()
    _make_lines()
    _make_rules()
    _make_shipping()


def downgrade() -> None:
    """Drop them."""
    for table in ("shipping_method", "quantity_rule", "cart_line", "cart"):
        op.drop_table(table)


def _make_carts() -> None:
    op.create_table(
        "cart",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("customer_id", sa.Uuid()),
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
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart")),
        sa.CheckConstraint(_STATES, name=op.f("ck_cart_state")),
    )
    op.create_index("ix_cart_customer_id", "cart", ["customer_id"])
    op.create_index("ix_cart_state_expires_at", "cart", ["state", "expires_at"])
    op.create_index("ix_cart_updated_at_id", "cart", ["updated_at", "id"])


def _make_lines() -> None:
    op.create_table(
        "cart_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("options_hash", sa.String(64), nullable=False),
        sa.Column("options", JsonText(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("shown_micro", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart_line")),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["cart.id"], name=op.f("fk_cart_line_cart_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "cart_id", "variant_id", "options_hash",
            name=op.f("uq_cart_line_cart_id_variant_id_options_hash"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_cart_line_quantity")),
    )  # fmt: skip


def _make_rules() -> None:
    op.create_table(
        "quantity_rule",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("maximum", sa.Integer()),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("variant_id", name=op.f("pk_quantity_rule")),
        sa.CheckConstraint("minimum >= 1", name=op.f("ck_quantity_rule_minimum")),
        sa.CheckConstraint("step >= 1", name=op.f("ck_quantity_rule_step")),
    )


def _make_shipping() -> None:
    op.create_table(
        "shipping_method",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("rates", JsonText(), nullable=False),
        sa.Column("places", JsonText(), nullable=False),
        sa.Column("tax_class", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipping_method")),
        sa.UniqueConstraint("code", name=op.f("uq_shipping_method_code")),
    )
