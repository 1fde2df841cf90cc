"""Shipping in tables."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection


class SqlShipping:
    """Rows of shipping, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
