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
