"""How other modules and other systems are told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.actor import Actor
from new_core.domain.events import Event, Told


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events a page holds, ascending by seq.

    Attributes:
        type: whole, or its beginning up to a dot and a star, e.g. "orders.*".
    """

    after: int
    limit: int
    type: str | None = None
    aggregate_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has not left yet.

    Attributes:
        oldest: when the oldest of them happened; None when there are none.
    """

    events: int
    oldest: datetime | None


class OutboxStore(Protocol):
    """Events, written in the transaction of what they tell of."""

    async def add(self, events: Sequence[Event], actor: Actor, now: datetime) -> None:
        """Tell of something. They leave after the commit, in order per aggregate, and at
        least once.

        Raises:
            TypeError: its data is not JSON.
        """
        ...

    async def number(self, limit: int) -> int:
        """Number committed events in an order that readers can rely on: once a reader saw a
        number, it never sees a smaller one for the first time. One transaction does it at a
        time; 0 while another one does.
        """
        ...

    async def page(self, query: EventQuery) -> tuple[Told, ...]:
        """Numbered events, ascending."""
        ...

    async def by_id(self, event_ids: Collection[UUID]) -> dict[UUID, Told]:
        """Events by their id; unknown ones are absent."""
        ...

    async def has_unread(self, reader: str) -> bool:
        """Whether there are events that a reader has not passed; waits for nobody."""
        ...

    async def unread(self, reader: str, limit: int) -> tuple[Told, ...]:
        """The next numbered events that a reader has not passed. Until this transaction ends,
        nobody else reads as this reader; empty also while somebody else does.
        """
        ...

    async def passed(self, reader: str, seq: int) -> None:
        """Move a reader on; in the transaction of what it made of the events."""
        ...

    async def first_time(self, consumer: str, event_id: UUID, now: datetime) -> bool:
        """Whether a consumer gets an event for the first time, and put down that it did, in
        the transaction of what it makes of it.
        """
        ...

    async def has_unpublished(self) -> bool:
        """Whether something has not left yet for the bus."""
        ...

    async def claim(
        self, claimer: UUID, now: datetime, until: datetime, limit: int
    ) -> tuple[Told, ...]:
        """Unpublished events, oldest first, all of aggregates that nobody else publishes; they
        are the claimer's until it tells, or until `until`. Per aggregate none is left out
        before one that is given.
        """
        ...

    async def published(
        self, claimer: UUID, claimed: Sequence[Told], done: Collection[UUID], now: datetime
    ) -> None:
        """Of what was claimed these left; give back the aggregates."""
        ...

    async def unpublished(self) -> Backlog:
        """What has not left yet for the bus."""
        ...

    async def unnumbered(self) -> Backlog:
        """What has no number yet."""
        ...

    async def forget(self, before: datetime, limit: int, *, bus: bool) -> int:
        """Delete what everybody has had: events from before a time that all readers passed,
        that no delivery waits for, and that left for the bus if there is one. Also what
        consumers put down before it. Gives how many events.
        """
        ...


class EventBus(Protocol):
    """Where events are published."""

    async def publish(self, events: Sequence[Told]) -> frozenset[UUID]:
        """Publish, in order per aggregate: after one that was not taken, none of its aggregate
        is. Gives the ids of those that are safe there.

        Raises:
            BusUnavailable: it took none of them.
        """
        ...
