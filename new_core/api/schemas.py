"""What /v1 answers, as the OpenAPI document describes it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from new_core.domain.address import PostalAddress
from new_core.domain.catalog import Category, Reference, Status, Structure, ValueType
from new_core.domain.money import Money, UnitPrice
from new_core.domain.pricing import PriceList, PriceListKind, PriceTrace, Refusal
from new_core.domain.stock import MOST_UNITS, Availability, Supply, Warehouse
from new_core.ports import StockLine
from new_core.service.catalog import ProductDetail


class Answer(BaseModel):
    """Base of all answers: nothing undeclared leaves the core."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Answer):
    """Where a list goes on."""

    next: str | None = Field(description="value for `after`, or null on the last page")
    has_more: bool


class Amount(Answer):
    """Money: a decimal string, never a float."""

    amount: str = Field(examples=["19.99"])
    currency: str = Field(examples=["GBP"])

    @classmethod
    def of(cls, money: Money | UnitPrice | None) -> Amount | None:
        """The amount, or null where there is none."""
        return cls(amount=money.text, currency=money.currency) if money else None


class PostalAddressOut(Answer):
    """Where post goes."""

    country: str
    lines: list[str]
    city: str
    first_name: str
    last_name: str
    title: str
    company: str
    region: str
    postcode: str
    phone: str
    notes: str

    @classmethod
    def of(cls, address: PostalAddress | None) -> PostalAddressOut | None:
        """An address, or null where there is none."""
        return cls.model_validate(address, from_attributes=True) if address else None


class AttributeOut(Answer):
    """A property of a product."""

    code: str
    name: str
    type: ValueType
    value: str | int | float | bool | list[str] | None


class CategoryRef(Answer):
    """A category that a product stands in."""

    id: UUID
    path: str = Field(description="slugs from the top", examples=["books/fiction"])
    names: list[str] = Field(description="names from the top")


class ImageOut(Answer):
    """An image; the first is the primary one."""

    id: UUID
    uri: str = Field(description="path below the shop's media folder")
    caption: str


class OptionOut(Answer):
    """Something a shopper decides when buying."""

    id: UUID
    code: str
    name: str
    kind: str
    required: bool
    help_text: str | None


class ProductOut(Answer):
    """A product."""

    id: UUID
    structure: Structure
    parent_id: UUID | None
    type: str = Field(description="code of the product type; a variant has its parent's")
    status: Status
    variant_id: UUID | None = Field(description="what goes into a cart; null for a parent")
    sku: str | None
    gtin: str | None
    title: str
    slug: str
    description: str
    attributes: list[AttributeOut]
    categories: list[CategoryRef]
    images: list[ImageOut]
    options: list[OptionOut]
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, detail: ProductDetail) -> ProductOut:
        """A product with what it points at."""
        return cls(**_product_fields(detail))


class ProductDetailOut(ProductOut):
    """A product with the variants it gathers."""

    variants: list[ProductOut] = Field(description="newest first; empty unless it is a parent")
    recommendations: list[UUID]

    @classmethod
    def whole(cls, detail: ProductDetail) -> ProductDetailOut:
        """A product with its children."""
        return cls(
            **_product_fields(detail),
            variants=[ProductOut.of(child) for child in detail.children],
            recommendations=[one.product_id for one in detail.product.recommendations],
        )


class ProductList(Answer):
    """A page of products, ascending by (updated_at, id)."""

    data: list[ProductOut]
    page: Page


class PriceStep(Answer):
    """A price that was looked at."""

    price_list: str
    min_qty: int
    unit_price: Amount | None
    refusal: Refusal | None = Field(description="null for the one that was taken")


class PriceOut(Answer):
    """What a product costs."""

    product_id: UUID
    quantity: int
    unit_price: Amount | None = Field(description="null when there is no price to show")
    total: Amount | None
    price_list: str | None
    valid_until: datetime | None
    considered: list[PriceStep] = Field(description="every price looked at, best first")

    @classmethod
    def of(cls, product_id: UUID, quantity: int, trace: PriceTrace) -> PriceOut:
        """A price and how it came about."""
        unit = trace.unit_price
        return cls(
            product_id=product_id,
            quantity=quantity,
            unit_price=Amount.of(unit),
            total=Amount.of(unit.times(quantity) if unit else None),
            price_list=trace.chosen.price_list.code if trace.chosen else None,
            valid_until=trace.valid_until,
            considered=[
                PriceStep(
                    price_list=one.listed.price_list.code,
                    min_qty=one.listed.price.min_qty,
                    unit_price=_amount(one.listed.price.unit_micro, one.listed.price_list),
                    refusal=one.refusal,
                )
                for one in trace.considered
            ],
        )


class AvailabilityOut(Answer):
    """Whether a product can be bought now."""

    product_id: UUID
    supply: Supply
    purchasable: bool
    units: int | None = Field(description="null unless counted; negative when oversold")

    @classmethod
    def of(cls, product_id: UUID, found: Availability) -> AvailabilityOut:
        """The availability of a product."""
        return cls(
            product_id=product_id, supply=found.supply, purchasable=found.purchasable,
            units=found.units,
        )  # fmt: skip


class CategoryOut(Answer):
    """A category."""

    id: UUID
    parent_id: UUID | None
    path: str = Field(description="slugs from the top", examples=["books/fiction"])
    name: str
    description: str
    published: bool
    listed: bool

    @classmethod
    def of(cls, reference: Reference, category: Category) -> CategoryOut:
        """A category with its path of slugs."""
        return cls(
            id=category.id, parent_id=category.parent_id, path=reference.slug_path(category),
            name=category.name, description=category.description,
            published=category.published, listed=category.listed,
        )  # fmt: skip


class CategoryList(Answer):
    """All categories, each after the one above it."""

    data: list[CategoryOut]


class PriceListOut(Answer):
    """A price list."""

    id: UUID
    code: str
    currency: str
    kind: PriceListKind
    priority: int
    tax_included: bool
    valid_from: datetime | None
    valid_to: datetime | None

    @classmethod
    def of(cls, price_list: PriceList) -> PriceListOut:
        """A price list."""
        return cls.model_validate(price_list, from_attributes=True)


class PriceLists(Answer):
    """All price lists, by code."""

    data: list[PriceListOut]


class StockOut(Answer):
    """What one place has of one variant."""

    id: UUID
    variant_id: UUID
    warehouse: str
    sku: str
    on_hand: int | None = Field(description="null when nobody counts")
    reserved: int | None = Field(description="null when nothing ever was reserved")
    available: int
    safety: int = Field(description="units that are never promised")
    incoming: int = Field(description="units on their way; told, not promised")
    backorder_limit: int = Field(description="units that may be promised beyond the shelf")
    promisable: int = Field(description="units that can be promised now, back orders included")
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, line: StockLine, warehouse: Warehouse) -> StockOut:
        """A stock level with the code of its warehouse."""
        level = line.level.value
        return cls(
            id=level.id, variant_id=level.variant_id, warehouse=warehouse.code, sku=level.sku,
            on_hand=level.on_hand, reserved=level.reserved, available=level.available,
            **asdict(line.policy), promisable=line.policy.promisable(level),
            updated_at=line.level.updated_at, version=line.level.version,
        )  # fmt: skip


class StockCount(BaseModel):
    """What somebody counted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    on_hand: int | None = Field(
        ge=0, le=MOST_UNITS, description="units on the shelf; null when nobody counts them"
    )


class StockList(Answer):
    """A page of stock levels, ascending by id."""

    data: list[StockOut]
    page: Page


def _amount(unit_micro: int | None, price_list: PriceList) -> Amount | None:
    return None if unit_micro is None else Amount.of(UnitPrice(unit_micro, price_list.currency))


def _product_fields(detail: ProductDetail) -> dict[str, object]:
    product = detail.product
    return {
        "id": product.id,
        "structure": product.structure,
        "parent_id": product.parent_id,
        "type": detail.type.code,
        "status": product.status,
        "variant_id": detail.variant.id if detail.variant else None,
        "sku": detail.variant.sku if detail.variant else None,
        "gtin": product.gtin,
        "title": product.title,
        "slug": product.slug,
        "description": product.description,
        "attributes": [
            AttributeOut(
                code=one.code,
                name=one.name,
                type=one.value_type,
                value=list(content) if isinstance(content, tuple) else content,
            )
            for one, content in detail.attributes
        ],
        "categories": [
            CategoryRef(
                id=line[-1].id,
                path="/".join(one.slug for one in line),
                names=[one.name for one in line],
            )
            for line in detail.lineages
        ],
        "images": [ImageOut(id=a.id, uri=a.uri, caption=a.caption) for a in product.assets],
        "options": [OptionOut.model_validate(o, from_attributes=True) for o in detail.options],
        "created_at": product.created_at,
        "updated_at": detail.stored.updated_at,
        "version": detail.stored.version,
    }
