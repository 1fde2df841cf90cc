"""Aggregates as documents that both stores mean the same by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from legacy_adapters.mapping.aggregates import AggregateRows, Loss, Shape
from legacy_adapters.mapping.columns import Fate
from new_core.ports import UnitOfWork

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Own:
    """Something inside an aggregate that has a number of its own in the legacy.

    Attributes:
        entity_type: as in the core's external references, e.g. "order_line".
        key: its legacy key where the thing has one in itself, as a session has: nothing is
            drawn then. "" for a number.
        is_needed: False for what may be pointed at and be nowhere, as the basket that a session
            opened before somebody deleted it: nobody waits for its number.
    """

    entity_type: str
    id: UUID
    key: str = ""
    is_needed: bool = True


class Translation(Protocol[D]):
    """Turns a legacy aggregate into a document and back. Pure: no I/O, no clock.

    A document is a frozen msgspec struct in the core's words with an `id: UUID`; its lists
    have one order. `canonical_bytes` of it is what the two sides are compared by.
    """

    @property
    def shape(self) -> Shape:
        """Its rows in the legacy."""
        ...

    @property
    def entity_type(self) -> str:
        """Under which external references name its root."""
        ...

    @property
    def columns(self) -> Mapping[str, Mapping[str, Fate]]:
        """What becomes of each column of each of its tables."""
        ...

    @property
    def losses(self) -> Sequence[Loss]:
        """What a round trip does not keep."""
        ...

    def forward(self, rows: AggregateRows, known: Mapping[tuple[str, str], UUID]) -> D:
        """The document of legacy rows.

        Args:
            rows: all of the aggregate's, its root among them.
            known: (entity type, legacy key) to core id, for what `refers` asked for. What is not
                there has the id that `core_id` gives it.

        Raises:
            RowCorrupt: it cannot be read; its aggregate is parked with the reason.
        """
        ...

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """(entity type, legacy key) of everything in the rows that has an id in the core: its
        own parts, and what it points at.
        """
        ...

    def names(
        self, rows: AggregateRows, known: Mapping[tuple[str, str], UUID]
    ) -> Mapping[tuple[str, str], UUID]:
        """(entity type, legacy key) to core id of the aggregate's own rows that have one, the
        root among them: what the caller keeps as external references. Mostly what is known or
        what `core_id` gives; an order's addresses, e.g., have ids made from the order's.
        """
        ...

    def owns(self, doc: D) -> Sequence[Own]:
        """What needs a number in the legacy, the root first; drawn where there is none. A
        number may be shared with other aggregates, as an offer's of a discount.
        """
        ...

    def points_at(self, doc: D) -> Sequence[Own]:
        """What of other aggregates must have a number already, else the aggregate waits."""
        ...

    def reverse(self, doc: D, sidecar: AggregateRows, numbers: Mapping[UUID, str]) -> AggregateRows:
        """The legacy rows of a document.

        Args:
            doc: of the core.
            sidecar: its rows as the legacy last had them; what the core cannot hold is taken
                from there. Empty for what was born in the core.
            numbers: legacy keys of `owns` and `points_at`.
        """
        ...

    def money(self, doc: D) -> tuple[int, str] | None:
        """(minor units, currency) at stake when it differs; None for what is no money."""
        ...


class CoreDocuments(Protocol[D]):
    """One kind of aggregate in the core's database.

    Works in the unit of work that it is given and never commits. Uses the
    tables themselves: what is replicated tells no event and sends no webhook.
    """

    @property
    def shapes(self) -> Sequence[Shape]:
        """Which rows of the core make it (`Table.is_fenced`: those that only the owner writes)."""
        ...

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, D]:
        """Documents as they are now; those that are not there are absent."""
        ...

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        ...

    async def write(self, uow: UnitOfWork, docs: Sequence[D], now: datetime) -> Mapping[UUID, str]:
        """Make the core hold these documents; what the core alone knows of them stays.

        A fixed number of statements whatever the number of documents. External references are
        written by the caller.

        Returns:
            Reasons of those that the core cannot take, e.g. what they point at is not there
            yet; nothing of them was written.
        """
        ...

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:
        """Take them out; those that are not there are fine."""
        ...


@dataclass(frozen=True, slots=True)
class Kind(Generic[D]):
    """One kind of aggregate, on both sides.

    Attributes:
        domain: that owns it.
    """

    name: str
    domain: str
    translation: Translation[D]
    documents: CoreDocuments[D]
