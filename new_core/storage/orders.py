"""Orders in tables."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.order import Order


class SqlOrders:
    """Rows of orders, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, order_id: UUID) -> Stored[Order] | None:
        raise NotImplementedError

    async def of_cart(self, cart_id: UUID) -> Stored[Order] | None:
        raise NotImplementedError

    async def locked(self, order_id: UUID) -> Stored[Order] | None:
        raise NotImplementedError

    async def put(self, order: Order, now: datetime) -> Stored[Order]:
        raise NotImplementedError

    async def next_number(self, series: str) -> str:
        raise NotImplementedError
