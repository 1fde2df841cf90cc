"""The streams' own books, and what an engine needs to carry aggregates across."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.landing import Dirty, Staged, Step, Terms
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch
from legacy_adapters.ports.fences import FenceRow
from legacy_adapters.ports.stage import Checkpoint, Waiting
from new_core.ports import UnitOfWork


@dataclass(frozen=True, slots=True)
class Failed:
    """An aggregate that could not be taken across just now.

    Attributes:
        wait_s: until it is tried again; None: it is parked.
        is_waiting: another aggregate may help, so that it is tried again when one came.
    """

    dirty: Dirty
    reason: str
    wait_s: float | None
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How one domain of a stream stands, for people and meters."""

    domain: str
    owner: str
    term: int
    waiting: Waiting
    applied: int
    failed: int
    applied_at: datetime | None
    applied_position: int
    rogues: int


@dataclass(frozen=True, slots=True)
class Altered:
    """A table of a stream's source whose definition is not what was declared."""

    table: str
    declared: str
    seen: str


class Books(Protocol):
    """Checkpoints and lists of the streams, in the core's database. Each call is one
    transaction, but for those that are given the caller's.

    Raises: StoreUnavailable, from any call.
    """

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        """How far a stream is; None when it never ran."""
        ...

    async def advance(self, step: Step, now: datetime) -> int:
        """Move a stream on, with all that it read. Returns how many aggregates became dirty.

        Raises:
            TakenOver: the stream does not stand where the step expects it.
        """
        ...

    async def forget(self, stream: str) -> None:
        """As if a stream had never run: its place, and what of it waits."""
        ...

    async def say(self, stream: str, problem: str) -> None:
        """Note why a stream does not go on; "" when it does again."""
        ...

    async def beaten(self, stream: str, sent_at: datetime, lag_ms: float) -> None:
        """A heartbeat came through."""
        ...

    async def dirty(self, stream: str, domain: str, limit: int, now: datetime) -> Sequence[Dirty]:
        """What is to be taken across next: by the order of kinds, then oldest first; what
        failed waits for its time.
        """
        ...

    async def is_clear(self, stream: str, domain: str) -> bool:
        """Whether nothing of a domain is dirty or parked."""
        ...

    async def applied(self, stream: str, domain: str, done: Sequence[Dirty], now: datetime) -> None:
        """Aggregates are across; marks that came meanwhile stay."""
        ...

    async def applied_in(
        self, uow: UnitOfWork, stream: str, domain: str, done: Sequence[Dirty], now: datetime
    ) -> None:
        """The same, in the caller's transaction."""
        ...

    async def failed(self, stream: str, domain: str, some: Sequence[Failed], now: datetime) -> None:
        """Put aggregates off, or park them."""
        ...

    async def rouse(
        self, stream: str, domain: str, before: datetime, limit: int, *, everything: bool
    ) -> int:
        """Make parked aggregates dirty again that wait for others (or all) and were not tried
        since `before`. Returns how many.
        """
        ...

    async def staged(
        self, uow: UnitOfWork | None, keys: Collection[AggregateKey]
    ) -> Mapping[AggregateKey, Staged]:
        """What the stage has, in the caller's transaction where one is given."""
        ...

    async def expect_in(
        self, uow: UnitOfWork, key: AggregateKey, rows: Mapping[Table, Sequence[str]]
    ) -> None:
        """Note keys of rows that are about to be written into the legacy."""
        ...

    async def declare(self, stream: str, fingerprints: Mapping[str, str]) -> None:
        """Take definitions of tables as the right ones, where none was declared."""
        ...

    async def altered(
        self, stream: str, fingerprints: Mapping[str, str] | None
    ) -> Sequence[Altered]:
        """Tables that differ from what was declared: as seen now, or, without, as noted."""
        ...

    async def accept(self, stream: str, table: str) -> bool:
        """Take a table's definition as it was seen last; whether it was another."""
        ...

    async def standings(
        self, stream: str, domains: Sequence[str], terms: Terms
    ) -> Sequence[Standing]:
        """How the domains stand."""
        ...


class Settling(Protocol):
    """The part of a ChangeSource that who reads the database itself needs."""

    async def settled(self, names: Collection[str]) -> None:
        """Wait until a new reader of the source sees these transactions."""
        ...


class Log(Settling, Protocol):
    """The part of a ChangeSource that a stream needs."""

    def read(self, after: Position | None) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """Batches behind a position."""
        ...

    async def confirm(self, position: Position) -> None:
        """What is before it is never asked for again."""
        ...

    async def fingerprints(self) -> Mapping[str, str]:
        """A digest of each known table's definition."""
        ...


class FenceRows(Protocol):
    """The part of Fences that a stream needs."""

    async def rows(self) -> Mapping[str, FenceRow]:
        """All fence rows by domain."""
        ...


class Holders(Protocol):
    """Asks the core's tables whose a row is, when the row itself does not say."""

    async def column(
        self, table: Table, column: str, keys: Collection[str]
    ) -> Mapping[str, str | None]:
        """A column's cells, as texts, of rows by their keys; rows that are gone are absent."""
        ...

    async def naming(
        self, table: Table, column: str, values: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        """Keys of rows whose column has one of the values, by value."""
        ...


class Numbering(Protocol):
    """Numbers in the legacy for what was born in the core."""

    async def give(
        self, uow: UnitOfWork, entity_type: str, ids: Sequence[UUID], now: datetime
    ) -> Mapping[UUID, str]:
        """Numbers of things; those without one get the next."""
        ...


class Lease(Protocol):
    """Keeps two processes from carrying the same stream."""

    def held(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold it for the block.

        Raises:
            TakenOver: another process holds it.
        """
        ...
