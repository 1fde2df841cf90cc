"""The first slice: catalogue, prices, stock, and where imports of them stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage.types import JsonText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "option",
    "product_type",
    "product_type_option",
    "attribute_def",
    "category",
    "product",
    "product_category",
    "product_option",
    "product_recommendation",
    "asset",
    "variant",
    "warehouse",
    "stock_level",
    "price_list",
    "price",
    "external_ref",
    "import_cursor",
    "import_parked",
    "reference_version",
)


def upgrade() -> None:
    _make_types()
    _make_attributes()
    _make_categories()
    _make_products()
    _make_product_parts()
    _make_assets()
    _make_stock()
    _make_prices()
    _make_imports()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _make_types() -> None:
    op.create_table(
        "option",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("help_text", sa.Text()),
        sa.Column("rank", sa.Integer()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_option")),
        sa.UniqueConstraint("code", name=op.f("uq_option_code")),
    )
    op.create_table(
        "product_type",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("requires_shipping", sa.Boolean(), nullable=False),
        sa.Column("track_stock", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_type")),
        sa.UniqueConstraint("code", name=op.f("uq_product_type_code")),
    )
    op.create_table(
        "product_type_option",
        sa.Column("type_id", sa.Uuid(), nullable=False),
        sa.Column("option_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["option_id"], ["option.id"], name=op.f("fk_product_type_option_option_id")
        ),
        sa.ForeignKeyConstraint(
            ["type_id"],
            ["product_type.id"],
            name=op.f("fk_product_type_option_type_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("type_id", "option_id", name=op.f("pk_product_type_option")),
    )


def _make_attributes() -> None:
    op.create_table(
        "attribute_def",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type_id", sa.Uuid()),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value_type", sa.String(length=16), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["type_id"], ["product_type.id"], name=op.f("fk_attribute_def_type_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute_def")),
        sa.UniqueConstraint("type_id", "code", name=op.f("uq_attribute_def_type_id_code")),
    )
    op.create_index("ix_attribute_def_type_id", "attribute_def", ["type_id"])


def _make_categories() -> None:
    op.create_table(
        "category",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("path", sa.String(length=255), nullable=False),
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
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["category.id"], name=op.f("fk_category_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
    )
    op.create_index("ix_category_parent_id", "category", ["parent_id"])
    op.create_index("ix_category_path", "category", ["path"])


def _make_products() -> None:
    op.create_table(
        "product",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("structure", sa.String(length=10), nullable=False),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("type_id", sa.Uuid()),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("code", sa.Text()),
        sa.Column("gtin", sa.Text()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("seo_title", sa.Text()),
        sa.Column("seo_description", sa.Text()),
        sa.Column("discountable", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attributes", JsonText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(structure = 'variant') = (parent_id IS NOT NULL)", name=op.f("ck_product_has_parent")
        ),
        sa.CheckConstraint(
            "(structure = 'variant') = (type_id IS NULL)", name=op.f("ck_product_has_type")
        ),
        sa.CheckConstraint("status IN ('draft', 'published')", name=op.f("ck_product_status")),
        sa.CheckConstraint(
            "structure IN ('standalone', 'parent', 'variant')", name=op.f("ck_product_structure")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["product.id"], name=op.f("fk_product_parent_id")),
        sa.ForeignKeyConstraint(["type_id"], ["product_type.id"], name=op.f("fk_product_type_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
    )
    op.create_index("ix_product_created_at", "product", ["created_at"])
    op.create_index("ix_product_gtin", "product", ["gtin"])
    op.create_index("ix_product_parent_id", "product", ["parent_id"])
    op.create_index("ix_product_type_id", "product", ["type_id"])
    op.create_index("ix_product_updated_at_id", "product", ["updated_at", "id"])


def _make_product_parts() -> None:
    op.create_table(
        "product_category",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["category_id"], ["category.id"], name=op.f("fk_product_category_category_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
            name=op.f("fk_product_category_product_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "category_id", name=op.f("pk_product_category")),
    )
    op.create_index("ix_product_category_category_id", "product_category", ["category_id"])
    op.create_table(
        "product_option",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("option_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["option_id"], ["option.id"], name=op.f("fk_product_option_option_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
            name=op.f("fk_product_option_product_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "option_id", name=op.f("pk_product_option")),
    )
    op.create_index("ix_product_option_option_id", "product_option", ["option_id"])
    op.create_table(
        "product_recommendation",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("recommended_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
            name=op.f("fk_product_recommendation_product_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "product_id", "recommended_id", name=op.f("pk_product_recommendation")
        ),
    )


def _make_assets() -> None:
    op.create_table(
        "asset",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_asset_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
    )
    op.create_index("ix_asset_product_id", "asset", ["product_id"])


def _make_stock() -> None:
    op.create_table(
        "variant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_variant_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variant")),
        sa.UniqueConstraint("product_id", name=op.f("uq_variant_product_id")),
    )
    op.create_index("ix_variant_sku", "variant", ["sku"])
    op.create_table(
        "warehouse",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warehouse")),
        sa.UniqueConstraint("code", name=op.f("uq_warehouse_code")),
    )
    op.create_table(
        "stock_level",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("on_hand", sa.BigInteger()),
        sa.Column("reserved", sa.BigInteger()),
        sa.Column("low_at", sa.BigInteger()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("on_hand >= 0", name=op.f("ck_stock_level_on_hand")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_stock_level_reserved")),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["variant.id"],
            name=op.f("fk_stock_level_variant_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["warehouse.id"], name=op.f("fk_stock_level_warehouse_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_level")),
    )
    op.create_index("ix_stock_level_sku", "stock_level", ["sku"])
    op.create_index("ix_stock_level_variant_id", "stock_level", ["variant_id"])
    op.create_index("ix_stock_level_warehouse_id_sku", "stock_level", ["warehouse_id", "sku"])


def _make_prices() -> None:
    op.create_table(
        "price_list",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("tax_included", sa.Boolean(), nullable=False),
        sa.Column("valid_from", UtcDateTime()),
        sa.Column("valid_to", UtcDateTime()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_list")),
        sa.UniqueConstraint("code", name=op.f("uq_price_list_code")),
    )
    op.create_table(
        "price",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("price_list_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("stock_level_id", sa.Uuid()),
        sa.Column("min_qty", sa.Integer(), nullable=False),
        sa.Column("unit_micro", sa.BigInteger()),
        sa.Column("valid_from", UtcDateTime()),
        sa.Column("valid_to", UtcDateTime()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("min_qty >= 1", name=op.f("ck_price_min_qty")),
        sa.CheckConstraint("unit_micro >= 0", name=op.f("ck_price_unit_micro")),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_list.id"], name=op.f("fk_price_price_list_id")
        ),
        sa.ForeignKeyConstraint(
            ["stock_level_id"],
            ["stock_level.id"],
            name=op.f("fk_price_stock_level_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_price_variant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price")),
        sa.UniqueConstraint(
            "price_list_id",
            "variant_id",
            "stock_level_id",
            "min_qty",
            "valid_from",
            name="uq_price_step",
        ),
    )
    op.create_index("ix_price_price_list_id", "price", ["price_list_id"])
    op.create_index("ix_price_stock_level_id", "price", ["stock_level_id"])
    op.create_index("ix_price_variant_id", "price", ["variant_id"])


def _make_imports() -> None:
    op.create_table(
        "external_ref",
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("entity_type", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("internal_id", sa.Uuid(), nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("last_synced_at", UtcDateTime(), nullable=False),
        sa.Column("removed_at", UtcDateTime()),
        sa.PrimaryKeyConstraint(
            "system", "entity_type", "external_id", name=op.f("pk_external_ref")
        ),
        sa.UniqueConstraint(
            "system", "entity_type", "internal_id", name="uq_external_ref_internal"
        ),
    )
    op.create_index("ix_external_ref_internal_id", "external_ref", ["internal_id"])
    op.create_table(
        "import_cursor",
        sa.Column("stream", sa.String(length=128), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("moved_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_import_cursor")),
    )
    op.create_table(
        "import_parked",
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("entity_type", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("parked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "system", "entity_type", "external_id", name=op.f("pk_import_parked")
        ),
    )
    op.create_table(
        "reference_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_reference_version_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_version")),
    )
