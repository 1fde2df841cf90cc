"""Customers in tables."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer


class SqlCustomers:
    """Rows of customers, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, customer_id: UUID) -> Stored[Customer] | None:
        raise NotImplementedError

    async def by_email(self, email: str) -> Stored[Customer] | None:
        raise NotImplementedError

    async def put(self, customer: Customer, now: datetime) -> Stored[Customer]:
        raise NotImplementedError
