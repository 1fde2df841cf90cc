"""What the use cases of prices need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.buyer import Buyer
from new_core.domain.catalog import Stored
from new_core.domain.pricing import Assignment, Entitled, Price, PriceContract, PriceList
from new_core.domain.promotions_when import ItemFacts


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """Which prices of a list a page holds, ascending by id."""

    price_list_id: UUID
    limit: int
    after: UUID | None = None
    variant_id: UUID | None = None


class PricingStore(Protocol):
    """Price lists, prices, and whom they are for."""

    async def price_lists(self) -> tuple[PriceList, ...]:
        """All lists, ascending by code."""
        ...

    async def price_list(self, list_id: UUID) -> Stored[PriceList] | None:
        """A list; None when there is none."""
        ...

    async def locked_list(self, list_id: UUID) -> Stored[PriceList] | None:
        """A list that nobody else changes until this transaction ends."""
        ...

    async def children(self, list_id: UUID) -> tuple[PriceList, ...]:
        """The lists that take prices over from this one."""
        ...

    async def entitled(self, buyer: Buyer, at: datetime) -> tuple[Entitled, ...]:
        """The lists in the buyer's currency that hold for them, and why; each once, with the
        strongest reason.
        """
        ...

    async def prices(
        self, list_ids: Collection[UUID], variant_ids: Collection[UUID]
    ) -> Mapping[UUID, Sequence[Price]]:
        """The prices of variants in these lists, by variant."""
        ...

    async def price_page(self, query: PriceQuery) -> tuple[Stored[Price], ...]:
        """At most `query.limit` prices, ascending by id."""
        ...

    async def places(self, variant_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        """The stock level that each variant is sold from; those without any are absent."""
        ...

    async def variants_of_places(self, place_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        """The variant that lies at each stock level; unknown ones are absent."""
        ...

    async def facts(self, variant_ids: Collection[UUID]) -> Mapping[UUID, ItemFacts]:
        """What promotions and taxes ask about variants; unknown ones are absent. Categories
        are those that products stand in, without the ones above.
        """
        ...

    async def assignments(self, list_id: UUID) -> tuple[Assignment, ...]:
        """Whom a list is assigned to, ascending by scope and key."""
        ...

    async def contracts(
        self, account_id: UUID | None, after: UUID | None, limit: int
    ) -> tuple[Stored[PriceContract], ...]:
        """Contracts of an account, or of all, ascending by id."""
        ...

    async def contract(
        self, contract_id: UUID, *, lock: bool = False
    ) -> Stored[PriceContract] | None:
        """A contract; None when there is none. `lock` keeps others from changing it until this
        transaction ends.
        """
        ...

    async def beginning(self, at: datetime, limit: int) -> tuple[PriceList, ...]:
        """Lists in force whose beginning was not told, claimed for whoever tells of it."""
        ...

    async def put_price_lists(self, lists: Sequence[PriceList], now: datetime) -> None: ...
    async def put_prices(self, prices: Sequence[Price], now: datetime) -> None: ...
    async def put_assignments(self, some: Sequence[Assignment], now: datetime) -> None: ...
    async def put_contract(self, contract: PriceContract, now: datetime) -> None:
        """Write a contract.

        Raises:
            InvalidValue: another one has its number.
        """
        ...

    async def delete_prices(self, list_id: UUID, price_ids: Collection[UUID]) -> int:
        """Delete prices of a list; gives how many there were."""
        ...

    async def delete_assignment(self, list_id: UUID, assignment_id: UUID) -> bool: ...
    async def delete_contract(self, contract_id: UUID) -> bool: ...
