"""Fences: who may write a domain in one database, held by the database itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.mapping.versions import Side, Version
from new_core.ports import UnitOfWork


@dataclass(frozen=True, slots=True)
class FenceRow:
    """Who may write a domain, as one database has it."""

    domain: str
    owner: str
    term: int


@dataclass(frozen=True, slots=True)
class Fencing:
    """What came of a conditional change of a fence row.

    Attributes:
        changed: False: the condition did not hold, and nothing happened.
        waited_s: for writers that were still at it; the drain.
        row: as it is now; None where there is none.
    """

    changed: bool
    waited_s: float
    row: FenceRow | None


class Fences(Protocol):
    """The fence rows and triggers of one database.

    Raises, from any call:
        SourceUnavailable: no answer.
        SourceUnfit: a table cannot be fenced, or has lost its triggers; the text says why.
        FenceTimeout: writers did not finish in time; nothing changed.
    """

    @property
    def side(self) -> Side: ...

    async def install(self, domains: Mapping[str, Sequence[Table]], owner: Side) -> None:
        """Make the marks' tables, a row per domain (term 1, `owner`) where there is none, and
        triggers on its fenced tables that refuse writes of anybody but the replicator while
        another owns it. Repeatable; changes no row that is there. Refusals say MIG_FENCED.
        """
        ...

    async def remove(self) -> None:
        """Take triggers and marks' tables away. Repeatable."""
        ...

    async def rows(self) -> Mapping[str, FenceRow]:
        """All fence rows by domain."""
        ...

    async def close_gate(self, domain: str, *, term: int, wait_s: float) -> Fencing:
        """Nobody may write any more: owner "none", term + 1, if the owner is this side and the
        term is `term`. One UPDATE that waits for open writers: fence, drain and mark at once.
        When it is so already (none, term + 1), `changed` is True: a step done twice.
        """
        ...

    async def open_gate(self, domain: str, owner: Side, *, term: int, wait_s: float) -> Fencing:
        """`owner` may write, if the row's term is lower than `term`, which it then gets.
        When it is so already (`owner`, `term`), `changed` is True: a step done twice.
        """
        ...


class Writing(Protocol):
    """One transaction of the replicator in a target database. Fences let it through."""

    async def versions(self, kind: str, ids: Collection[UUID]) -> Mapping[UUID, Version]:
        """The newest state of each that was applied here; locked until the end."""
        ...

    async def stamp(
        self, kind: str, versions: Mapping[UUID, Version], deleted: Collection[UUID]
    ) -> None:
        """Note what is applied now; `deleted` are tombstones among them."""
        ...

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows, or make those with the same primary key like them: columns that a row
        does not name stay as they are. A row must name every column that has no default.
        """
        ...

    async def drop(self, table: Table, keys: Collection[str]) -> None:
        """Delete rows by key text; those that are gone are fine."""
        ...

    async def barrier(self, domain: str, term: int) -> None:
        """Note that everything before the fence of `term` is applied."""
        ...


class RowStore(Protocol):
    """The legacy's tables, written by the replicator.

    Raises, from any call:
        SourceUnavailable: no answer; nothing was written.
        RowRefused: the database takes a row as no good.
    """

    def writing(
        self, stream: str, domain: str, term: int, position: int
    ) -> AbstractAsyncContextManager[Writing]:
        """A transaction that says in APPLIED who writes; committed when the block ends well.

        Raises:
            FencedOut: an applier with a newer term was here.
        """
        ...

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        """(stream, domain) to (term, barrier, position)."""
        ...

    async def beat(self, name: str, beat: int, sent_us: int) -> None:
        """Write the heartbeat row."""
        ...


class CoreStore(Protocol):
    """The core's tables, written by the replicator."""

    def writing(
        self, stream: str, domain: str, term: int, position: int
    ) -> AbstractAsyncContextManager[tuple[UnitOfWork, CoreWriting]]:
        """As RowStore.writing, with the core's unit of work in the same transaction."""
        ...

    def reading(self) -> UnitOfWork:
        """One state of the core's database, for `CoreDocuments.read`."""
        ...

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        """(stream, domain) to (term, barrier, position)."""
        ...

    async def beat(self, name: str, beat: int, sent_us: int) -> None:
        """Write the heartbeat row."""
        ...


class CoreWriting(Protocol):
    """What the replicator notes in the core's database, in the transaction of its writes."""

    async def versions(self, kind: str, ids: Collection[UUID]) -> Mapping[UUID, Version]:
        """As Writing.versions."""
        ...

    async def stamp(
        self, kind: str, versions: Mapping[UUID, Version], deleted: Collection[UUID]
    ) -> None:
        """As Writing.stamp."""
        ...

    async def barrier(self, domain: str, term: int) -> None:
        """As Writing.barrier."""
        ...
