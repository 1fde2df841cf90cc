"""What the use cases of prices need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.buyer import Buyer
from new_core.domain.pricing import Entitled, Price, PriceList


class PricingStore(Protocol):
    """Price lists and prices."""

    async def price_lists(self) -> tuple[PriceList, ...]:
        """All lists, ascending by code."""
        ...

    async def entitled(self, buyer: Buyer) -> tuple[Entitled, ...]:
        """The lists in the buyer's currency that hold for them, and why; each once, with the
        strongest reason.
        """
        ...

    async def prices(
        self, list_ids: Collection[UUID], variant_ids: Collection[UUID]
    ) -> Mapping[UUID, Sequence[Price]]:
        """The prices of variants in these lists, by variant."""
        ...

    async def places(self, variant_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        """The stock level that each variant is sold from; those without any are absent."""
        ...

    async def put_price_lists(self, lists: Sequence[PriceList], now: datetime) -> None: ...
    async def put_prices(self, prices: Sequence[Price], now: datetime) -> None: ...
