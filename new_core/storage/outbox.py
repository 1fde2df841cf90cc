"""Events on their way out, in tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.actor import Actor
from new_core.domain.events import Event
from new_core.storage.ids import new_id
from new_core.storage.tables.outbox import outbox_aggregate, outbox_event

_Aggregate = tuple[str, UUID]


class SqlOutbox:
    """Rows of the outbox, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._told: list[dict[str, Any]] = []

    async def add(self, events: Sequence[Event], actor: Actor, now: datetime) -> None:
        self._told += [_row(one, actor, now) for one in events]

    async def flush(self) -> None:
        """Write what was told; the unit of work does this right before it commits.

        1. One transaction tells of a cart and then of an order, 2. another one of that order
        and then of that cart, 3. each waits for the other's place in line. So the places are
        taken last of all and in sorted order: whoever holds one waits for nothing else.
        """
        told, self._told = self._told, []
        if not told:
            return
        by_aggregate: defaultdict[_Aggregate, list[dict[str, Any]]] = defaultdict(list)
        for row in told:
            by_aggregate[row["aggregate_type"], row["aggregate_id"]].append(row)
        last = await self._take_places({one: len(rows) for one, rows in by_aggregate.items()})
        for aggregate, rows in by_aggregate.items():
            first = last[aggregate] - len(rows) + 1
            for place, row in enumerate(rows, first):
                row["aggregate_seq"] = place
        await self._connection.execute(sa.insert(outbox_event), told)

    async def _take_places(self, wanted: dict[_Aggregate, int]) -> dict[_Aggregate, int]:
        """The last place per aggregate, after as many as are wanted; the rows stay locked until
        the commit, so an aggregate's events become visible in their order.
        """
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        insert = make(outbox_aggregate)
        statement = insert.on_conflict_do_update(
            index_elements=["aggregate_type", "aggregate_id"],
            set_={"last_seq": outbox_aggregate.c.last_seq + insert.excluded.last_seq},
        ).returning(
            outbox_aggregate.c.aggregate_type,
            outbox_aggregate.c.aggregate_id,
            outbox_aggregate.c.last_seq,
        )
        rows = [
            {"aggregate_type": kind, "aggregate_id": ident, "last_seq": wanted[kind, ident]}
            for kind, ident in sorted(wanted)
        ]
        found = await self._connection.execute(statement, rows)
        return {(row.aggregate_type, row.aggregate_id): row.last_seq for row in found}


def _row(event: Event, actor: Actor, now: datetime) -> dict[str, Any]:
    return {
        "event_id": new_id(),
        "type": event.type,
        "aggregate_type": event.aggregate_type,
        "aggregate_id": event.aggregate_id,
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "correlation_id": actor.request_id,
        "causation_id": event.caused_by,
        "occurred_at": now,
        "data": json.dumps(dict(event.data), separators=(",", ":"), allow_nan=False),
    }
