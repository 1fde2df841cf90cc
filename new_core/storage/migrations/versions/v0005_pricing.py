"""Assigned price lists, contracts, promotions and taxes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage.types import JsonText, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = (
    "pricing_setting",
    "price_assignment",
    "price_contract",
    "promotion",
    "promotion_customer",
    "promotion_usage",
    "tax_class",
    "tax_exemption",
    "tax_rule",
)
_COLUMNS = ("status", "parent_id", "adjustment_ppm", "announced")


def upgrade() -> None:
    """Make the tables; lists that are there stay in force."""
    _make_settings()
    _widen_price_lists()
    _make_assignments()
    _make_promotions()
    _make_promotion_uses()
    _make_taxes()


def downgrade() -> None:
    """Drop them."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    for column in _COLUMNS:
        op.drop_column("price_list", column)


def _make_settings() -> None:
    op.create_table(
        "pricing_setting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tax_rounding", sa.String(12), nullable=False),
        sa.Column("rounding", sa.String(12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_pricing_setting_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_pricing_setting"),
    )


def _widen_price_lists() -> None:
    op.add_column(
        "price_list", sa.Column("status", sa.String(10), server_default="active", nullable=False)
    )
    op.add_column("price_list", sa.Column("parent_id", sa.Uuid()))
    op.add_column(
        "price_list", sa.Column("adjustment_ppm", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "price_list",
        sa.Column("announced", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def _make_assignments() -> None:
    op.create_table(
        "price_assignment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("price_list_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(10), nullable=False),
        sa.Column("scope_key", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "scope IN ('account', 'customer', 'group', 'channel', 'country')",
            name="ck_price_assignment_scope",
        ),
        sa.ForeignKeyConstraint(
            ["price_list_id"],
            ["price_list.id"],
            name="fk_price_assignment_price_list_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_price_assignment"),
        sa.UniqueConstraint(
            "scope",
            "scope_key",
            "price_list_id",
            name="uq_price_assignment_scope_scope_key_price_list_id",
        ),
    )
    op.create_index("ix_price_assignment_price_list_id", "price_assignment", ["price_list_id"])
    op.create_table(
        "price_contract",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid()),
        sa.Column("price_list_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", UtcDateTime()),
        sa.Column("valid_to", UtcDateTime()),
        sa.Column("min_commitment_minor", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "min_commitment_minor >= 0", name="ck_price_contract_min_commitment_minor"
        ),
        sa.ForeignKeyConstraint(
            ["price_list_id"],
            ["price_list.id"],
            name="fk_price_contract_price_list_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_price_contract"),
        sa.UniqueConstraint("number", name="uq_price_contract_number"),
    )
    op.create_index("ix_price_contract_account_id", "price_contract", ["account_id"])
    op.create_index("ix_price_contract_location_id", "price_contract", ["location_id"])
    op.create_index("ix_price_contract_price_list_id", "price_contract", ["price_list_id"])


def _make_promotions() -> None:
    op.create_table(
        "promotion",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("code", sa.String(64)),
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
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("spent_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("told", sa.String(10), server_default="nothing", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('line', 'order', 'shipping')", name="ck_promotion_kind"),
        sa.CheckConstraint("status IN ('draft', 'active', 'ended')", name="ck_promotion_status"),
        sa.CheckConstraint("told IN ('nothing', 'started', 'ended')", name="ck_promotion_told"),
        sa.CheckConstraint("spent_minor >= 0", name="ck_promotion_spent_minor"),
        sa.CheckConstraint("used >= 0", name="ck_promotion_used"),
        sa.PrimaryKeyConstraint("id", name="pk_promotion"),
        sa.UniqueConstraint("code", name="uq_promotion_code"),
    )
    op.create_index("ix_promotion_status_code", "promotion", ["status", "code"])


def _make_promotion_uses() -> None:
    op.create_table(
        "promotion_customer",
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name="ck_promotion_customer_used"),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotion.id"], name="fk_promotion_customer_promotion_id"
        ),
        sa.PrimaryKeyConstraint("promotion_id", "customer_id", name="pk_promotion_customer"),
    )
    op.create_table(
        "promotion_usage",
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("coupon", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name="ck_promotion_usage_amount_minor"),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotion.id"], name="fk_promotion_usage_promotion_id"
        ),
        sa.PrimaryKeyConstraint("promotion_id", "order_id", name="pk_promotion_usage"),
    )
    op.create_index("ix_promotion_usage_order_id", "promotion_usage", ["order_id"])


def _make_taxes() -> None:
    op.create_table(
        "tax_class",
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.String(10), nullable=False),
        sa.Column("tax_class", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("target IN ('product', 'type')", name="ck_tax_class_target"),
        sa.PrimaryKeyConstraint("target_id", name="pk_tax_class"),
    )
    op.create_table(
        "tax_exemption",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_type", sa.String(10), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("region", sa.String(10), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("valid_from", UtcDateTime()),
        sa.Column("valid_to", UtcDateTime()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "subject_type IN ('customer', 'account')", name="ck_tax_exemption_subject_type"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tax_exemption"),
    )
    op.create_index("ix_tax_exemption_subject_id", "tax_exemption", ["subject_id"])
    op.create_table(
        "tax_rule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("region", sa.String(10), nullable=False),
        sa.Column("tax_class", sa.String(32), nullable=False),
        sa.Column("ppm", sa.Integer(), nullable=False),
        sa.Column("compound", sa.Boolean(), nullable=False),
        sa.Column("valid_from", UtcDateTime()),
        sa.Column("valid_to", UtcDateTime()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("ppm >= 0", name="ck_tax_rule_ppm"),
        sa.PrimaryKeyConstraint("id", name="pk_tax_rule"),
        sa.UniqueConstraint(
            "country",
            "region",
            "tax_class",
            "code",
            "valid_from",
            name="uq_tax_rule_country_region_tax_class_code_valid_from",
        ),
    )
