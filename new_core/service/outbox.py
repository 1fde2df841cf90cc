"""Use cases of events: numbering, publishing, and being told of them once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from new_core.domain.events import Told
from new_core.ports import Clock, Database, UnitOfWork
from new_core.ports.outbox import EventBus

AT_A_TIME = 500
LEASE = timedelta(seconds=20)
"""How long a process that claimed events may be silent before others publish them."""


async def number_events(database: Database) -> int:
    """Number what was committed; gives how many. Takes no write lock when there is nothing."""
    async with database.reading() as uow:
        waiting = await uow.outbox.unnumbered()
    if not waiting.events:
        return 0
    async with database.writing() as uow:
        numbered = await uow.outbox.number(AT_A_TIME)
        await uow.commit()
    return numbered


@dataclass(frozen=True, slots=True)
class Relay:
    """Publishes events. Several processes run one each.

    1. It publishes and dies, 2. its claim runs out, 3. another one publishes the same again:
    each event has one id, by which the bus and the consumers tell.
    """

    database: Database
    bus: EventBus
    now: Clock
    name: UUID

    async def round(self) -> int:
        """Publish what can be; gives how many.

        Raises:
            BusUnavailable: none could be.
        """
        async with self.database.reading() as uow:
            if not await uow.outbox.has_unpublished():
                return 0
        now = self.now()
        async with self.database.writing() as uow:
            claimed = await uow.outbox.claim(self.name, now, now + LEASE, AT_A_TIME)
            await uow.commit()
        if not claimed:
            return 0
        done: frozenset[UUID] = frozenset()
        try:
            done = await self.bus.publish(claimed)
        finally:
            async with self.database.writing() as uow:
                await uow.outbox.published(self.name, claimed, done, self.now())
                await uow.commit()
        return len(done)


async def read_once(
    database: Database,
    consumer: str,
    react: Callable[[UnitOfWork, Told], Awaitable[None]],
    limit: int = 100,
) -> int:
    """Hand a part of the core the next events, in order, in one transaction with what it makes
    of them; gives how many. One process at a time reads as this consumer.
    """
    async with database.reading() as uow:
        if not await uow.outbox.has_unread(consumer):
            return 0
    async with database.writing() as uow:
        events = await uow.outbox.unread(consumer, limit)
        for one in events:
            await react(uow, one)
        if events:
            await uow.outbox.passed(consumer, events[-1].seq or 0)
        await uow.commit()
    return len(events)
