"""The audit in tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.actor import Actor
from new_core.domain.events import AuditEntry
from new_core.storage.tables.audit import audit_entry


class SqlAudit:
    """Rows of the audit, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, entries: Sequence[AuditEntry], actor: Actor, now: datetime) -> None:
        rows = [
            {
                "at": now,
                "actor_kind": actor.kind.value,
                "actor_id": actor.id,
                "request_id": actor.request_id,
                "action": one.action,
                "entity": one.entity,
                "entity_id": one.entity_id,
                "before": _text(one.before),
                "after": _text(one.after),
                "reason": one.reason,
            }
            for one in entries
        ]
        if rows:
            await self._connection.execute(sa.insert(audit_entry), rows)


def _text(value: Mapping[str, object] | None) -> str | None:
    """One text per value: the hash is over these very characters."""
    if value is None:
        return None
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
