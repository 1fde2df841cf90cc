"""Tables of tax."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, written_columns
from new_core.storage.types import UtcDateTime

tax_rule = sa.Table(
    "tax_rule",
    metadata,
    id_column(),
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
    *written_columns(),
    sa.UniqueConstraint("country", "region", "tax_class", "code", "valid_from"),
    sa.CheckConstraint("ppm >= 0", name="ppm"),
)

tax_exemption = sa.Table(
    "tax_exemption",
    metadata,
    id_column(),
    sa.Column("subject_type", sa.String(10), nullable=False),
    sa.Column("subject_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("country", sa.String(2), nullable=False),
    sa.Column("region", sa.String(10), nullable=False),
    sa.Column("code", sa.String(32), nullable=False),
    sa.Column("certificate", sa.Text(), nullable=False),
    sa.Column("valid_from", UtcDateTime()),
    sa.Column("valid_to", UtcDateTime()),
    *written_columns(),
    sa.CheckConstraint("subject_type IN ('customer', 'account')", name="subject_type"),
)

# The class of a product, or of all products of a type; "standard" where nothing is said.
tax_class = sa.Table(
    "tax_class",
    metadata,
    sa.Column("target_id", sa.Uuid(), primary_key=True),
    sa.Column("target", sa.String(10), nullable=False),
    sa.Column("tax_class", sa.String(32), nullable=False),
    *written_columns(),
    sa.CheckConstraint("target IN ('product', 'type')", name="target"),
)
