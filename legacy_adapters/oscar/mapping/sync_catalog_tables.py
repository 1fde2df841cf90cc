"""Oscar's tables of the catalogue."""

from __future__ import annotations

from legacy_adapters.mapping.rows import Column, Table
from legacy_adapters.oscar.mapping import sync_cells as cells


def _table(table: str, /, **columns: Column) -> Table:
    return Table(table, ("id",), {"id": cells.INTEGER, **columns})


OPTION = _table(
    "catalogue_option",
    code=cells.TEXT,
    type=cells.TEXT,
    required=cells.BOOLEAN,
    name=cells.TEXT,
    help_text=cells.TEXT,
    option_group_id=cells.INTEGER,
    order=cells.INTEGER,
)
CLASS = _table(
    "catalogue_productclass",
    name=cells.TEXT,
    slug=cells.TEXT,
    requires_shipping=cells.BOOLEAN,
    track_stock=cells.BOOLEAN,
)
CLASS_OPTION = _table(
    "catalogue_productclass_options", productclass_id=cells.INTEGER, option_id=cells.INTEGER
)
ATTRIBUTE = _table(
    "catalogue_productattribute",
    name=cells.TEXT,
    code=cells.TEXT,
    type=cells.TEXT,
    required=cells.BOOLEAN,
    option_group_id=cells.INTEGER,
    product_class_id=cells.INTEGER,
)
CHOICE_LIST = _table("catalogue_attributeoptiongroup", name=cells.TEXT, code=cells.TEXT)
CHOICE = _table(
    "catalogue_attributeoption", option=cells.TEXT, group_id=cells.INTEGER, code=cells.TEXT
)
CATEGORY = _table(
    "catalogue_category",
    path=cells.TEXT,
    depth=cells.INTEGER,
    numchild=cells.INTEGER,
    name=cells.TEXT,
    description=cells.TEXT,
    image=cells.TEXT,
    slug=cells.TEXT,
    ancestors_are_public=cells.BOOLEAN,
    is_public=cells.BOOLEAN,
    meta_description=cells.TEXT,
    meta_title=cells.TEXT,
    code=cells.TEXT,
    exclude_from_menu=cells.BOOLEAN,
    long_description=cells.TEXT,
)
PARTNER = _table("partner_partner", code=cells.TEXT, name=cells.TEXT)
PRODUCT = _table(
    "catalogue_product",
    structure=cells.TEXT,
    upc=cells.TEXT,
    title=cells.TEXT,
    slug=cells.TEXT,
    description=cells.TEXT,
    rating=cells.NUMBER,
    date_created=cells.MOMENT,
    date_updated=cells.MOMENT,
    is_discountable=cells.BOOLEAN,
    product_class_id=cells.INTEGER,
    is_public=cells.BOOLEAN,
    meta_description=cells.TEXT,
    meta_title=cells.TEXT,
    priority=cells.INTEGER,
    code=cells.TEXT,
    parent_id=cells.INTEGER,
)
VALUE = _table(
    "catalogue_productattributevalue",
    value_text=cells.TEXT,
    value_integer=cells.INTEGER,
    value_float=cells.NUMBER,
    value_richtext=cells.TEXT,
    value_date=cells.DAY,
    value_file=cells.TEXT,
    value_image=cells.TEXT,
    entity_object_id=cells.INTEGER,
    attribute_id=cells.INTEGER,
    entity_content_type_id=cells.INTEGER,
    product_id=cells.INTEGER,
    value_option_id=cells.INTEGER,
    value_datetime=cells.MOMENT,
    value_boolean=cells.BOOLEAN,
)
CHOSEN = _table(
    "catalogue_productattributevalue_value_multi_option",
    productattributevalue_id=cells.INTEGER,
    attributeoption_id=cells.INTEGER,
)
PRODUCT_CATEGORY = _table(
    "catalogue_productcategory", category_id=cells.INTEGER, product_id=cells.INTEGER
)
PRODUCT_OPTION = _table(
    "catalogue_product_product_options", product_id=cells.INTEGER, option_id=cells.INTEGER
)
RECOMMENDATION = _table(
    "catalogue_productrecommendation",
    primary_id=cells.INTEGER,
    recommendation_id=cells.INTEGER,
    ranking=cells.INTEGER,
)
IMAGE = _table(
    "catalogue_productimage",
    original=cells.TEXT,
    caption=cells.TEXT,
    display_order=cells.INTEGER,
    date_created=cells.MOMENT,
    product_id=cells.INTEGER,
    code=cells.TEXT,
)
