"""What the warehouse's use cases need."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.actor import Actor
from new_core.domain.catalog import (
    Stored,
    Variant,
)
from new_core.domain.pricing import Listed
from new_core.domain.stock import Site, StockLevel, StockPolicy, Warehouse
from new_core.domain.stock_movement import Movement
from new_core.domain.stock_plan import Shelf, VariantSupply


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
    policy: StockPolicy = field(default_factory=StockPolicy)


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse with what is known of its site."""

    warehouse: Warehouse
    site: Site


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

    async def supplies(
        self, variant_ids: Collection[UUID], *, lock: bool = False
    ) -> dict[UUID, VariantSupply]:
        """All places of these variants; unknown ids are absent.

        With `lock` nobody else changes these levels until the transaction ends. They are
        locked in ascending (variant, warehouse) order, so lock all that is needed at once.
        """
        ...

    async def shelves(self, ids: Collection[UUID]) -> dict[UUID, Shelf]:
        """Levels by their own id, locked as `supplies` locks; unknown ids are absent."""
        ...

    async def book(self, movements: Sequence[Movement], actor: Actor, now: datetime) -> None:
        """Move units, each level by one conditional update, and write the movements down.

        Movements on one level become one update of their sum.

        Raises:
            Conflict: "stock_moved": a level has not that many units to give or to take back;
                nothing was moved that the caller may commit.
        """
        ...

    async def page(self, query: StockQuery) -> tuple[StockLine, ...]:
        """At most `query.limit` stock levels, ascending by id."""
        ...

    async def count(
        self, level: StockLevel, on_hand: int | None, actor: Actor, now: datetime
    ) -> None:
        """Put down what was found on a locked shelf against what the book said."""
        ...

    async def add_level(
        self, level: StockLevel, policy: StockPolicy, actor: Actor, now: datetime
    ) -> bool:
        """Begin to stock a variant in a place; False when a level of that id is there."""
        ...

    async def put_policy(self, stock_id: UUID, policy: StockPolicy, now: datetime) -> None:
        """Change how far a locked level may be promised."""
        ...

    async def places(
        self, ids: Collection[UUID] | None = None, *, lock: bool = False
    ) -> tuple[Stored[Place], ...]:
        """Warehouses with their sites, ascending by code; all of them without ids. With `lock`
        nobody else changes them until the transaction ends.
        """
        ...

    async def put_place(self, place: Place, now: datetime) -> None: ...
    async def drop_place(self, warehouse_id: UUID) -> bool:
        """Forget a warehouse in which nothing was ever stocked; False when something was."""
        ...

    async def retire(self, ids: Collection[UUID], now: datetime) -> frozenset[UUID]:
        """Of these levels, stop counting those that ever were promised to somebody, and give
        them: what orders point at is not deleted, and nothing more is promised from it.
        """
        ...

    async def put_warehouses(self, warehouses: Sequence[Warehouse], now: datetime) -> None:
        """Write warehouses as another system has them; sites stay."""
        ...

    async def put_levels(self, levels: Sequence[StockLevel], now: datetime) -> None:
        """Write levels as another system has them: `reserved` is what that system promised,
        and what is promised here comes on top. How far they may be promised stays.
        """
        ...
