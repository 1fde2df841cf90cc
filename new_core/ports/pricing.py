"""What the use cases of prices need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from new_core.domain.pricing import Price, PriceList


class PricingStore(Protocol):
    """Price lists and prices."""

    async def price_lists(self) -> tuple[PriceList, ...]:
        """All lists, ascending by code."""
        ...

    async def put_price_lists(self, lists: Sequence[PriceList], now: datetime) -> None: ...
    async def put_prices(self, prices: Sequence[Price], now: datetime) -> None: ...
