"""Tables of shipping."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, written_columns
from new_core.storage.types import JsonText, UtcDateTime

shipping_method = sa.Table(
    "shipping_method",
    metadata,
    id_column(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("description", sa.Text(), nullable=False),
    sa.Column("rates", JsonText(), nullable=False),
    sa.Column("places", JsonText(), nullable=False),
    sa.Column("tax_class", sa.Text(), nullable=False),
    sa.Column("active", sa.Boolean(), nullable=False),
    sa.Column("rank", sa.Integer(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
)
