"""Outbox in tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.actor import Actor
from new_core.domain.events import Event


class SqlOutbox:
    """Rows of outbox, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, events: Sequence[Event], actor: Actor, now: datetime) -> None:
        raise NotImplementedError
