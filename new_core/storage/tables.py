"""The core's tables. The migrations make exactly these; a test compares."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from new_core.storage.types import JsonText, UtcDateTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> sa.Column[UUID]:
    return sa.Column("id", sa.Uuid(), primary_key=True)


def _written() -> tuple[sa.Column[int], sa.Column[datetime]]:
    return (
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
    )


def _to(target: str, *, cascade: bool = False) -> sa.ForeignKey:
    return sa.ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None)


product_type = sa.Table(
    "product_type",
    metadata,
    _id(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("requires_shipping", sa.Boolean(), nullable=False),
    sa.Column("track_stock", sa.Boolean(), nullable=False),
    *_written(),
)

option = sa.Table(
    "option",
    metadata,
    _id(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("required", sa.Boolean(), nullable=False),
    sa.Column("help_text", sa.Text()),
    sa.Column("rank", sa.Integer()),
    *_written(),
)

product_type_option = sa.Table(
    "product_type_option",
    metadata,
    sa.Column("type_id", sa.Uuid(), _to("product_type", cascade=True), primary_key=True),
    sa.Column("option_id", sa.Uuid(), _to("option"), primary_key=True),
)

attribute_def = sa.Table(
    "attribute_def",
    metadata,
    _id(),
    sa.Column("type_id", sa.Uuid(), _to("product_type"), index=True),
    sa.Column("code", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("value_type", sa.String(16), nullable=False),
    sa.Column("required", sa.Boolean(), nullable=False),
    *_written(),
    sa.UniqueConstraint("type_id", "code"),
)

category = sa.Table(
    "category",
    metadata,
    _id(),
    sa.Column("parent_id", sa.Uuid(), _to("category"), index=True),
    # Not unique: a reordered tree exchanges paths, one row after the other.
    sa.Column("path", sa.String(255), nullable=False, index=True),
    sa.Column("code", sa.Text()),
    sa.Column("slug", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("description", sa.Text(), nullable=False),
    sa.Column("long_description", sa.Text(), nullable=False),
    sa.Column("seo_title", sa.Text()),
    sa.Column("seo_description", sa.Text()),
    sa.Column("image", sa.Text()),
    sa.Column("listed", sa.Boolean(), nullable=False),
    sa.Column("published", sa.Boolean(), nullable=False),
    sa.Column("ancestors_published", sa.Boolean(), nullable=False),
    *_written(),
)

product = sa.Table(
    "product",
    metadata,
    _id(),
    sa.Column("structure", sa.String(10), nullable=False),
    sa.Column("parent_id", sa.Uuid(), _to("product"), index=True),
    sa.Column("type_id", sa.Uuid(), _to("product_type"), index=True),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("code", sa.Text()),
    sa.Column("gtin", sa.Text(), index=True),
    sa.Column("title", sa.Text(), nullable=False),
    sa.Column("slug", sa.Text(), nullable=False),
    sa.Column("description", sa.Text(), nullable=False),
    sa.Column("seo_title", sa.Text()),
    sa.Column("seo_description", sa.Text()),
    sa.Column("discountable", sa.Boolean(), nullable=False),
    sa.Column("priority", sa.Integer(), nullable=False),
    sa.Column("attributes", JsonText(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False, index=True),
    *_written(),
    sa.Index("ix_product_updated_at_id", "updated_at", "id"),
    sa.CheckConstraint("structure IN ('standalone', 'parent', 'variant')", name="structure"),
    sa.CheckConstraint("status IN ('draft', 'published')", name="status"),
    sa.CheckConstraint("(structure = 'variant') = (parent_id IS NOT NULL)", name="has_parent"),
    sa.CheckConstraint("(structure = 'variant') = (type_id IS NULL)", name="has_type"),
)

product_category = sa.Table(
    "product_category",
    metadata,
    sa.Column("product_id", sa.Uuid(), _to("product", cascade=True), primary_key=True),
    sa.Column("category_id", sa.Uuid(), _to("category"), primary_key=True, index=True),
)

product_option = sa.Table(
    "product_option",
    metadata,
    sa.Column("product_id", sa.Uuid(), _to("product", cascade=True), primary_key=True),
    sa.Column("option_id", sa.Uuid(), _to("option"), primary_key=True, index=True),
)

# The other product may arrive later, or be gone: a recommendation does not hold it.
product_recommendation = sa.Table(
    "product_recommendation",
    metadata,
    sa.Column("product_id", sa.Uuid(), _to("product", cascade=True), primary_key=True),
    sa.Column("recommended_id", sa.Uuid(), primary_key=True),
    sa.Column("rank", sa.Integer(), nullable=False),
)

asset = sa.Table(
    "asset",
    metadata,
    _id(),
    sa.Column("product_id", sa.Uuid(), _to("product", cascade=True), nullable=False, index=True),
    sa.Column("uri", sa.Text(), nullable=False),
    sa.Column("caption", sa.Text(), nullable=False),
    sa.Column("rank", sa.Integer(), nullable=False),
    sa.Column("code", sa.Text()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
)

variant = sa.Table(
    "variant",
    metadata,
    _id(),
    sa.Column("product_id", sa.Uuid(), _to("product", cascade=True), nullable=False, unique=True),
    sa.Column("sku", sa.Text(), index=True),
    *_written(),
)

warehouse = sa.Table(
    "warehouse",
    metadata,
    _id(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    *_written(),
)

stock_level = sa.Table(
    "stock_level",
    metadata,
    _id(),
    sa.Column("variant_id", sa.Uuid(), _to("variant", cascade=True), nullable=False, index=True),
    sa.Column("warehouse_id", sa.Uuid(), _to("warehouse"), nullable=False),
    sa.Column("sku", sa.Text(), nullable=False, index=True),
    sa.Column("rank", sa.Integer(), nullable=False),
    sa.Column("on_hand", sa.BigInteger()),
    sa.Column("reserved", sa.BigInteger()),
    sa.Column("low_at", sa.BigInteger()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *_written(),
    sa.Index("ix_stock_level_warehouse_id_sku", "warehouse_id", "sku"),
    sa.CheckConstraint("on_hand >= 0", name="on_hand"),
    sa.CheckConstraint("reserved >= 0", name="reserved"),
)

price_list = sa.Table(
    "price_list",
    metadata,
    _id(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("priority", sa.Integer(), nullable=False),
    sa.Column("tax_included", sa.Boolean(), nullable=False),
    sa.Column("valid_from", UtcDateTime()),
    sa.Column("valid_to", UtcDateTime()),
    *_written(),
)

price = sa.Table(
    "price",
    metadata,
    _id(),
    sa.Column("price_list_id", sa.Uuid(), _to("price_list"), nullable=False, index=True),
    sa.Column("variant_id", sa.Uuid(), _to("variant", cascade=True), nullable=False, index=True),
    sa.Column("stock_level_id", sa.Uuid(), _to("stock_level", cascade=True), index=True),
    sa.Column("min_qty", sa.Integer(), nullable=False),
    sa.Column("unit_micro", sa.BigInteger()),
    sa.Column("valid_from", UtcDateTime()),
    sa.Column("valid_to", UtcDateTime()),
    *_written(),
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

external_ref = sa.Table(
    "external_ref",
    metadata,
    sa.Column("system", sa.String(64), primary_key=True),
    sa.Column("entity_type", sa.String(32), primary_key=True),
    sa.Column("external_id", sa.String(255), primary_key=True),
    sa.Column("internal_id", sa.Uuid(), nullable=False),
    sa.Column("checksum", sa.String(64), nullable=False),
    sa.Column("first_seen_at", UtcDateTime(), nullable=False),
    sa.Column("last_synced_at", UtcDateTime(), nullable=False),
    sa.Column("removed_at", UtcDateTime()),
    sa.UniqueConstraint("system", "entity_type", "internal_id", name="uq_external_ref_internal"),
    sa.Index("ix_external_ref_internal_id", "internal_id"),
)

import_cursor = sa.Table(
    "import_cursor",
    metadata,
    sa.Column("stream", sa.String(128), primary_key=True),
    sa.Column("position", sa.Text(), nullable=False),
    sa.Column("finished", sa.Boolean(), nullable=False),
    sa.Column("moved_at", UtcDateTime(), nullable=False),
)

import_parked = sa.Table(
    "import_parked",
    metadata,
    sa.Column("system", sa.String(64), primary_key=True),
    sa.Column("entity_type", sa.String(32), primary_key=True),
    sa.Column("external_id", sa.String(255), primary_key=True),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("parked_at", UtcDateTime(), nullable=False),
)

# Counts the writes to what Reference holds, so that readers know when theirs is old.
reference_version = sa.Table(
    "reference_version",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("version", sa.BigInteger(), nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
)
