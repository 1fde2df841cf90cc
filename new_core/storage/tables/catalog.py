"""Tables of the catalogue."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import JsonText, UtcDateTime

product_type = sa.Table(
    "product_type",
    metadata,
    id_column(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("requires_shipping", sa.Boolean(), nullable=False),
    sa.Column("track_stock", sa.Boolean(), nullable=False),
    *written_columns(),
)

option = sa.Table(
    "option",
    metadata,
    id_column(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("required", sa.Boolean(), nullable=False),
    sa.Column("help_text", sa.Text()),
    sa.Column("rank", sa.Integer()),
    *written_columns(),
)

product_type_option = sa.Table(
    "product_type_option",
    metadata,
    sa.Column("type_id", sa.Uuid(), refers("product_type", cascade=True), primary_key=True),
    sa.Column("option_id", sa.Uuid(), refers("option"), primary_key=True),
)

attribute_def = sa.Table(
    "attribute_def",
    metadata,
    id_column(),
    sa.Column("type_id", sa.Uuid(), refers("product_type"), index=True),
    sa.Column("code", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("value_type", sa.String(16), nullable=False),
    sa.Column("required", sa.Boolean(), nullable=False),
    *written_columns(),
    sa.UniqueConstraint("type_id", "code"),
)

category = sa.Table(
    "category",
    metadata,
    id_column(),
    sa.Column("parent_id", sa.Uuid(), refers("category"), index=True),
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
    *written_columns(),
)

product = sa.Table(
    "product",
    metadata,
    id_column(),
    sa.Column("structure", sa.String(10), nullable=False),
    sa.Column("parent_id", sa.Uuid(), refers("product"), index=True),
    sa.Column("type_id", sa.Uuid(), refers("product_type"), index=True),
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
    *written_columns(),
    sa.Index("ix_product_updated_at_id", "updated_at", "id"),
    sa.CheckConstraint("structure IN ('standalone', 'parent', 'variant')", name="structure"),
    sa.CheckConstraint("status IN ('draft', 'published')", name="status"),
    sa.CheckConstraint("(structure = 'variant') = (parent_id IS NOT NULL)", name="has_parent"),
    sa.CheckConstraint("(structure = 'variant') = (type_id IS NULL)", name="has_type"),
)

product_category = sa.Table(
    "product_category",
    metadata,
    sa.Column("product_id", sa.Uuid(), refers("product", cascade=True), primary_key=True),
    sa.Column("category_id", sa.Uuid(), refers("category"), primary_key=True, index=True),
)

product_option = sa.Table(
    "product_option",
    metadata,
    sa.Column("product_id", sa.Uuid(), refers("product", cascade=True), primary_key=True),
    sa.Column("option_id", sa.Uuid(), refers("option"), primary_key=True, index=True),
)

# The other product may arrive later, or be gone: a recommendation does not hold it.
product_recommendation = sa.Table(
    "product_recommendation",
    metadata,
    sa.Column("product_id", sa.Uuid(), refers("product", cascade=True), primary_key=True),
    sa.Column("recommended_id", sa.Uuid(), primary_key=True),
    sa.Column("rank", sa.Integer(), nullable=False),
)

asset = sa.Table(
    "asset",
    metadata,
    id_column(),
    sa.Column("product_id", sa.Uuid(), refers("product", cascade=True), nullable=False, index=True),
    sa.Column("uri", sa.Text(), nullable=False),
    sa.Column("caption", sa.Text(), nullable=False),
    sa.Column("rank", sa.Integer(), nullable=False),
    sa.Column("code", sa.Text()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
)

variant = sa.Table(
    "variant",
    metadata,
    id_column(),
    sa.Column(
        "product_id", sa.Uuid(), refers("product", cascade=True), nullable=False, unique=True
    ),
    sa.Column("sku", sa.Text(), index=True),
    *written_columns(),
)

# Counts the writes to what Reference holds (version) and to products, variants and all that
# hangs on them (products), so that readers know when what they remember is old.
reference_version = sa.Table(
    "reference_version",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("version", sa.BigInteger(), nullable=False),
    sa.Column("products", sa.BigInteger(), nullable=False, server_default="0"),
    sa.CheckConstraint("id = 1", name="one_row"),
)

# A bundle is sold as one thing and taken from the shelf as its components.
bundle_component = sa.Table(
    "bundle_component",
    metadata,
    sa.Column("variant_id", sa.Uuid(), refers("variant", cascade=True), primary_key=True),
    sa.Column("component_variant_id", sa.Uuid(), refers("variant"), primary_key=True, index=True),
    sa.Column("quantity", sa.Integer(), nullable=False),
    sa.CheckConstraint("quantity >= 1", name="quantity"),
    sa.CheckConstraint("variant_id <> component_variant_id", name="not_itself"),
)

assortment = sa.Table(
    "assortment",
    metadata,
    id_column(),
    sa.Column("code", sa.Text(), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    *written_columns(),
)

assortment_rule = sa.Table(
    "assortment_rule",
    metadata,
    sa.Column("assortment_id", sa.Uuid(), refers("assortment", cascade=True), primary_key=True),
    sa.Column("position", sa.Integer(), primary_key=True),
    sa.Column("includes", sa.Boolean(), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("target_id", sa.Uuid()),
    sa.CheckConstraint("kind IN ('all', 'category', 'type', 'product')", name="kind"),
    sa.CheckConstraint("(kind = 'all') = (target_id IS NULL)", name="target"),
)

assortment_assignment = sa.Table(
    "assortment_assignment",
    metadata,
    sa.Column("assortment_id", sa.Uuid(), refers("assortment", cascade=True), primary_key=True),
    sa.Column("scope", sa.String(10), primary_key=True),
    sa.Column("scope_id", sa.Uuid(), primary_key=True, index=True),
    sa.CheckConstraint("scope IN ('account', 'customer', 'group')", name="scope"),
)
