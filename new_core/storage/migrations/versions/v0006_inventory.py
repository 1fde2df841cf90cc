"""Reservations and movements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage.types import JsonText, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state IN ('held', 'committed', 'expired')")
_HELD = sa.text("state = 'held'")
_COUNTERS = ("reserved_elsewhere", "incoming", "backorder_limit", "shortfall")


def upgrade() -> None:
    """Make the tables, and open the books with what lies there."""
    _grow_warehouses()
    _grow_levels()
    _make_reservations()
    _make_movements()
    _make_counts()
    op.execute(
        "INSERT INTO stock_movement (stock_level_id, variant_id, warehouse_id, kind, qty_on_hand, "
        "qty_reserved, reason, reference, actor_kind, actor_id, at) "
        "SELECT id, variant_id, warehouse_id, 'adjust', coalesce(on_hand, 0), "
        "coalesce(reserved, 0), 'the book was opened', '', 'system', 'migration', updated_at "
        "FROM stock_level WHERE coalesce(on_hand, 0) <> 0 OR coalesce(reserved, 0) <> 0"
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("stock_accuracy", "stock_count", "stock_movement", "reservation"):
        op.drop_table(name)
    for name in ("safety", *reversed(_COUNTERS)):
        op.drop_column("stock_level", name)
    for name in ("timezone", "cutoff", "priority", "active", "country", "postcode", "region",
                 "city", "street"):  # fmt: skip
        op.drop_column("warehouse", name)


def _grow_warehouses() -> None:
    for column in (
        sa.Column("street", sa.Text(), nullable=False, server_default=""),
        sa.Column("city", sa.Text(), nullable=False, server_default=""),
        sa.Column("region", sa.Text(), nullable=False, server_default=""),
        sa.Column("postcode", sa.Text(), nullable=False, server_default=""),
        sa.Column("country", sa.String(2), nullable=False, server_default=""),
        sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("cutoff", sa.Time()),
        sa.Column("timezone", sa.Text(), nullable=False, server_default="UTC"),
    ):
        op.add_column("warehouse", column)


def _grow_levels() -> None:
    """Column by column: to copy the table, as batches do on SQLite, would drop the old one,
    and with it every price that is bound to a place.

    The last check stands with the last column, because SQLite adds none by itself: by then
    what was oversold before says so.
    """
    for name in _COUNTERS:
        op.execute(
            f"ALTER TABLE stock_level ADD COLUMN {name} BIGINT DEFAULT '0' NOT NULL "
            f"CONSTRAINT ck_stock_level_{name} CHECK ({name} >= 0)"
        )
    op.execute(
        "UPDATE stock_level SET reserved_elsewhere = coalesce(reserved, 0), shortfall = CASE "
        "WHEN on_hand IS NOT NULL AND reserved > on_hand THEN reserved - on_hand ELSE 0 END"
    )
    op.execute(
        "ALTER TABLE stock_level ADD COLUMN safety BIGINT DEFAULT '0' NOT NULL "
        "CONSTRAINT ck_stock_level_safety CHECK (safety >= 0) "
        "CONSTRAINT ck_stock_level_promised "
        "CHECK (reserved <= on_hand + backorder_limit + shortfall)"
    )


def _make_reservations() -> None:
    op.create_table(
        "reservation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_type", sa.String(16), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("stock_level_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_reservation_quantity")),
        sa.CheckConstraint(
            "state IN ('held', 'committed', 'consumed', 'released', 'expired')",
            name=op.f("ck_reservation_state"),
        ),
        sa.ForeignKeyConstraint(
            ["stock_level_id"], ["stock_level.id"], name=op.f("fk_reservation_stock_level_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
    )
    op.create_index("ix_reservation_stock_level_id", "reservation", ["stock_level_id"])
    op.create_index("ix_reservation_owner", "reservation", ["owner_type", "owner_id"])
    op.create_index(
        "uq_reservation_open", "reservation", ["owner_type", "owner_id", "stock_level_id"],
        unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN,
    )  # fmt: skip
    op.create_index(
        "ix_reservation_expiry", "reservation", ["expires_at"],
        sqlite_where=_HELD, postgresql_where=_HELD,
    )  # fmt: skip


def _make_movements() -> None:
    op.create_table(
        "stock_movement",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("stock_level_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("qty_on_hand", sa.BigInteger(), nullable=False),
        sa.Column("qty_reserved", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_stock_movement")),
    )
    op.create_index("ix_stock_movement_stock_level_id", "stock_movement", ["stock_level_id"])
    op.create_index("ix_stock_movement_variant_id", "stock_movement", ["variant_id"])


def _make_counts() -> None:
    op.create_table(
        "stock_count",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("stock_level_id", sa.Uuid(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_stock_count")),
    )
    op.create_index("ix_stock_count_at", "stock_count", ["at"])
    op.create_table(
        "stock_accuracy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("counts", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("off_by", sa.BigInteger(), nullable=False),
        sa.Column("levels", sa.BigInteger(), nullable=False),
        sa.Column("drifted", sa.BigInteger(), nullable=False),
        sa.Column("drifts", JsonText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_accuracy")),
    )
    op.create_index("ix_stock_accuracy_at", "stock_accuracy", ["at"])
