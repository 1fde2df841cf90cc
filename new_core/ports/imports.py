"""What imports from other systems need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.identity import ExternalRef


@dataclass(frozen=True, slots=True)
class Parked:
    """A row of another system that the core could not take.

    Attributes:
        reason: one sentence that names the field and the way out.
    """

    system: str
    entity_type: str
    external_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportCursor:
    """How far an import has come; moved in the transaction of the rows it speaks of.

    Attributes:
        position: opaque to the core, non-empty once a row was read.
        finished: whether the run came to its end.
    """

    stream: str
    position: str
    finished: bool


class RefStore(Protocol):
    """Who is who in other systems."""

    async def internal(
        self, system: str, entity_type: str, external_ids: Collection[str]
    ) -> dict[str, ExternalRef]:
        """References by external id; unknown and removed ones are absent."""
        ...

    async def external(
        self, system: str, internal_ids: Collection[UUID], *, entity_type: str = ""
    ) -> dict[UUID, str]:
        """External ids by internal id; unknown and removed ones are absent.

        A thing may have names of several types there; with a type only those of it count.
        """
        ...

    async def every(self, system: str, entity_type: str) -> dict[UUID, str]:
        """All external ids of a type by internal id, without removed ones; may be large."""
        ...

    async def page(
        self, system: str, entity_type: str, after: str, limit: int
    ) -> tuple[ExternalRef, ...]:
        """Living references, ascending by external id as text."""
        ...

    async def put(self, refs: Sequence[ExternalRef], now: datetime) -> None:
        """Write references; a removed one comes back to life."""
        ...

    async def bury(self, system: str, internal_ids: Collection[UUID], now: datetime) -> None:
        """Mark references as removed; the row stays as a tombstone."""
        ...


class ImportStore(Protocol):
    """Where imports stand and what they could not take."""

    async def cursor(self, stream: str) -> ImportCursor | None: ...
    async def move_cursor(self, seen: ImportCursor | None, to: ImportCursor, now: datetime) -> None:
        """Move a cursor from where the caller saw it.

        Raises:
            CursorMoved: somebody else moved it since.
        """
        ...

    async def park(self, rows: Sequence[Parked], now: datetime) -> None: ...
    async def unpark(
        self, system: str, entity_type: str, external_ids: Collection[str]
    ) -> None: ...
    async def parked(self, system: str, limit: int) -> tuple[Parked, ...]:
        """Parked rows, by type and id."""
        ...

    async def parked_ids(self, system: str, entity_type: str) -> frozenset[str]: ...

    async def counts(self, system: str) -> Mapping[str, int]:
        """How many rows in the core's tables came from a system, by entity type, without
        those that are parked now.
        """
        ...

    async def totals(self, system: str) -> Mapping[str, int]:
        """Sums over what came from a system, by SQL of its own; parked products left out.

        Keys: products, stock_records, on_hand, reserved, price_micro.
        """
        ...
