"""What the services need from the outside, as they see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from new_core.domain.catalog import (
    AttributeDef,
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
from new_core.domain.identity import ExternalRef
from new_core.domain.pricing import Listed, Price, PriceList
from new_core.domain.stock import StockLevel, Warehouse

Clock = Callable[[], datetime]
"""Gives the time, aware and in UTC."""


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
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class StockQuery:
    """Which stock levels a page holds, ascending by id."""

    limit: int
    after: UUID | None = None
    sku: str | None = None
    warehouse_code: str | None = None


@dataclass(frozen=True, slots=True)
class StockLine:
    """A stock level with the price that is bound to it, if any."""

    level: Stored[StockLevel]
    listed: Listed | None


@dataclass(frozen=True, slots=True)
class Sellable:
    """All that price and availability of one product depend on.

    Attributes:
        variant: None for a product that only gathers others.
        track_stock: None when its type is not known.
        lines: ascending by rank.
        prices: of the variant, bound to a place or not.
    """

    product_id: UUID
    variant: Variant | None
    track_stock: bool | None
    lines: tuple[StockLine, ...]
    prices: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Parked:
    """A row of another system that the core could not take.

    Attributes:
        reason: one sentence that names the field and the way out.
    """

    system: str
    entity_type: str
    external_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportCursor:
    """How far an import has come; moved in the transaction of the rows it speaks of.

    Attributes:
        position: opaque to the core, non-empty once a row was read.
        finished: whether the run came to its end.
    """

    stream: str
    position: str
    finished: bool


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


class PricingStore(Protocol):
    """Price lists and prices."""

    async def price_lists(self) -> tuple[PriceList, ...]:
        """All lists, ascending by code."""
        ...

    async def put_price_lists(self, lists: Sequence[PriceList], now: datetime) -> None: ...
    async def put_prices(self, prices: Sequence[Price], now: datetime) -> None: ...


class StockStore(Protocol):
    """Warehouses and what lies in them."""

    async def warehouses(self) -> dict[UUID, Warehouse]:
        """All warehouses by id."""
        ...

    async def sellable(self, product_id: UUID) -> Sellable | None:
        """What price and availability depend on; None when there is no such product."""
        ...

    async def lines(self, product_ids: Collection[UUID]) -> dict[UUID, tuple[StockLine, ...]]:
        """Stock by product id, ascending by rank; products without any are absent."""
        ...

    async def levels(self, ids: Collection[UUID]) -> dict[UUID, StockLine]:
        """Stock levels by their own id; unknown ids are absent."""
        ...

    async def locked(self, stock_id: UUID) -> StockLine | None:
        """A stock level that nobody else changes until this transaction ends."""
        ...

    async def product_of(self, variant_id: UUID) -> UUID:
        """The product that a variant is the sold form of.

        Raises:
            NotFound: there is no such variant.
        """
        ...

    async def page(self, query: StockQuery) -> tuple[StockLine, ...]:
        """At most `query.limit` stock levels, ascending by id."""
        ...

    async def put_warehouses(self, warehouses: Sequence[Warehouse], now: datetime) -> None: ...
    async def put_levels(self, levels: Sequence[StockLevel], now: datetime) -> None: ...


class RefStore(Protocol):
    """Who is who in other systems."""

    async def internal(
        self, system: str, entity_type: str, external_ids: Collection[str]
    ) -> dict[str, ExternalRef]:
        """References by external id; unknown and removed ones are absent."""
        ...

    async def external(self, system: str, internal_ids: Collection[UUID]) -> dict[UUID, str]:
        """External ids by internal id; unknown and removed ones are absent."""
        ...

    async def every(self, system: str, entity_type: str) -> dict[UUID, str]:
        """All external ids of a type by internal id, without removed ones; may be large."""
        ...

    async def page(
        self, system: str, entity_type: str, after: str, limit: int
    ) -> tuple[ExternalRef, ...]:
        """Living references, ascending by external id as text."""
        ...

    async def put(self, refs: Sequence[ExternalRef], now: datetime) -> None:
        """Write references; a removed one comes back to life."""
        ...

    async def bury(self, system: str, internal_ids: Collection[UUID], now: datetime) -> None:
        """Mark references as removed; the row stays as a tombstone."""
        ...


class ImportStore(Protocol):
    """Where imports stand and what they could not take."""

    async def cursor(self, stream: str) -> ImportCursor | None: ...
    async def move_cursor(self, seen: ImportCursor | None, to: ImportCursor, now: datetime) -> None:
        """Move a cursor from where the caller saw it.

        Raises:
            CursorMoved: somebody else moved it since.
        """
        ...

    async def park(self, rows: Sequence[Parked], now: datetime) -> None: ...
    async def unpark(
        self, system: str, entity_type: str, external_ids: Collection[str]
    ) -> None: ...
    async def parked(self, system: str, limit: int) -> tuple[Parked, ...]:
        """Parked rows, by type and id."""
        ...

    async def parked_ids(self, system: str, entity_type: str) -> frozenset[str]: ...

    async def counts(self, system: str) -> Mapping[str, int]:
        """How many rows in the core's tables came from a system, by entity type, without
        those that are parked now.
        """
        ...

    async def totals(self, system: str) -> Mapping[str, int]:
        """Sums over what came from a system, by SQL of its own; parked products left out.

        Keys: products, stock_records, on_hand, reserved, price_micro.
        """
        ...


class UnitOfWork(Protocol):
    """One transaction. Leaving without `commit()` rolls back, error or not.

    All reads in it see one state of the database. Not shared: one task, one unit of work,
    entered once.

    Raises:
        StoreUnavailable: from any call, when the database does not answer.
    """

    @property
    def catalog(self) -> CatalogStore: ...
    @property
    def pricing(self) -> PricingStore: ...
    @property
    def stock(self) -> StockStore: ...
    @property
    def refs(self) -> RefStore: ...
    @property
    def imports(self) -> ImportStore: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    async def commit(self) -> None: ...


class Database(Protocol):
    """Makes units of work."""

    def reading(self) -> UnitOfWork:
        """A transaction that only reads, of one snapshot, and blocks no writer."""
        ...

    def writing(self) -> UnitOfWork:
        """A transaction that may write."""
        ...

    def dry_run(self) -> AbstractAsyncContextManager[None]:
        """All units of work that this block and its tasks open become one transaction, which
        is rolled back at the end whatever they commit. Effects are off in it.

        Raises:
            DryRunStrayed: something in it wanted to leave that transaction; nothing stays.
            DryRunNotTakenBack: nobody can tell that nothing stays.
        """
        ...

    async def check(self) -> None:
        """Ask the database whether it answers and has this program's tables.

        Raises:
            StoreUnavailable: it does not answer.
            SchemaMismatch: its tables are older or newer.
        """
        ...
