"""What the catalogue's use cases need."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.assortment import EVERYTHING, Visible
from new_core.domain.catalog import (
    AttributeDef,
    BundleComponent,
    Category,
    Option,
    Product,
    ProductSummary,
    ProductType,
    Reference,
    Status,
    Stored,
    Structure,
    Variant,
)


@dataclass(frozen=True, slots=True)
class ProductQuery:
    """Which products a page holds, ascending by (updated_at, id).

    Attributes:
        after: the last (updated_at, id) of the page before.
        status: None takes every status.
        category_ids: products of any of them; None does not filter, empty finds nothing.
        sku: the variant's, or that of any place that stocks it.
    """

    limit: int
    after: tuple[datetime, UUID] | None = None
    status: Status | None = None
    category_ids: tuple[UUID, ...] | None = None
    sku: str | None = None
    visible: Visible = EVERYTHING
    updated_since: datetime | None = None


class CatalogStore(Protocol):
    """Products and what they point at."""

    async def reference(self) -> Reference:
        """All types, attributes, options and categories, as of this transaction."""
        ...

    async def products(self, ids: Collection[UUID]) -> dict[UUID, Stored[Product]]:
        """Products by id; unknown ids are absent."""
        ...

    async def family(self, product_id: UUID) -> dict[UUID, Stored[Product]]:
        """The product, the one that gathers it and those it gathers; empty when unknown."""
        ...

    async def with_children(self, ids: Collection[UUID]) -> dict[UUID, Stored[Product]]:
        """These products and those that they gather; unknown ids are absent."""
        ...

    async def page(self, query: ProductQuery) -> tuple[Stored[Product], ...]:
        """At most `query.limit` products, in the query's order."""
        ...

    async def summaries(self, structure: Structure | None) -> tuple[ProductSummary, ...]:
        """Every product in short, newest first."""
        ...

    async def summaries_of(self, ids: Collection[UUID]) -> tuple[ProductSummary, ...]:
        """These products in short, newest first; unknown ids are absent."""
        ...

    async def variants(self, product_ids: Collection[UUID]) -> dict[UUID, Variant]:
        """Variants by product id."""
        ...

    async def components(
        self, variant_ids: Collection[UUID]
    ) -> dict[UUID, tuple[BundleComponent, ...]]:
        """What bundles are made of, ascending by component; what is none is absent."""
        ...

    async def put_components(
        self, variant_id: UUID, components: Sequence[BundleComponent], now: datetime
    ) -> None:
        """Make a variant a bundle of these, or no bundle when there are none.

        Raises:
            InvalidValue: one of them is a bundle, or the variant is in another bundle.
        """
        ...

    async def lock(self, product_id: UUID) -> None:
        """Nobody else writes this product until this transaction ends; there need be none."""
        ...

    async def put_types(self, types: Sequence[ProductType], now: datetime) -> None: ...
    async def put_attributes(self, defs: Sequence[AttributeDef], now: datetime) -> None: ...
    async def put_options(self, options: Sequence[Option], now: datetime) -> None: ...
    async def put_categories(self, categories: Sequence[Category], now: datetime) -> None: ...
    async def put_products(self, products: Sequence[Product], now: datetime) -> None: ...
    async def put_variants(self, variants: Sequence[Variant], now: datetime) -> None: ...
    async def delete(self, entity_type: str, ids: Collection[UUID]) -> None:
        """Delete things of one kind with all that hangs on them; unknown ids are fine.

        Raises:
            InvalidValue: something else still points at one of them.
        """
        ...
