"""Tables of stock."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import UtcDateTime

warehouse = sa.Table(
    "warehouse",
    metadata,
    id_column(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    *written_columns(),
)

stock_level = sa.Table(
    "stock_level",
    metadata,
    id_column(),
    sa.Column("variant_id", sa.Uuid(), refers("variant", cascade=True), nullable=False, index=True),
    sa.Column("warehouse_id", sa.Uuid(), refers("warehouse"), nullable=False),
    sa.Column("sku", sa.Text(), nullable=False, index=True),
    sa.Column("rank", sa.Integer(), nullable=False),
    sa.Column("on_hand", sa.BigInteger()),
    sa.Column("reserved", sa.BigInteger()),
    sa.Column("low_at", sa.BigInteger()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.Index("ix_stock_level_warehouse_id_sku", "warehouse_id", "sku"),
    sa.CheckConstraint("on_hand >= 0", name="on_hand"),
    sa.CheckConstraint("reserved >= 0", name="reserved"),
)
