"""What the use cases need from a legacy store and from whoever watches them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import AttributeDef, Category, Option, Product, ProductType, Variant
from new_core.domain.identity import ExternalRef
from new_core.domain.pricing import Price, PriceList
from new_core.domain.stock import StockLevel, Warehouse


class Kind(StrEnum):
    """What a backfill copies, in this order: each may point at what stands before it."""

    OPTION = "option"
    PRODUCT_TYPE = "product_type"
    ATTRIBUTE = "attribute"
    CATEGORY = "category"
    WAREHOUSE = "warehouse"
    PRODUCT = "product"
    VARIANT = "variant"

    @property
    def entity_type(self) -> str:
        """Under which name the core refers to it; variants are products there."""
        return "product" if self is Kind.VARIANT else self.value


@dataclass(frozen=True, slots=True)
class Supply:
    """A place that sells a product: its stock and its price."""

    external_id: str
    level: StockLevel
    price: Price
    price_list: PriceList


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product with all that belongs to it alone.

    Attributes:
        parts: names in the legacy of things inside it, e.g. images.
    """

    product: Product
    variant: Variant | None
    supplies: tuple[Supply, ...]
    parts: tuple[ExternalRef, ...]


Record = Option | ProductType | AttributeDef | Category | Warehouse | ProductRecord


@dataclass(frozen=True, slots=True)
class Need:
    """Something that must be in the core before a record can be."""

    what: str
    external_id: str
    internal_id: UUID


@dataclass(frozen=True, slots=True)
class Readable:
    """A legacy row, mapped."""

    record: Record
    internal_id: UUID
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A legacy row that cannot be mapped, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One legacy row of a page.

    Attributes:
        position: where the page stands after it; give it back to read on.
    """

    external_id: str
    position: str
    outcome: Readable | Unreadable


class CatalogSource(Protocol):
    """Catalogue, prices and stock of a legacy store, read-only and already mapped.

    Raises:
        LegacyUnavailable: from any call: the store did not answer; safe to try again.
        LegacyUnreadable: from any call: its tables are not those of such a store.
    """

    @property
    def system(self) -> str:
        """Name of the legacy in external references, e.g. "oscar"."""
        ...

    async def count(self, kind: Kind) -> int:
        """How many rows there are of a kind, now."""
        ...

    async def page(self, kind: Kind, after: str, size: int) -> tuple[Entry, ...]:
        """The next 1 to `size` rows in a fixed order; empty at the end.

        `after` is the position of the last entry of the page before, "" for the first page.
        """
        ...

    async def some(self, kind: Kind, external_ids: Collection[str]) -> tuple[Entry, ...]:
        """These rows as they are now; those that are gone are absent."""
        ...

    async def present(self, kind: Kind, external_ids: Collection[str]) -> frozenset[str]:
        """Which of these rows exist."""
        ...

    async def totals(self, without: Collection[str]) -> Mapping[str, int]:
        """Sums over the whole store by SQL of its own, products in `without` left out.

        Keys: products, stock_records, on_hand, reserved, price_micro.
        """
        ...


class Progress(Protocol):
    """Somebody who wants to know how far a long task is."""

    def begin(self, task: str, total: int, done: int) -> None:
        """A task starts, or goes on after `done` of `total`."""
        ...

    def advance(self, steps: int) -> None:
        """So many more are done."""
        ...
