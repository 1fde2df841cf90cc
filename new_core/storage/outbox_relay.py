"""Events that are published: who has which in hand, and which left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.events import Told
from new_core.ports.outbox import Backlog
from new_core.storage.outbox_rows import backlog, told
from new_core.storage.statements import chunks
from new_core.storage.tables.outbox import outbox_aggregate, outbox_event

_E = outbox_event.c
_A = outbox_aggregate.c
_UNPUBLISHED = _E.published_at.is_(None)
_OF_EVENT = sa.tuple_(_E.aggregate_type, _E.aggregate_id)
_OF_AGGREGATE = sa.tuple_(_A.aggregate_type, _A.aggregate_id)


class OutboxRelay:
    """Rows of the outbox for those who publish them, in one transaction.

    What is claimed is the aggregate, not the event:

    1. One process claims events 1 to 3 of an order, 2. the order tells of 4, 3. another process
    claims 4, 4. and publishes it before the first has published 3.

    And it goes by a mark per row, not by a position, so a row that becomes visible late is
    published late, never passed over.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def has_unpublished(self) -> bool:
        found = await self._connection.execute(sa.select(_E.id).where(_UNPUBLISHED).limit(1))
        return found.first() is not None

    async def claim(
        self, claimer: UUID, now: datetime, until: datetime, limit: int
    ) -> tuple[Told, ...]:
        is_free = sa.or_(_A.claimed_until.is_(None), _A.claimed_until <= now)
        oldest = (
            sa.select(_E.aggregate_type, _E.aggregate_id)
            .join(
                outbox_aggregate,
                sa.and_(_A.aggregate_type == _E.aggregate_type, _A.aggregate_id == _E.aggregate_id),
            )
            .where(_UNPUBLISHED, is_free)
            .order_by(_E.id)
            .limit(limit)
        )
        wanted = {(row[0], row[1]) for row in await self._connection.execute(oldest)}
        if not wanted:
            return ()
        # A row that somebody holds is left to them: whoever waits here with rows in hand could
        # wait for one who waits for these.
        free = await self._connection.execute(
            sa.select(_A.aggregate_type, _A.aggregate_id)
            .where(_OF_AGGREGATE.in_(wanted), is_free)
            .with_for_update(skip_locked=True)
        )
        taken = [(row[0], row[1]) for row in free]
        if not taken:
            return ()
        await self._connection.execute(
            sa.update(outbox_aggregate)
            .where(_OF_AGGREGATE.in_(taken))
            .values(claimed_by=claimer, claimed_until=until)
        )
        found = await self._connection.execute(
            sa.select(outbox_event)
            .where(_UNPUBLISHED, _OF_EVENT.in_(taken))
            .order_by(_E.id)
            .limit(limit)
        )
        return tuple(told(row) for row in found.mappings())

    async def published(
        self, claimer: UUID, claimed: Sequence[Told], done: Collection[UUID], now: datetime
    ) -> None:
        for part in chunks(done):
            await self._connection.execute(
                sa.update(outbox_event).where(_E.event_id.in_(part)).values(published_at=now)
            )
        give_back = (
            sa.update(outbox_aggregate)
            .where(
                _A.aggregate_type == sa.bindparam("kind"),
                _A.aggregate_id == sa.bindparam("ident"),
                _A.claimed_by == claimer,
            )
            .values(claimed_by=None, claimed_until=None)
        )
        # One by one in sorted order, as writers take them; see SqlOutbox.flush.
        aggregates = sorted({(one.event.aggregate_type, one.event.aggregate_id) for one in claimed})
        if aggregates:
            await self._connection.execute(
                give_back, [{"kind": kind, "ident": ident} for kind, ident in aggregates]
            )

    async def unpublished(self) -> Backlog:
        return await backlog(self._connection, _UNPUBLISHED)
