"""Tables of checkouts."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, written_columns
from new_core.storage.types import JsonText, UtcDateTime

checkout = sa.Table(
    "checkout",
    metadata,
    id_column(),
    sa.Column("cart_id", sa.Uuid(), nullable=False, unique=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("order_id", sa.Uuid(), unique=True),
    sa.Column("failure", sa.Text(), nullable=False),
    sa.Column("offer", JsonText(), nullable=False),
    # Whose answer the payment's outcome is. Kept here because who finds the outcome out may
    # be a worker, long after the request is gone.
    sa.Column("request_principal", sa.Text(), nullable=False),
    sa.Column("request_route", sa.Text(), nullable=False),
    sa.Column("request_key", sa.Text(), nullable=False),
    sa.Column("request_fingerprint", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.Index("ix_checkout_state_updated_at", "state", "updated_at"),
)
