"""The core's products, prices and stock as the answers of oscar's API, key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from legacy_adapters.oscar.mapping.links import Links
from new_core.domain.catalog import (
    Asset,
    AttributeContent,
    AttributeDef,
    Category,
    Option,
    ProductSummary,
    Reference,
    Structure,
    ValueType,
)
from new_core.domain.money import MICRO
from new_core.domain.pricing import PriceTrace
from new_core.domain.stock import Availability
from new_core.ports import StockLine
from new_core.service.catalog import ProductDetail

Json = dict[str, Any]

_STRUCTURES = {
    Structure.STANDALONE: "standalone",
    Structure.PARENT: "parent",
    Structure.VARIANT: "child",
}
_FILES = frozenset({ValueType.FILE, ValueType.IMAGE})
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Shop:
    """What the answers of one request have in common.

    Attributes:
        keys: oscar's keys by the core's ids.
        zone: the shop's time zone, in which its API shows times.
    """

    links: Links
    keys: Mapping[UUID, str]
    zone: tzinfo

    def number(self, internal_id: UUID) -> int:
        """Oscar's key as a number."""
        return int(self.keys[internal_id])

    def moment(self, at: datetime) -> str:
        """A time as Django REST framework writes it."""
        text = at.astimezone(self.zone).isoformat()
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def to_bytes(body: object) -> bytes:
    """JSON as Django REST framework writes it: compact, in UTF-8, and safe in JavaScript."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if "\u2028" in text or "\u2029" in text:
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text.encode()


def product_line(shop: Shop, one: ProductSummary) -> Json:
    """A product in the list."""
    key = shop.keys[one.id]
    return {
        "url": shop.links.product(key), "id": int(key), "upc": one.gtin or "", "title": one.title,
    }  # fmt: skip


def product(
    shop: Shop, detail: ProductDetail, recommended: Mapping[UUID, tuple[UUID, ...]]
) -> Json:
    """A product, with its children; `recommended` has the newest first, by product id.

    What was born in the core and has no key in oscar is not shown.
    """
    key = shop.keys[detail.product.id]
    common = _common(shop, detail, recommended)
    known = (one for one in detail.children if one.product.id in shop.keys)
    by_key = sorted(known, key=lambda one: shop.number(one.product.id))
    children = sorted(by_key, key=lambda one: one.product.created_at, reverse=True)
    return {
        "url": common["url"],
        "upc": common["upc"],
        "id": common["id"],
        "title": common["title"],
        "description": detail.product.description,
        "structure": common["structure"],
        "date_created": common["date_created"],
        "date_updated": common["date_updated"],
        "recommended_products": common["recommended_products"],
        "attributes": common["attributes"],
        "categories": common["categories"],
        "product_class": common["product_class"],
        "images": _images(shop, detail.product.assets),
        "price": common["price"],
        "availability": common["availability"],
        "stockrecords": shop.links.product(key, "stockrecords"),
        "options": common["options"],
        "children": [_common(shop, child, recommended) for child in children],
    }


def _common(
    shop: Shop, detail: ProductDetail, recommended: Mapping[UUID, tuple[UUID, ...]]
) -> Json:
    """What a product and a child in its parent's list both show, in a child's order."""
    one, links = detail.product, shop.links
    key = shop.keys[one.id]
    is_child = one.structure is Structure.VARIANT
    others = recommended.get(one.id, ())
    return {
        "url": links.product(key),
        "upc": one.gtin or "",
        "id": int(key),
        "title": one.title,
        "structure": _STRUCTURES[one.structure],
        "date_created": shop.moment(one.created_at),
        "date_updated": shop.moment(detail.stored.updated_at),
        "recommended_products": [links.product(shop.keys[other]) for other in others],
        "attributes": [
            {"name": prop.name, "value": _value(links, prop, content), "code": prop.code}
            for prop, content in detail.attributes
        ],
        "categories": [_breadcrumbs(line) for line in detail.lineages],
        "product_class": None if is_child else detail.type.code,
        "price": links.product(key, "price"),
        "availability": links.product(key, "availability"),
        "options": [option(shop, one) for one in detail.options if one.id in shop.keys],
    }


def _value(links: Links, prop: AttributeDef, content: AttributeContent) -> object:
    if prop.value_type in _FILES and isinstance(content, str):
        return links.media(content)
    return content


def _images(shop: Shop, assets: tuple[Asset, ...]) -> list[Json]:
    known = (one for one in assets if one.id in shop.keys)
    ordered = sorted(known, key=lambda one: (one.rank, shop.number(one.id)))
    return [
        {
            "id": shop.number(one.id),
            "code": one.code or "",
            "original": shop.links.media(one.uri),
            "caption": one.caption,
            "display_order": one.rank,
            "date_created": shop.moment(one.created_at),
        }
        for one in ordered
    ]


def option(shop: Shop, one: Option) -> Json:
    """What a shopper may say about goods."""
    return {
        "url": shop.links.option(shop.keys[one.id]),
        "code": one.code,
        "name": one.name,
        "type": one.kind,
        "required": one.required,
        "help_text": one.help_text,
        "order": one.rank,
        "option_group": None,
    }


def price(trace: PriceTrace) -> Json:
    """A price. Oscar's default strategy charges no tax, so both amounts are one."""
    unit = trace.unit_price
    amount = None if unit is None else _amount(unit.micro)
    return {
        "currency": unit.currency if unit else None,
        "excl_tax": amount,
        "incl_tax": amount,
        "tax": "0.00",
    }


def _amount(unit_micro: int) -> str:
    """Two decimals for every currency, halves to even, as oscar's API writes amounts."""
    return str((Decimal(unit_micro) / MICRO).quantize(_CENT))


def availability(found: Availability) -> Json:
    """Whether a product can be bought; the number is shown only where stock is counted."""
    body: Json = {"is_available_to_buy": found.purchasable}
    if found.units is not None:
        body["num_available"] = found.units
    return {**body, "message": _message(found)}


def _message(found: Availability) -> str:
    if not found.purchasable:
        return "Unavailable"
    return "Available" if found.units is None else f"In stock ({found.units} available)"


def stock_record(shop: Shop, product_id: UUID, line: StockLine) -> Json:
    """A stock record: a place's stock with its price."""
    level = line.level.value
    product_key, key = shop.keys[product_id], shop.keys[level.id]
    listed = line.listed
    micro = listed.price.unit_micro if listed else None
    return {
        "id": int(key),
        "url": shop.links.stock_record(product_key, key),
        "partner_sku": level.sku,
        "price_currency": listed.price_list.currency if listed else "",
        "price": None if micro is None else _amount(micro),
        "num_in_stock": level.on_hand,
        "num_allocated": level.reserved,
        "low_stock_threshold": level.low_at,
        "date_created": shop.moment(level.created_at),
        "date_updated": shop.moment(line.level.updated_at),
        "product": int(product_key),
        "partner": shop.number(level.warehouse_id),
    }


def category(shop: Shop, reference: Reference, one: Category) -> Json:
    """A category."""
    return {
        "url": shop.links.category(shop.keys[one.id]),
        "breadcrumbs": _breadcrumbs(reference.lineage(one)),
        "children": shop.links.below_category(reference.slug_path(one)),
        "name": one.name,
        "code": one.code or "",
        "description": one.description,
        "long_description": one.long_description,
        "meta_title": one.seo_title,
        "meta_description": one.seo_description,
        "image": shop.links.media(one.image) if one.image else None,
        "slug": one.slug,
        "exclude_from_menu": not one.listed,
        "is_public": one.published,
        "ancestors_are_public": one.ancestors_published,
    }


def _breadcrumbs(line: tuple[Category, ...]) -> str:
    return " > ".join(one.name for one in line)
