"""Every column of oscar's catalogue and partner tables, and what becomes of it.

A test compares this list with a real schema: a column that oscar adds, or a shop's own
extension, is a failure until somebody decides about it here.
"""

from __future__ import annotations

from collections.abc import Mapping

from legacy_adapters.mapping.columns import Fate, Ignored, Mapped

_LINK = Ignored("key of a link row; the pair of ends is its identity in the core")
_CHOICES = Ignored("products hold the chosen label; lists of choices come with editing in the core")
_PEOPLE = Ignored("about people and their rights, comes with accounts")

COLUMNS: Mapping[str, Mapping[str, Fate]] = {
    "catalogue_productclass": {
        "id": Mapped("external_ref.external_id"),
        "name": Mapped("product_type.name"),
        "slug": Mapped("product_type.code"),
        "requires_shipping": Mapped("product_type.requires_shipping"),
        "track_stock": Mapped("product_type.track_stock"),
    },
    "catalogue_productclass_options": {
        "id": _LINK,
        "productclass_id": Mapped("product_type_option.type_id"),
        "option_id": Mapped("product_type_option.option_id"),
    },
    "catalogue_option": {
        "id": Mapped("external_ref.external_id"),
        "code": Mapped("option.code"),
        "type": Mapped("option.kind"),
        "required": Mapped("option.required"),
        "name": Mapped("option.name"),
        "help_text": Mapped("option.help_text"),
        "order": Mapped("option.rank"),
        "option_group_id": Ignored(
            "must be empty: oscar's own API crashes on an option with a group, so the row is parked"
        ),
    },
    "catalogue_productattribute": {
        "id": Mapped("external_ref.external_id"),
        "name": Mapped("attribute_def.name"),
        "code": Mapped("attribute_def.code"),
        "type": Mapped("attribute_def.value_type"),
        "required": Mapped("attribute_def.required"),
        "option_group_id": _CHOICES,
        "product_class_id": Mapped("attribute_def.type_id"),
    },
    "catalogue_attributeoptiongroup": {"id": _CHOICES, "name": _CHOICES, "code": _CHOICES},
    "catalogue_attributeoption": {
        "id": _CHOICES,
        "option": Mapped("product.attributes"),
        "group_id": _CHOICES,
        "code": _CHOICES,
    },
    "catalogue_category": {
        "id": Mapped("external_ref.external_id"),
        "path": Mapped("category.path"),
        "depth": Mapped("category.path"),
        "numchild": Ignored("counted from the tree"),
        "name": Mapped("category.name"),
        "description": Mapped("category.description"),
        "image": Mapped("category.image"),
        "slug": Mapped("category.slug"),
        "ancestors_are_public": Mapped("category.ancestors_published"),
        "is_public": Mapped("category.published"),
        "meta_description": Mapped("category.seo_description"),
        "meta_title": Mapped("category.seo_title"),
        "code": Mapped("category.code"),
        "exclude_from_menu": Mapped("category.listed"),
        "long_description": Mapped("category.long_description"),
    },
    "catalogue_product": {
        "id": Mapped("external_ref.external_id"),
        "structure": Mapped("product.structure"),
        "upc": Mapped("product.gtin"),
        "title": Mapped("product.title"),
        "slug": Mapped("product.slug"),
        "description": Mapped("product.description"),
        "rating": Ignored("a mean over reviews, which come with their own slice"),
        "date_created": Mapped("product.created_at"),
        "date_updated": Ignored("the core shows when it last wrote the product itself"),
        "is_discountable": Mapped("product.discountable"),
        "product_class_id": Mapped("product.type_id"),
        "is_public": Mapped("product.status"),
        "meta_description": Mapped("product.seo_description"),
        "meta_title": Mapped("product.seo_title"),
        "priority": Mapped("product.priority"),
        "code": Mapped("product.code"),
        "parent_id": Mapped("product.parent_id"),
    },
    "catalogue_productattributevalue": {
        "id": Mapped("product.attributes"),
        "value_text": Mapped("product.attributes"),
        "value_integer": Mapped("product.attributes"),
        "value_float": Mapped("product.attributes"),
        "value_richtext": Mapped("product.attributes"),
        "value_date": Mapped("product.attributes"),
        "value_file": Mapped("product.attributes"),
        "value_image": Mapped("product.attributes"),
        "value_datetime": Mapped("product.attributes"),
        "value_boolean": Mapped("product.attributes"),
        "value_option_id": Mapped("product.attributes"),
        "attribute_id": Mapped("product.attributes"),
        "product_id": Mapped("product.attributes"),
        "entity_object_id": Ignored("points at any table of the shop; its product is parked"),
        "entity_content_type_id": Ignored("points at any table of the shop; its product is parked"),
    },
    "catalogue_productattributevalue_value_multi_option": {
        "id": Mapped("product.attributes"),
        "productattributevalue_id": Mapped("product.attributes"),
        "attributeoption_id": Mapped("product.attributes"),
    },
    "catalogue_productcategory": {
        "id": _LINK,
        "category_id": Mapped("product_category.category_id"),
        "product_id": Mapped("product_category.product_id"),
    },
    "catalogue_product_product_options": {
        "id": _LINK,
        "product_id": Mapped("product_option.product_id"),
        "option_id": Mapped("product_option.option_id"),
    },
    "catalogue_productrecommendation": {
        "id": _LINK,
        "primary_id": Mapped("product_recommendation.product_id"),
        "recommendation_id": Mapped("product_recommendation.recommended_id"),
        "ranking": Mapped("product_recommendation.rank"),
    },
    "catalogue_productimage": {
        "id": Mapped("external_ref.external_id"),
        "original": Mapped("asset.uri"),
        "caption": Mapped("asset.caption"),
        "display_order": Mapped("asset.rank"),
        "date_created": Mapped("asset.created_at"),
        "product_id": Mapped("asset.product_id"),
        "code": Mapped("asset.code"),
    },
    "partner_partner": {
        "id": Mapped("external_ref.external_id"),
        "code": Mapped("warehouse.code"),
        "name": Mapped("warehouse.name"),
    },
    "partner_partner_users": {"id": _PEOPLE, "partner_id": _PEOPLE, "user_id": _PEOPLE},
    "partner_partneraddress": dict.fromkeys(
        (
            "id", "title", "first_name", "last_name", "line1", "line2", "line3", "line4",
            "state", "postcode", "search_text", "country_id", "partner_id", "code",
        ),
        Ignored("where goods are sent from, comes with shipping"),
    ),
    "partner_stockrecord": {
        "id": Mapped("external_ref.external_id"),
        "partner_sku": Mapped("stock_level.sku"),
        "price": Mapped("price.unit_micro"),
        "price_currency": Mapped("price_list.currency"),
        "num_in_stock": Mapped("stock_level.on_hand"),
        "num_allocated": Mapped("stock_level.reserved"),
        "low_stock_threshold": Mapped("stock_level.low_at"),
        "date_created": Mapped("stock_level.created_at"),
        "date_updated": Ignored("the core shows when it last wrote the record itself"),
        "partner_id": Mapped("stock_level.warehouse_id"),
        "product_id": Mapped("stock_level.variant_id"),
    },
    "partner_stockalert": dict.fromkeys(
        ("id", "threshold", "status", "date_closed", "stockrecord_id", "date_created"),
        Ignored("open alerts, raised anew by the core when stock is replenished there"),
    ),
}  # fmt: skip
