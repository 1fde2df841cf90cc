"""Tables of prices."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import UtcDateTime

price_list = sa.Table(
    "price_list",
    metadata,
    id_column(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("priority", sa.Integer(), nullable=False),
    sa.Column("tax_included", sa.Boolean(), nullable=False),
    sa.Column("valid_from", UtcDateTime()),
    sa.Column("valid_to", UtcDateTime()),
    sa.Column("status", sa.String(10), nullable=False, server_default="active"),
    # The parent stands in this table; SQLite cannot add a foreign key to a table that is there.
    sa.Column("parent_id", sa.Uuid()),
    sa.Column("adjustment_ppm", sa.Integer(), nullable=False, server_default="0"),
    # Whether its beginning was told; imports do not know this column.
    sa.Column("announced", sa.Boolean(), nullable=False, server_default=sa.false()),
    *written_columns(),
)

price = sa.Table(
    "price",
    metadata,
    id_column(),
    sa.Column("price_list_id", sa.Uuid(), refers("price_list"), nullable=False, index=True),
    sa.Column("variant_id", sa.Uuid(), refers("variant", cascade=True), nullable=False, index=True),
    sa.Column("stock_level_id", sa.Uuid(), refers("stock_level", cascade=True), index=True),
    sa.Column("min_qty", sa.Integer(), nullable=False),
    sa.Column("unit_micro", sa.BigInteger()),
    sa.Column("valid_from", UtcDateTime()),
    sa.Column("valid_to", UtcDateTime()),
    *written_columns(),
    sa.UniqueConstraint(
        "price_list_id",
        "variant_id",
        "stock_level_id",
        "min_qty",
        "valid_from",
        name="uq_price_step",
    ),
    sa.CheckConstraint("unit_micro >= 0", name="unit_micro"),
    sa.CheckConstraint("min_qty >= 1", name="min_qty"),
)

price_assignment = sa.Table(
    "price_assignment",
    metadata,
    id_column(),
    sa.Column("price_list_id", sa.Uuid(), refers("price_list", cascade=True), nullable=False),
    sa.Column("scope", sa.String(10), nullable=False),
    sa.Column("scope_key", sa.String(64), nullable=False),
    *written_columns(),
    sa.UniqueConstraint("scope", "scope_key", "price_list_id"),
    sa.Index("ix_price_assignment_price_list_id", "price_list_id"),
    sa.CheckConstraint(
        "scope IN ('account', 'customer', 'group', 'channel', 'country')", name="scope"
    ),
)

price_contract = sa.Table(
    "price_contract",
    metadata,
    id_column(),
    sa.Column("number", sa.String(64), nullable=False, unique=True),
    sa.Column("account_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("location_id", sa.Uuid(), index=True),
    sa.Column(
        "price_list_id", sa.Uuid(), refers("price_list", cascade=True), nullable=False, index=True
    ),
    sa.Column("valid_from", UtcDateTime()),
    sa.Column("valid_to", UtcDateTime()),
    sa.Column("min_commitment_minor", sa.BigInteger()),
    *written_columns(),
    sa.CheckConstraint("min_commitment_minor >= 0", name="min_commitment_minor"),
)

# What the tenant decided about money, for all modules: one row, or none for the defaults.
pricing_setting = sa.Table(
    "pricing_setting",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("tax_rounding", sa.String(12), nullable=False),
    sa.Column("rounding", sa.String(12), nullable=False),
    *written_columns(),
    sa.CheckConstraint("id = 1", name="one_row"),
)
