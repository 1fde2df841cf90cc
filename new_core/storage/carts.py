"""Carts in tables."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.cart import Cart
from new_core.domain.catalog import Stored


class SqlCarts:
    """Rows of carts, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, cart_id: UUID) -> Stored[Cart] | None:
        raise NotImplementedError

    async def locked(self, cart_id: UUID) -> Stored[Cart] | None:
        raise NotImplementedError

    async def put(self, cart: Cart, now: datetime) -> Stored[Cart]:
        raise NotImplementedError
