"""Payments in tables."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection


class SqlPayments:
    """Rows of payments, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
