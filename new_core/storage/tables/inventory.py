"""Tables of stock."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import JsonText, UtcDateTime

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite counts up only what is declared INTEGER."""

OPEN = "state IN ('held', 'committed', 'expired')"
"""Reservations that an owner has, or lost and may get back."""

warehouse = sa.Table(
    "warehouse",
    metadata,
    id_column(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("street", sa.Text(), nullable=False, server_default=""),
    sa.Column("city", sa.Text(), nullable=False, server_default=""),
    sa.Column("region", sa.Text(), nullable=False, server_default=""),
    sa.Column("postcode", sa.Text(), nullable=False, server_default=""),
    sa.Column("country", sa.String(2), nullable=False, server_default=""),
    sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()),
    sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("cutoff", sa.Time()),
    sa.Column("timezone", sa.Text(), nullable=False, server_default="UTC"),
    *written_columns(),
)

# reserved = reserved_elsewhere + the active reservations; the reconciler compares.
# shortfall = what is promised and neither there nor on back order: a count found it, or an
# import brought it. Nothing else may make any, which is what the last check is for.
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
    sa.Column("reserved_elsewhere", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("safety", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("incoming", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("backorder_limit", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("shortfall", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.Index("ix_stock_level_warehouse_id_sku", "warehouse_id", "sku"),
    sa.CheckConstraint("on_hand >= 0", name="on_hand"),
    sa.CheckConstraint("reserved >= 0", name="reserved"),
    sa.CheckConstraint("reserved_elsewhere >= 0", name="reserved_elsewhere"),
    sa.CheckConstraint("safety >= 0", name="safety"),
    sa.CheckConstraint("incoming >= 0", name="incoming"),
    sa.CheckConstraint("backorder_limit >= 0", name="backorder_limit"),
    sa.CheckConstraint("shortfall >= 0", name="shortfall"),
    sa.CheckConstraint("reserved <= on_hand + backorder_limit + shortfall", name="promised"),
)

reservation = sa.Table(
    "reservation",
    metadata,
    id_column(),
    sa.Column("owner_type", sa.String(16), nullable=False),
    sa.Column("owner_id", sa.Uuid(), nullable=False),
    # The variant is the level's; it is kept for what happens after the level is gone.
    sa.Column("variant_id", sa.Uuid(), nullable=False),
    sa.Column("stock_level_id", sa.Uuid(), refers("stock_level"), nullable=False, index=True),
    sa.Column("quantity", sa.BigInteger(), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("expires_at", UtcDateTime()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.Index("ix_reservation_owner", "owner_type", "owner_id"),
    # An owner has one promise of a place, however often the request for it comes.
    sa.Index(
        "uq_reservation_open", "owner_type", "owner_id", "stock_level_id", unique=True,
        sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN),
    ),
    sa.Index(
        "ix_reservation_expiry", "expires_at",
        sqlite_where=sa.text("state = 'held'"), postgresql_where=sa.text("state = 'held'"),
    ),
    sa.CheckConstraint("quantity > 0", name="quantity"),
    sa.CheckConstraint(
        "state IN ('held', 'committed', 'consumed', 'released', 'expired')", name="state"
    ),
)  # fmt: skip

# Rows are only ever added, and outlive the level that they tell of.
stock_movement = sa.Table(
    "stock_movement",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("stock_level_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("variant_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("warehouse_id", sa.Uuid(), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("qty_on_hand", sa.BigInteger(), nullable=False),
    sa.Column("qty_reserved", sa.BigInteger(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("reference", sa.Text(), nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("actor_id", sa.Text(), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
)

# What somebody found on a shelf against what the book said: the accuracy is over these.
stock_count = sa.Table(
    "stock_count",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("stock_level_id", sa.Uuid(), nullable=False),
    sa.Column("expected", sa.BigInteger(), nullable=False),
    sa.Column("counted", sa.BigInteger(), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False, index=True),
)

stock_accuracy = sa.Table(
    "stock_accuracy",
    metadata,
    id_column(),
    sa.Column("since", UtcDateTime(), nullable=False),
    sa.Column("counts", sa.BigInteger(), nullable=False),
    sa.Column("counted", sa.BigInteger(), nullable=False),
    sa.Column("off_by", sa.BigInteger(), nullable=False),
    sa.Column("levels", sa.BigInteger(), nullable=False),
    sa.Column("drifted", sa.BigInteger(), nullable=False),
    sa.Column("drifts", JsonText(), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False, index=True),
)
