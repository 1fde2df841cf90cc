"""Audit in tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.actor import Actor
from new_core.domain.events import AuditEntry


class SqlAudit:
    """Rows of audit, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, entries: Sequence[AuditEntry], actor: Actor, now: datetime) -> None:
        raise NotImplementedError
