"""What whoever checks the books of stock needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.actor import Actor
from new_core.domain.stock_accuracy import Accuracy, Counts, Drift
from new_core.domain.stock_movement import Booked, MovementKind


@dataclass(frozen=True, slots=True)
class MovementQuery:
    """Which movements a page holds, ascending by seq."""

    limit: int
    after: int | None = None
    stock_level_id: UUID | None = None
    variant_id: UUID | None = None
    kind: MovementKind | None = None


class StockBookStore(Protocol):
    """The book of movements, and what was found when somebody looked into it."""

    async def movements(self, query: MovementQuery) -> tuple[Booked, ...]:
        """At most `query.limit` movements, ascending by seq."""
        ...

    async def level_count(self) -> int:
        """How many levels there are."""
        ...

    async def drifts(self, ids: Collection[UUID] | None = None) -> tuple[Drift, ...]:
        """Levels that are not the sum of their movements, or promise what no reservation
        says; ascending by id, of all levels unless ids are given. Reads the whole book then.
        """
        ...

    async def counts(self, since: datetime) -> Counts:
        """What was found on shelves since then."""
        ...

    async def repair(self, drift: Drift, actor: Actor, now: datetime) -> None:
        """Make a locked level what its book and its reservations say, with a movement that
        makes the book say the same.
        """
        ...

    async def add(self, measured: Accuracy, *, keep_since: datetime) -> bool:
        """Keep a measurement and forget those before `keep_since`; False when one of this id
        is there.
        """
        ...

    async def latest(self) -> Accuracy | None:
        """The last measurement."""
        ...
