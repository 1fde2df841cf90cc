"""Webhooks in tables."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection


class SqlWebhooks:
    """Rows of webhooks, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
