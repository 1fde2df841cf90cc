"""What use cases need of the book of promises."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.reservation import Owner, Reservation, ReservationState


@dataclass(frozen=True, slots=True)
class ReservationQuery:
    """Which reservations a page holds, ascending by id."""

    limit: int
    after: UUID | None = None
    owner: Owner | None = None
    stock_level_id: UUID | None = None
    state: ReservationState | None = None


class ReservationStore(Protocol):
    """Promises of units. Only `uow.stock.book` changes how many are promised on a level; who
    writes here books there, in the same transaction.
    """

    async def locked(self, owner: Owner) -> tuple[Reservation, ...]:
        """What an owner has, or lost by expiry and may get back; ascending by level. Nobody
        else changes these, or adds any for this owner, until the transaction ends.
        """
        ...

    async def of(self, owner: Owner) -> tuple[Reservation, ...]:
        """All reservations of an owner, past ones too; ascending by id."""
        ...

    async def put(self, reservations: Sequence[Reservation], now: datetime) -> None:
        """Write reservations whole; each counts its version up."""
        ...

    async def overdue(self, now: datetime, limit: int) -> tuple[UUID, ...]:
        """Levels with holds whose time is over, of at most `limit` holds; read without a lock."""
        ...

    async def expire(
        self, level_ids: Collection[UUID], now: datetime, *, but: Owner | None = None
    ) -> tuple[Reservation, ...]:
        """Mark the holds on these levels whose time is over, except those of one owner, and
        give them. The caller has locked the levels. A hold that somebody else is changing
        now is left to them: this never waits.
        """
        ...

    async def overdue_units(
        self, variant_ids: Collection[UUID], now: datetime
    ) -> Mapping[UUID, int]:
        """Units by level in holds whose time is over and that nobody swept yet."""
        ...

    async def page(self, query: ReservationQuery) -> tuple[Stored[Reservation], ...]:
        """At most `query.limit` reservations, ascending by id."""
        ...
