"""What is sold: types, attributes, categories, products and their variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from new_core.errors import InvalidValue

T = TypeVar("T")

PATH_STEP = 4
"""Characters of a category path per level."""

LONGEST_PATH = 255
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE = len(_DIGITS)

AttributeScalar = str | int | float | bool | None
AttributeContent = AttributeScalar | tuple[str, ...]


class Structure(StrEnum):
    """Whether a product stands alone, gathers variants, or is one of them."""

    STANDALONE = "standalone"
    PARENT = "parent"
    VARIANT = "variant"


class Status(StrEnum):
    """Whether shoppers may find a product."""

    DRAFT = "draft"
    PUBLISHED = "published"


class ValueType(StrEnum):
    """What an attribute holds.

    Dates and times are ISO 8601 text, a choice is its label, files and images are
    paths below the shop's media folder.
    """

    TEXT = "text"
    RICHTEXT = "richtext"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    CHOICES = "choices"
    FILE = "file"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class ProductType:
    """A kind of product, e.g. "book".

    Attributes:
        track_stock: False for what never runs out, e.g. downloads.
        option_ids: what a shopper may ask for with every product of this type.
    """

    id: UUID
    code: str
    name: str
    requires_shipping: bool
    track_stock: bool
    option_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class AttributeDef:
    """A property that products may have, with its type."""

    id: UUID
    type_id: UUID | None
    code: str
    name: str
    value_type: ValueType
    required: bool


@dataclass(frozen=True, slots=True)
class Option:
    """Something a shopper decides when buying, e.g. a gift message.

    Attributes:
        kind: how it is asked for, e.g. "text".
        rank: ascending; None comes first.
    """

    id: UUID
    code: str
    name: str
    kind: str
    required: bool
    help_text: str | None
    rank: int | None


@dataclass(frozen=True, slots=True)
class Category:
    """A shelf of the shop.

    Attributes:
        path: PATH_STEP characters per level; its text order is the order of display, and a
            category's path starts with that of the category above it.
        image: path below the shop's media folder.
        listed: whether menus show it.
        ancestors_published: whether every category above it is published.
    """

    id: UUID
    parent_id: UUID | None
    path: str
    code: str | None
    slug: str
    name: str
    description: str
    long_description: str
    seo_title: str | None
    seo_description: str | None
    image: str | None
    listed: bool
    published: bool
    ancestors_published: bool


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """One property of one product."""

    attribute_id: UUID
    content: AttributeContent


@dataclass(frozen=True, slots=True)
class Asset:
    """An image of a product.

    Attributes:
        uri: path below the shop's media folder.
        rank: ascending; the first is the primary one.
    """

    id: UUID
    uri: str
    caption: str
    rank: int
    code: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Another product that goes with this one; higher ranks are shown first."""

    product_id: UUID
    rank: int


@dataclass(frozen=True, slots=True)
class Product:
    """What a shopper reads about something on sale.

    Attributes:
        parent_id: of a variant, the product that gathers it.
        type_id: None for a variant, which has its parent's.
        attributes: own ones, in order of display; a variant inherits the rest.
        assets: ascending by rank.
        created_at: when the product first existed, here or in the shop before.
    """

    id: UUID
    structure: Structure
    parent_id: UUID | None
    type_id: UUID | None
    status: Status
    code: str | None
    gtin: str | None
    title: str
    slug: str
    description: str
    seo_title: str | None
    seo_description: str | None
    discountable: bool
    priority: int
    created_at: datetime
    attributes: tuple[AttributeValue, ...] = ()
    category_ids: tuple[UUID, ...] = ()
    assets: tuple[Asset, ...] = ()
    option_ids: tuple[UUID, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """What is put into a cart: a product in the form in which it is stocked and priced.

    Attributes:
        sku: the seller's key of the place it is sold from. Two suppliers may use one SKU
            for two things, so it finds variants but does not identify one.
    """

    id: UUID
    product_id: UUID
    sku: str | None


@dataclass(frozen=True, slots=True)
class BundleComponent:
    """One of the things that a bundle is made of.

    Attributes:
        quantity: units of it in one bundle, at least 1.
    """

    variant_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A value as the database has it.

    Attributes:
        version: 1 when first written, one more with every change.
        updated_at: when the core last wrote it.
    """

    value: T
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ProductSummary:
    """A line of a long list."""

    id: UUID
    title: str
    gtin: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Reference:
    """What products point at: small, rarely changed, read with every product.

    Attributes:
        categories_by_path: ascending by path.
    """

    types: Mapping[UUID, ProductType]
    attributes: Mapping[UUID, AttributeDef]
    options: Mapping[UUID, Option]
    categories: Mapping[UUID, Category]
    categories_by_path: Mapping[str, Category]

    def lineage(self, category: Category) -> tuple[Category, ...]:
        """The category and those above it, from the top."""
        steps = range(PATH_STEP, len(category.path) + 1, PATH_STEP)
        found = (self.categories_by_path.get(category.path[:end]) for end in steps)
        return tuple(one for one in found if one is not None)

    def slug_path(self, category: Category) -> str:
        """The slugs from the top, e.g. "books/fiction"."""
        return "/".join(one.slug for one in self.lineage(category))

    def children(self, category: Category | None) -> tuple[Category, ...]:
        """The categories right below one, or the top ones, in order of display."""
        above = category.path if category else ""
        wanted = len(above) + PATH_STEP
        return tuple(
            one
            for path, one in self.categories_by_path.items()
            if len(path) == wanted and path.startswith(above)
        )

    def by_slug_path(self, slugs: str) -> Category | None:
        """The category that a path of slugs leads to; None when there is no such one."""
        here: Category | None = None
        for slug in slugs.split("/"):
            here = next((one for one in self.children(here) if one.slug == slug.strip()), None)
            if here is None:
                return None
        return here

    def options_of(self, product_type: ProductType, own: tuple[UUID, ...]) -> tuple[Option, ...]:
        """What a shopper may ask for with a product: its type's options and its own."""
        chosen = {one: self.options[one] for one in (*product_type.option_ids, *own)}
        return tuple(sorted(chosen.values(), key=_option_order))


def inherited(
    own: tuple[AttributeValue, ...],
    parent: tuple[AttributeValue, ...],
    reference: Reference,
) -> tuple[AttributeValue, ...]:
    """A variant's attributes: its own, then those of its parent that it does not override.

    Overriding goes by code, since parent and variant may use two definitions of one property.
    """
    taken = {reference.attributes[one.attribute_id].code for one in own}
    rest = (one for one in parent if reference.attributes[one.attribute_id].code not in taken)
    return (*own, *rest)


def _option_order(option: Option) -> tuple[bool, int, str]:
    return option.rank is not None, option.rank or 0, option.name


def next_path(parent: Category | None, siblings: Sequence[Category]) -> str:
    """The path of a new last child: base 36 digits and capitals, as long as every step.

    Raises:
        InvalidValue: there are as many siblings as paths, or it would be too deep.
    """
    above = parent.path if parent else ""
    last = max((one.path[-PATH_STEP:] for one in siblings), default="0" * PATH_STEP)
    number = int(last, _BASE) + 1
    if number >= _BASE**PATH_STEP or len(above) + PATH_STEP > LONGEST_PATH:
        raise InvalidValue("parent_id", "has no room below it")
    digits = ""
    for _ in range(PATH_STEP):
        number, digit = divmod(number, _BASE)
        digits = _DIGITS[digit] + digits
    return above + digits
