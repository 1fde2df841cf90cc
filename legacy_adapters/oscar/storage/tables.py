"""What the facade has to remember that the core has no word for. Deleted with the adapter."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage import UtcDateTime

metadata = sa.MetaData()

session = sa.Table(
    "oscar_session",
    metadata,
    sa.Column("key_sha256", sa.String(64), primary_key=True),
    sa.Column("customer_id", sa.Uuid()),
    sa.Column("cart_id", sa.Uuid()),
    sa.Column("updated_at", UtcDateTime(), nullable=False),
    sa.Column("expires_at", UtcDateTime(), nullable=False),
    sa.Index("ix_oscar_session_expires_at", "expires_at"),
)

counter = sa.Table(
    "oscar_counter",
    metadata,
    sa.Column("entity_type", sa.String(32), primary_key=True),
    sa.Column("last", sa.BigInteger(), nullable=False),
)

country = sa.Table(
    "oscar_country",
    metadata,
    sa.Column("code", sa.String(2), primary_key=True),
    sa.Column("alpha_3", sa.String(3), nullable=False),
    sa.Column("numeric_code", sa.String(3), nullable=False),
    sa.Column("printable_name", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("rank", sa.Integer(), nullable=False),
    sa.Column("ships", sa.Boolean(), nullable=False),
)
