"""Two stores with logs, in memory and in a core's SQLite file, behind the ports of the sync."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from legacy_adapters.mapping.marks import APPLIED, FENCE, HEARTBEAT
from legacy_adapters.mapping.rows import Row, Table, key_text
from legacy_adapters.mapping.versions import Position, Side, Version
from legacy_adapters.ports.capture import Batch, Change, Transaction
from legacy_adapters.ports.documents import Kind
from legacy_adapters.ports.fences import FenceRow
from new_core.ports import UnitOfWork
from new_core.storage import SqlDatabase
from tests.fakes.toy_kinds import Doc, ToyDocuments, drop_doc, put_docs

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Dead(BaseException):
    """The process died here."""


@dataclass(slots=True)
class Log:
    """A database's log of commits, and the fence rows that stand in it.

    Attributes:
        repeats: how many commits before the asked place a reader gets once more.
        behind_each: called when a batch was confirmed.
    """

    side: Side
    fences: dict[str, FenceRow] = field(default_factory=dict)
    commits: list[Transaction] = field(default_factory=list)
    repeats: int = 0
    batch: int = 3
    dies_before_confirm: bool = False
    prints: dict[str, str] = field(default_factory=dict)
    behind_each: Callable[[], Awaitable[None]] | None = None

    def commit(self, changes: Sequence[Change], *, is_ours: bool = False, **more: Any) -> int:
        order = (len(self.commits) + 1) * 10
        name = f"{self.side}-{order}"
        self.commits.append(
            Transaction(Position(order, name), name, START, is_ours, tuple(changes), **more)
        )
        return order

    def fence(self, domain: str, owner: str, term: int) -> None:
        """Change a fence row, as a coordinator does."""
        self.fences[domain] = FenceRow(domain, owner, term)
        row: Row = {"domain": domain, "owner": owner, "term": term}
        self.commit([Change(FENCE.name, domain, None, row)])

    def may_write(self, domain: str) -> bool:
        return self.fences[domain].owner == self.side

    async def beat(self, name: str, beat: int, sent_us: int) -> None:
        row: Row = {"name": name, "beat": beat, "sent_us": sent_us}
        self.commit([Change(HEARTBEAT.name, name, None, row)])

    async def rows(self) -> Mapping[str, FenceRow]:
        return dict(self.fences)

    @asynccontextmanager
    async def read(self, after: Position | None) -> AsyncIterator[AsyncIterator[Batch]]:
        yield self._batches(after)

    async def _batches(self, after: Position | None) -> AsyncIterator[Batch]:
        """All there is; then it ends, so that a test goes on."""
        first = 0 if after is None else after.order // 10
        rest = self.commits[max(0, first - self.repeats) :]
        while rest:
            part, rest = rest[: self.batch], rest[self.batch :]
            yield Batch(tuple(part), part[-1].position)
        yield Batch((), self.end)

    @property
    def end(self) -> Position:
        return self.commits[-1].position if self.commits else Position(0, "begin")

    async def confirm(self, position: Position) -> None:
        if self.dies_before_confirm:
            self.dies_before_confirm = False
            raise Dead
        if self.behind_each is not None:
            await self.behind_each()

    async def settled(self, names: Collection[str]) -> None:
        assert set(names) <= {one.name for one in self.commits}

    async def fingerprints(self) -> Mapping[str, str]:
        return self.prints


Tables = dict[str, dict[str, dict[str, Any]]]


class Legacy:
    """A legacy database in memory: tables, their log, and the replicator's way in."""

    def __init__(self, domains: Collection[str]) -> None:
        self.log = Log(Side.LEGACY)
        self.tables: Tables = {}
        self.versions_of: dict[tuple[str, UUID], Version] = {}
        self.applied_to: dict[tuple[str, str], tuple[int, int, int]] = {}
        self.dies_before_commit = False
        self.dies_after_commit = False
        self.refused: set[str] = set()
        for domain in domains:
            self.log.fences[domain] = FenceRow(domain, Side.LEGACY, 1)

    def write(self, *rows: tuple[Table, str, Row | None]) -> int:
        """A transaction of the shop's."""
        return self.log.commit([self._set(self.tables, *one) for one in rows])

    def _set(self, tables: Tables, table: Table, key: str, row: Row | None) -> Change:
        rows = tables.setdefault(table.name, {})
        before = rows.pop(key, None)
        if row is not None:
            rows[key] = dict(row)
        return Change(table.name, key, before, row)

    @asynccontextmanager
    async def writing(
        self, stream: str, domain: str, term: int, position: int
    ) -> AsyncIterator[_Writing]:
        writing = _Writing(self, (stream, domain), term, position)
        yield writing
        if self.dies_before_commit:
            self.dies_before_commit = False
            raise Dead
        self.tables, self.versions_of = writing.tables, writing.noted
        self.applied_to[stream, domain] = (term, writing.reached, position)
        tag: Row = {"stream": stream, "domain": domain}
        tagged = Change(APPLIED.name, f"{stream}|{domain}", None, tag)
        self.log.commit([tagged, *writing.changes], is_ours=True)
        if self.dies_after_commit:
            self.dies_after_commit = False
            raise Dead

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        return self.applied_to

    async def beat(self, name: str, beat: int, sent_us: int) -> None:
        await self.log.beat(name, beat, sent_us)


class _Writing:
    """A transaction of the replicator's in memory."""

    def __init__(self, legacy: Legacy, place: tuple[str, str], term: int, position: int) -> None:
        self._legacy = legacy
        self.tables = copy.deepcopy(legacy.tables)
        self.noted = dict(legacy.versions_of)
        self.changes: list[Change] = []
        self.reached = legacy.applied_to.get(place, (0, 0, 0))[1]

    async def versions(self, kind: str, ids: Collection[UUID]) -> Mapping[UUID, Version]:
        return {uid: self.noted[kind, uid] for uid in ids if (kind, uid) in self.noted}

    async def stamp(
        self, kind: str, versions: Mapping[UUID, Version], deleted: Collection[UUID]
    ) -> None:
        self.noted |= {(kind, uid): version for uid, version in versions.items()}

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        for row in rows:
            if str(row.get("memo", row.get("name"))) in self._legacy.refused:
                raise ValueError("refused")
            self.changes.append(self._legacy._set(self.tables, table, key_text(table, row), row))

    async def drop(self, table: Table, keys: Collection[str]) -> None:
        for key in keys:
            if key in self.tables.get(table.name, {}):
                self.changes.append(self._legacy._set(self.tables, table, key, None))

    async def barrier(self, domain: str, term: int) -> None:
        self.reached = term


class Core:
    """The core: documents in its SQLite file, a log in memory, and the replicator's way in."""

    def __init__(
        self, database: SqlDatabase, kinds: Sequence[Kind[Doc]], domains: Collection[str]
    ) -> None:
        self.database = database
        self.kinds = {kind.name: kind for kind in kinds}
        self.log = Log(Side.CORE)
        self.versions_of: dict[tuple[str, UUID], Version] = {}
        self.applied_to: dict[tuple[str, str], tuple[int, int, int]] = {}
        self.dies_before_commit = False
        self.dies_after_commit = False
        for domain in domains:
            self.log.fences[domain] = FenceRow(domain, Side.LEGACY, 1)

    def reading(self) -> UnitOfWork:
        return self.database.reading()

    async def write(self, kind: str, *docs: Doc, gone: Collection[UUID] = ()) -> int:
        """A transaction of the core's own."""
        async with self.database.writing() as uow:
            await put_docs(uow, kind, docs)
            for uid in gone:
                await drop_doc(uow, kind, uid)
            await uow.commit()
        return self.log.commit(
            [_core_change(kind, uid) for uid in (*(doc.id for doc in docs), *gone)]
        )

    async def docs(self, kind: str) -> Mapping[UUID, Doc]:
        async with self.database.reading() as uow:
            documents = self.kinds[kind].documents
            return await documents.read(uow, await documents.page(uow, None, 10_000))

    @asynccontextmanager
    async def writing(
        self, stream: str, domain: str, term: int, position: int
    ) -> AsyncIterator[tuple[UnitOfWork, _CoreWriting]]:
        for kind in self.kinds.values():
            assert isinstance(kind.documents, ToyDocuments)
            kind.documents.on_write.clear()
        writing = _CoreWriting(self, (stream, domain))
        async with self.database.writing() as uow:
            yield uow, writing
            if self.dies_before_commit:
                self.dies_before_commit = False
                raise Dead
            await uow.commit()
        self.versions_of = writing.noted
        self.applied_to[stream, domain] = (term, writing.reached, position)
        written = [
            one
            for kind in self.kinds.values()
            if isinstance(kind.documents, ToyDocuments)
            for one in kind.documents.on_write
        ]
        self.log.commit([_core_change(*one) for one in written], is_ours=True)
        if self.dies_after_commit:
            self.dies_after_commit = False
            raise Dead

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        return self.applied_to

    async def beat(self, name: str, beat: int, sent_us: int) -> None:
        await self.log.beat(name, beat, sent_us)


class _CoreWriting:
    def __init__(self, core: Core, place: tuple[str, str]) -> None:
        self.noted = dict(core.versions_of)
        self.reached = core.applied_to.get(place, (0, 0, 0))[1]

    async def versions(self, kind: str, ids: Collection[UUID]) -> Mapping[UUID, Version]:
        return {uid: self.noted[kind, uid] for uid in ids if (kind, uid) in self.noted}

    async def stamp(
        self, kind: str, versions: Mapping[UUID, Version], deleted: Collection[UUID]
    ) -> None:
        self.noted |= {(kind, uid): version for uid, version in versions.items()}

    async def barrier(self, domain: str, term: int) -> None:
        self.reached = term


def _core_change(kind: str, uid: UUID) -> Change:
    return Change(f"core_{kind}", str(uid), None, {"id": str(uid)})


@dataclass(slots=True)
class Hands:
    """A clock that a test moves."""

    at: datetime = START

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
