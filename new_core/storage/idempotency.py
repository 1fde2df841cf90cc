"""Idempotency in tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.ports.idempotency import KeptAnswer, RequestKey


class SqlIdempotency:
    """Rows of idempotency, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(
        self, request: RequestKey, now: datetime, *, locked_until: datetime, expires_at: datetime
    ) -> KeptAnswer | None:
        raise NotImplementedError

    async def finish(self, request: RequestKey, answer: KeptAnswer, now: datetime) -> None:
        raise NotImplementedError

    async def forget(self, request: RequestKey) -> None:
        raise NotImplementedError
