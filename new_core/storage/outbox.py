"""Events on their way out, in tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.actor import Actor
from new_core.domain.events import Event, Told
from new_core.ports.outbox import Backlog, EventQuery
from new_core.storage.ids import new_id
from new_core.storage.outbox_readers import OutboxReaders
from new_core.storage.outbox_relay import OutboxRelay
from new_core.storage.tables.outbox import outbox_aggregate, outbox_event

_Aggregate = tuple[str, UUID]


class SqlOutbox:
    """Rows of the outbox, in one transaction: written here, read and published beside."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._told: list[dict[str, Any]] = []
        self._readers = OutboxReaders(connection)
        self._relay = OutboxRelay(connection)

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

    async def number(self, limit: int) -> int:
        return await self._readers.number(limit)

    async def page(self, query: EventQuery) -> tuple[Told, ...]:
        return await self._readers.page(query)

    async def by_id(self, event_ids: Collection[UUID]) -> dict[UUID, Told]:
        return await self._readers.by_id(event_ids)

    async def has_unread(self, reader: str) -> bool:
        return await self._readers.has_unread(reader)

    async def unread(self, reader: str, limit: int) -> tuple[Told, ...]:
        return await self._readers.unread(reader, limit)

    async def passed(self, reader: str, seq: int) -> None:
        await self._readers.passed(reader, seq)

    async def first_time(self, consumer: str, event_id: UUID, now: datetime) -> bool:
        return await self._readers.first_time(consumer, event_id, now)

    async def has_unpublished(self) -> bool:
        return await self._relay.has_unpublished()

    async def claim(
        self, claimer: UUID, now: datetime, until: datetime, limit: int
    ) -> tuple[Told, ...]:
        return await self._relay.claim(claimer, now, until, limit)

    async def published(
        self, claimer: UUID, claimed: Sequence[Told], done: Collection[UUID], now: datetime
    ) -> None:
        await self._relay.published(claimer, claimed, done, now)

    async def unpublished(self) -> Backlog:
        return await self._relay.unpublished()

    async def unnumbered(self) -> Backlog:
        return await self._readers.unnumbered()

    async def forget(self, before: datetime, limit: int, *, bus: bool) -> int:
        return await self._readers.forget(before, limit, bus=bus)


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
