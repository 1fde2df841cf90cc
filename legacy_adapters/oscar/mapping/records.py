"""Oscar's rows as the core's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from legacy_adapters.oscar.mapping.cells import Row
from legacy_adapters.oscar.mapping.values import attribute_value
from legacy_adapters.ports import Need, ProductRecord, Readable, Supply
from new_core.domain.catalog import (
    PATH_STEP,
    Asset,
    AttributeDef,
    AttributeValue,
    Category,
    Option,
    Product,
    ProductType,
    Recommendation,
    Status,
    Structure,
    ValueType,
    Variant,
)
from new_core.domain.currency import CURRENCIES
from new_core.domain.identity import ExternalRef, core_id
from new_core.domain.pricing import Price, PriceList, PriceListKind
from new_core.domain.stock import StockLevel, Warehouse

SYSTEM = "oscar"
_LAST_RANK = 2**31 - 1

Cells = Mapping[str, Any]

STRUCTURES = {
    "standalone": Structure.STANDALONE,
    "parent": Structure.PARENT,
    "child": Structure.VARIANT,
}
VALUE_TYPES = {
    "text": ValueType.TEXT,
    "richtext": ValueType.RICHTEXT,
    "integer": ValueType.INTEGER,
    "float": ValueType.NUMBER,
    "boolean": ValueType.BOOLEAN,
    "date": ValueType.DATE,
    "datetime": ValueType.DATETIME,
    "option": ValueType.CHOICE,
    "multi_option": ValueType.CHOICES,
    "file": ValueType.FILE,
    "image": ValueType.IMAGE,
}


@dataclass(frozen=True, slots=True)
class ProductRows:
    """A product's row with the rows of other tables that belong to it.

    Attributes:
        product: of a child, with the parent's structure as `parent_structure`.
        values: with the attribute's type as `attribute_type` and the label of a chosen option
            as `option_label`; ascending by id.
        choices: labels of multi-options by id of the value row, in order.
        stock: with the partner's key; ascending by id.
    """

    product: Cells
    values: Sequence[Cells] = ()
    choices: Mapping[int, Sequence[str]] | None = None
    categories: Sequence[Cells] = ()
    images: Sequence[Cells] = ()
    options: Sequence[Cells] = ()
    recommendations: Sequence[Cells] = ()
    stock: Sequence[Cells] = ()


def oscar_id(entity_type: str, key: str) -> UUID:
    """The core's id of something in oscar."""
    return core_id(SYSTEM, entity_type, key)


def option(cells: Cells) -> Readable:
    """A basket option.

    Raises:
        RowCorrupt: like every function here, when the row cannot be mapped.
    """
    row = Row("catalogue_option", cells)
    if row.key_or_none("option_group_id") is not None:
        raise row.corrupt("option_group_id", "is set, and oscar's own API cannot show such one")
    record = Option(
        id=oscar_id("option", row.key("id")),
        code=row.text("code"),
        name=row.text("name"),
        kind=row.text("type"),
        required=row.truth("required"),
        help_text=row.text_or_none("help_text"),
        rank=row.integer_or_none("order"),
    )
    return Readable(record, record.id, ())


def product_type(cells: Cells, options: Sequence[Cells]) -> Readable:
    """A product class with its links to options."""
    row = Row("catalogue_productclass", cells)
    links = _links("catalogue_productclass_options", options, "option_id", "option")
    record = ProductType(
        id=oscar_id("product_type", row.key("id")),
        code=row.text("slug"),
        name=row.text("name"),
        requires_shipping=row.truth("requires_shipping"),
        track_stock=row.truth("track_stock"),
        option_ids=_ids(links),
    )
    return Readable(record, record.id, links)


def attribute(cells: Cells) -> Readable:
    """An attribute of a product class."""
    row = Row("catalogue_productattribute", cells)
    kind = row.text("type")
    if kind not in VALUE_TYPES:
        raise row.corrupt("type", f"is {kind!r}, which the core has no values for")
    owner = row.key_or_none("product_class_id")
    needs = () if owner is None else (_need("product_type", owner),)
    record = AttributeDef(
        id=oscar_id("attribute", row.key("id")),
        type_id=needs[0].internal_id if needs else None,
        code=row.text("code"),
        name=row.text("name"),
        value_type=VALUE_TYPES[kind],
        required=row.truth("required"),
    )
    return Readable(record, record.id, needs)


def category(cells: Cells) -> Readable:
    """A category; `parent_key` in the cells is the key of the row one step up the path."""
    row = Row("catalogue_category", cells)
    path, parent = _tree_place(row)
    needs = () if parent is None else (_need("category", parent),)
    record = Category(
        id=oscar_id("category", row.key("id")),
        parent_id=needs[0].internal_id if needs else None,
        path=path,
        code=row.text_or_none("code") or None,
        slug=row.text("slug"),
        name=row.text("name"),
        description=row.text("description"),
        long_description=row.text("long_description"),
        seo_title=row.text_or_none("meta_title"),
        seo_description=row.text_or_none("meta_description"),
        image=row.text_or_none("image") or None,
        listed=not row.truth("exclude_from_menu"),
        published=row.truth("is_public"),
        ancestors_published=row.truth("ancestors_are_public"),
    )
    return Readable(record, record.id, needs)


def _tree_place(row: Row) -> tuple[str, str | None]:
    path, depth = row.text("path", longest=255), row.integer("depth", least=1)
    if not path or len(path) % PATH_STEP:
        raise row.corrupt("path", f"is {path!r}, not {PATH_STEP} characters per level")
    if len(path) != depth * PATH_STEP:
        raise row.corrupt("path", f"is {path!r}, but depth is {depth}; run oscar's fix_tree")
    parent = row.key_or_none("parent_key")
    if depth > 1 and parent is None:
        raise row.corrupt("path", f"is {path!r}, but no category stands at {path[:-PATH_STEP]!r}")
    return path, parent


def warehouse(cells: Cells) -> Readable:
    """A partner: a supplier, which is a place that goods are sent from."""
    row = Row("partner_partner", cells)
    record = Warehouse(
        oscar_id("warehouse", row.key("id")), code=row.text("code"), name=row.text("name")
    )
    return Readable(record, record.id, ())


def product(rows: ProductRows) -> Readable:
    """A product with its attributes, links, images, stock and prices."""
    row = Row("catalogue_product", rows.product)
    key = row.key("id")
    product_id = oscar_id("product", key)
    structure, parent, kind = _place(row)
    categories = _links("catalogue_productcategory", rows.categories, "category_id", "category")
    options = _links("catalogue_product_product_options", rows.options, "option_id", "option")
    values, attributes = _values(rows)
    images = [_image(cells) for cells in rows.images]
    whole = Product(
        id=product_id,
        structure=structure,
        parent_id=parent.internal_id if parent else None,
        type_id=kind.internal_id if kind else None,
        status=Status.PUBLISHED if row.truth("is_public") else Status.DRAFT,
        code=row.text_or_none("code"),
        gtin=row.text_or_none("upc") or None,
        title=row.text("title"),
        slug=row.text("slug"),
        description=row.text("description"),
        seo_title=row.text_or_none("meta_title"),
        seo_description=row.text_or_none("meta_description"),
        discountable=row.truth("is_discountable"),
        priority=row.integer("priority"),
        created_at=row.moment("date_created"),
        attributes=values,
        category_ids=_ids(categories),
        assets=tuple(sorted((one for one, _ in images), key=lambda one: (one.rank, one.id))),
        option_ids=_ids(options),
        recommendations=_recommendations(rows.recommendations),
    )
    stock = [_supply(Row("partner_stockrecord", cells), key) for cells in rows.stock]
    record = ProductRecord(
        product=whole,
        variant=_variant(whole, key, [one for one, _ in stock]),
        supplies=tuple(one for one, _ in stock),
        parts=tuple(ref for _, ref in images),
    )
    placed = tuple(one for one in (parent, kind) if one is not None)
    places = tuple(need for _, need in stock)
    return Readable(record, product_id, (*placed, *categories, *options, *attributes, *places))


def _place(row: Row) -> tuple[Structure, Need | None, Need | None]:
    """Structure, parent and type, which have to agree."""
    name = row.text("structure")
    if name not in STRUCTURES:
        raise row.corrupt("structure", f"is {name!r}")
    structure = STRUCTURES[name]
    parent, kind = row.key_or_none("parent_id"), row.key_or_none("product_class_id")
    if structure is Structure.VARIANT:
        if parent is None:
            raise row.corrupt("parent_id", "is NULL, but the product is a child")
        if kind is not None:
            raise row.corrupt("product_class_id", "is set, but a child has its parent's")
        above = row.text_or_none("parent_structure")
        if above in (None, "child"):
            raise row.corrupt("parent_id", f"is {parent}, which is {above or 'no product'}")
        return structure, _need("product", parent), None
    if parent is not None:
        raise row.corrupt("parent_id", f"is set, but the product is {name}")
    if kind is None:
        raise row.corrupt("product_class_id", "is NULL; oscar's own API cannot show the product")
    return structure, None, _need("product_type", kind)


def _values(rows: ProductRows) -> tuple[tuple[AttributeValue, ...], tuple[Need, ...]]:
    values, needs = [], []
    for cells in rows.values:
        row = Row("catalogue_productattributevalue", cells)
        need = _need("attribute", row.key("attribute_id"))
        labels = (rows.choices or {}).get(int(row.key("id")), ())
        values.append(AttributeValue(need.internal_id, attribute_value(row, tuple(labels))))
        needs.append(need)
    return tuple(values), tuple(needs)


def _image(cells: Cells) -> tuple[Asset, ExternalRef]:
    row = Row("catalogue_productimage", cells)
    key = row.key("id")
    asset = Asset(
        id=oscar_id("asset", key),
        uri=row.text("original"),
        caption=row.text("caption"),
        rank=row.integer("display_order", least=0),
        code=row.text_or_none("code") or None,
        created_at=row.moment("date_created"),
    )
    return asset, ExternalRef(SYSTEM, "asset", key, asset.id, "")


def _recommendations(rows: Sequence[Cells]) -> tuple[Recommendation, ...]:
    found = []
    for cells in rows:
        row = Row("catalogue_productrecommendation", cells)
        other = oscar_id("product", row.key("recommendation_id"))
        found.append(Recommendation(other, row.integer("ranking", least=0)))
    return tuple(sorted(found, key=lambda one: (-one.rank, one.product_id)))


def _supply(row: Row, product_key: str) -> tuple[Supply, Need]:
    key, currency = row.key("id"), row.text("price_currency")
    if currency not in CURRENCIES:
        raise row.corrupt("price_currency", f"is {currency!r}, not an ISO 4217 code")
    place = _need("warehouse", row.key("partner_id"))
    variant_id = oscar_id("variant", product_key)
    level = StockLevel(
        id=oscar_id("stock_level", key),
        variant_id=variant_id,
        warehouse_id=place.internal_id,
        sku=row.text("partner_sku"),
        rank=rank_of(key),
        on_hand=row.integer_or_none("num_in_stock", least=0),
        reserved=row.integer_or_none("num_allocated", least=0),
        low_at=row.integer_or_none("low_stock_threshold", least=0),
        created_at=row.moment("date_created"),
    )
    base = base_list(currency)
    price = Price(
        id=oscar_id("price", key),
        price_list_id=base.id,
        variant_id=variant_id,
        stock_level_id=level.id,
        min_qty=1,
        unit_micro=row.price_micro_or_none("price"),
    )
    return Supply(key, level, price, base), place


def base_list(currency: str) -> PriceList:
    """The list that holds oscar's prices of one currency.

    Oscar's default strategy charges no tax, so its prices are both with and without; they
    are taken as without.
    """
    code = f"{SYSTEM}-base-{currency.lower()}"
    return PriceList(
        id=oscar_id("price_list", currency), code=code, currency=currency,
        kind=PriceListKind.BASE, priority=0, tax_included=False,
    )  # fmt: skip


def _variant(product: Product, key: str, supplies: Sequence[Supply]) -> Variant | None:
    """What is put into a cart; a parent is not, unless stock hangs on it all the same."""
    if product.structure is Structure.PARENT and not supplies:
        return None
    sku = supplies[0].level.sku if supplies else None
    return Variant(oscar_id("variant", key), product.id, sku)


def _links(table: str, rows: Sequence[Cells], column: str, entity_type: str) -> tuple[Need, ...]:
    needs = {_need(entity_type, Row(table, cells).key(column)) for cells in rows}
    return tuple(sorted(needs, key=lambda need: need.internal_id))


def _need(entity_type: str, key: str) -> Need:
    return Need(entity_type, key, oscar_id(entity_type, key))


def _ids(needs: Sequence[Need]) -> tuple[UUID, ...]:
    return tuple(need.internal_id for need in needs)


def rank_of(key: str) -> int:
    """A stock record's place among those of its product: oscar sells from the oldest."""
    return min(int(key), _LAST_RANK)
