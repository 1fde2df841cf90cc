"""Where the legacy's rows land raw, and what waits to be projected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from legacy_adapters.mapping.aggregates import AggregateKey, AggregateRows
from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.mapping.versions import Position, Version


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a stream has read its source.

    Attributes:
        terms: domain to (owner, term) as the source's fence rows say at `position`.
        source_at: when the last transaction before it committed, by the source's clock.
        problem: why the stream does not go on; "" while it does.
        lag_ms: of the last heartbeat from the source to the target's commit; None before it.
        beat_at: when that heartbeat was sent.
    """

    stream: str
    position: Position
    terms: Mapping[str, tuple[str, int]]
    source_at: datetime | None
    moved_at: datetime
    problem: str
    lag_ms: float | None
    beat_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """An aggregate that cannot be taken across until somebody deals with it."""

    stream: str
    domain: str
    key: AggregateKey
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Rogue:
    """A write of the side that does not own its domain."""

    side: str
    domain: str
    table: str
    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a stream has read and not applied yet, of one domain.

    Attributes:
        oldest: the lowest position among them; None when nothing waits.
    """

    dirty: int
    parked: int
    oldest: int | None


class Stage(Protocol):
    """The stage and the streams' books, in the core's database. Each call is one transaction.

    Raises: StoreUnavailable, from any call.
    """

    async def deliver(self, table: Table, rows: Sequence[Row], version: Version) -> int:
        """Take rows of a snapshot: those that are newer than what is staged, or unknown.

        Their aggregates become dirty. Returns how many rows were taken.
        """
        ...

    async def bury(self, table: Table, keys: Collection[str], version: Version) -> int:
        """A snapshot has no rows of these keys: what is staged of them and older becomes
        tombstones, its aggregates dirty. Returns how many rows were buried.
        """
        ...

    async def sweep(self, table: Table, older: Version) -> int:
        """A backfill has read the whole table, and staged every row at `older` or newer: what
        is staged and older is gone. It becomes tombstones, its aggregates dirty. Returns how
        many aggregates lost rows.
        """
        ...

    async def rows(self, keys: Collection[AggregateKey]) -> Mapping[AggregateKey, AggregateRows]:
        """The staged rows of legacy aggregates; one without a root row is absent."""
        ...

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        """How far a stream is; None when it never ran."""
        ...

    async def waiting(self, stream: str, domain: str) -> Waiting:
        """What is read and not applied yet."""
        ...

    async def still_waiting(
        self, stream: str, keys: Collection[AggregateKey]
    ) -> frozenset[AggregateKey]:
        """Which of these are read and not applied yet, and will be tried by themselves. What is
        parked is not among them until something tries it once more.
        """
        ...

    async def touch(self, stream: str, keys: Collection[AggregateKey], reason: str) -> int:
        """Make aggregates dirty, so that they are projected and applied anew: after a mapping
        changed, as a repair. Returns how many.
        """
        ...

    async def parked(self, limit: int) -> Sequence[Parked]:
        """Aggregates that cannot be taken across, oldest first."""
        ...

    async def rogues(self, limit: int) -> Sequence[Rogue]:
        """Writes of those who may not, newest first, which nobody has dealt with."""
        ...

    async def settle_rogues(self, domain: str) -> int:
        """Somebody has dealt with a domain's rogue writes. Returns how many."""
        ...
