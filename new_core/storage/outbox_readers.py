"""Events in an order that readers can rely on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.events import Told
from new_core.ports.outbox import Backlog, EventQuery
from new_core.storage.outbox_rows import backlog, told
from new_core.storage.statements import chunks
from new_core.storage.tables.outbox import inbox, outbox_event, outbox_reader
from new_core.storage.tables.webhooks import webhook_delivery

_E = outbox_event.c
_R = outbox_reader.c
_NUMBERS = "numbers"


class OutboxReaders:
    """Rows of the outbox for those who read them, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def number(self, limit: int) -> int:
        # 1. One transaction writes row 7 and stays open, 2. another writes row 8 and commits,
        # 3. a reader sees 8 and remembers it, 4. the first commits: a reader that goes by the
        # row's id never sees 7. So numbers are given afterwards, to what is committed, by one
        # transaction at a time: whoever sees number n sees all below.
        base = await self._held(_NUMBERS)
        if base is None:
            return 0
        due = (
            sa.select(_E.id, sa.func.row_number().over(order_by=_E.id).label("place"))
            .where(_E.seq.is_(None))
            .order_by(_E.id)
            .limit(limit)
            .subquery()
        )
        done = await self._connection.execute(
            sa.update(outbox_event).where(_E.id == due.c.id).values(seq=due.c.place + base)
        )
        if done.rowcount:
            await self.passed(_NUMBERS, base + done.rowcount)
        return done.rowcount

    async def _held(self, reader: str) -> int | None:
        """Where a reader stands, and nobody else is it until the transaction ends; None while
        somebody else is.
        """
        place = sa.select(_R.seq).where(_R.name == reader)
        held = place.with_for_update(skip_locked=True)
        seq: int | None = (await self._connection.execute(held)).scalar_one_or_none()
        if seq is None and (await self._connection.execute(place)).scalar_one_or_none() is None:
            make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
            await self._connection.execute(
                make(outbox_reader).on_conflict_do_nothing(), {"name": reader, "seq": 0}
            )
            seq = (await self._connection.execute(held)).scalar_one_or_none()
        return seq

    async def page(self, query: EventQuery) -> tuple[Told, ...]:
        wanted = sa.select(outbox_event).where(_E.seq > query.after)
        if query.type is not None:
            wanted = wanted.where(_is_of(query.type))
        if query.aggregate_id is not None:
            wanted = wanted.where(_E.aggregate_id == query.aggregate_id)
        found = await self._connection.execute(wanted.order_by(_E.seq).limit(query.limit))
        return tuple(told(row) for row in found.mappings())

    async def by_id(self, event_ids: Collection[UUID]) -> dict[UUID, Told]:
        known: dict[UUID, Told] = {}
        for part in chunks(event_ids):
            found = await self._connection.execute(
                sa.select(outbox_event).where(_E.event_id.in_(part))
            )
            known |= {row["event_id"]: told(row) for row in found.mappings()}
        return known

    async def has_unread(self, reader: str) -> bool:
        place = sa.select(_R.seq).where(_R.name == reader).scalar_subquery()
        found = sa.select(_E.seq).where(_E.seq > sa.func.coalesce(place, 0)).limit(1)
        return (await self._connection.execute(found)).first() is not None

    async def unread(self, reader: str, limit: int) -> tuple[Told, ...]:
        after = await self._held(reader)
        return () if after is None else await self.page(EventQuery(after, limit))

    async def passed(self, reader: str, seq: int) -> None:
        await self._connection.execute(
            sa.update(outbox_reader).where(_R.name == reader).values(seq=seq)
        )

    async def first_time(self, consumer: str, event_id: UUID, now: datetime) -> bool:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        done = await self._connection.execute(
            make(inbox).on_conflict_do_nothing(),
            {"consumer": consumer, "event_id": event_id, "handled_at": now},
        )
        return done.rowcount == 1

    async def unnumbered(self) -> Backlog:
        return await backlog(self._connection, _E.seq.is_(None))

    async def forget(self, before: datetime, limit: int, *, bus: bool) -> int:
        await self._connection.execute(sa.delete(inbox).where(inbox.c.handled_at < before))
        slowest = sa.select(sa.func.min(_R.seq)).scalar_subquery()
        waiting = sa.select(webhook_delivery.c.event_id).where(
            webhook_delivery.c.state == "pending", webhook_delivery.c.event_id == _E.event_id
        )
        due = sa.select(_E.id).where(_E.occurred_at < before, _E.seq <= slowest, ~waiting.exists())
        if bus:
            due = due.where(_E.published_at.is_not(None))
        done = await self._connection.execute(
            sa.delete(outbox_event).where(_E.id.in_(due.order_by(_E.id).limit(limit)))
        )
        return done.rowcount


def _is_of(wanted: str) -> sa.ColumnElement[bool]:
    """Whether an event's type is the wanted one, or begins as it does before its star."""
    start, star, _ = wanted.partition("*")
    return _E.type.startswith(start, autoescape=True) if star else _E.type == wanted
