"""From the core back into the legacy."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from legacy_adapters.mapping.aggregates import AggregateKey, AggregateRows, Shape
from legacy_adapters.mapping.landing import Dirty, Staged
from legacy_adapters.mapping.layout import Plan, plan_rows, unknown_rows, write_order
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.trying import Trouble
from legacy_adapters.ports.documents import Kind, Own
from legacy_adapters.ports.fences import CoreStore, RowStore, Writing
from legacy_adapters.ports.streams import Books, Numbering, Settling
from new_core.domain.identity import ExternalRef
from new_core.ports import UnitOfWork
from new_core.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class _Crossing:
    """One aggregate, ready to be written.

    Attributes:
        is_gone: it is not in the core any more; its rows go.
    """

    dirty: Dirty
    id: UUID
    plan: Plan
    is_gone: bool


@dataclass(slots=True)
class _Ready:
    """What a batch comes to.

    Attributes:
        lacks: something needs a number, or a row is new to the books: the core must be written.
    """

    crossings: dict[str, list[_Crossing]] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    lacks: bool = False


@dataclass(slots=True)
class ReverseTarget:
    """The legacy, for one domain. The core's own state is read, which is the change or newer.

    Attributes:
        kinds: of the domain, in the order in which they may be applied.
        system: the legacy's name in the core's external references.
    """

    stream: str
    domain: str
    kinds: Sequence[Kind[Any]]
    system: str
    source: Settling
    core: CoreStore
    rows: RowStore
    numbering: Numbering
    books: Books
    now: Clock

    async def carry(self, batch: Sequence[Dirty], term: int) -> Sequence[Trouble]:
        """As Target says.

        1. A line gets its number and is written into the legacy, 2. this process dies, 3. the
        line is deleted in the core, 4. nobody knows that the legacy has it. So numbers and the
        keys of new rows are committed in the core before the legacy is written.
        """
        order = max(one.version.order for one in batch)
        await self.source.settled({one.name for one in batch if one.name})
        async with self.core.reading() as uow:
            ready = await self._prepare(uow, batch, may_write=False)
        if ready.lacks:
            place = (self.stream, self.domain, term, order)
            async with self.core.writing(*place) as (uow, _):
                ready = await self._prepare(uow, batch, may_write=True)
        if any(ready.crossings.values()):
            async with self.rows.writing(self.stream, self.domain, term, order) as writing:
                await self._cross(writing, ready)
        await self._close(ready, batch, term)
        return ready.troubles

    async def _prepare(self, uow: UnitOfWork, batch: Sequence[Dirty], *, may_write: bool) -> _Ready:
        ready = _Ready()
        for kind in self.kinds:
            some = {UUID(one.key.key): one for one in batch if one.key.kind == kind.name}
            if some:
                await self._prepare_kind(uow, kind, some, ready, may_write=may_write)
        return ready

    async def _prepare_kind(
        self,
        uow: UnitOfWork,
        kind: Kind[Any],
        some: Mapping[UUID, Dirty],
        ready: _Ready,
        *,
        may_write: bool,
    ) -> None:
        docs = await kind.documents.read(uow, list(some))
        owned = {uid: list(kind.translation.owns(doc)) for uid, doc in docs.items()}
        pointed = {uid: list(kind.translation.points_at(doc)) for uid, doc in docs.items()}
        asked = {one.id for part in (owned, pointed) for owns in part.values() for one in owns}
        numbers = await uow.refs.external(self.system, asked | some.keys())
        numbers |= {
            one.id: one.key for owns in pointed.values() for one in owns
            if one.key and one.id not in numbers
        }  # fmt: skip
        waiting = _waiting(pointed, numbers)
        ready.troubles += [Trouble(some[uid], why, can_wait=True) for uid, why in waiting.items()]
        lacking = {
            one: None
            for uid, owns in sorted(owned.items()) if uid not in waiting
            for one in owns if one.id not in numbers
        }  # fmt: skip
        if lacking and not may_write:
            ready.lacks = True
            return
        if lacking:
            numbers |= await self._name(uow, lacking)
        keys = {
            uid: AggregateKey(kind.name, numbers[uid])
            for uid in some
            if uid in numbers and uid not in waiting
        }
        staged = await self.books.staged(uow, list(keys.values()))
        ready.crossings[kind.name] = []
        for uid, key in keys.items():
            known = staged.get(key, Staged(key, {}, {}))
            rows = _mapped_back(kind, docs.get(uid), known, numbers)
            if isinstance(rows, str):
                ready.troubles.append(Trouble(some[uid], rows, can_wait=False))
                continue
            fresh = unknown_rows(kind.translation.shape, rows, known.names)
            if fresh and may_write:
                await self.books.expect_in(uow, key, fresh)
            ready.lacks = ready.lacks or bool(fresh)
            plan = plan_rows(kind.translation.shape, rows, known.names)
            crossing = _Crossing(some[uid], uid, plan, uid not in docs)
            ready.crossings[kind.name].append(crossing)

    async def _name(self, uow: UnitOfWork, lacking: Collection[Own]) -> Mapping[UUID, str]:
        """Legacy keys: the thing's own where it has one, else numbers in the order given: of
        aggregates by birth, as ids grow with time, and of their parts as they stand in them.
        """
        named = {one.id: one.key for one in lacking if one.key}
        refs = [
            ExternalRef(self.system, one.entity_type, one.key, one.id, "")
            for one in lacking
            if one.key
        ]
        await uow.refs.put(refs, self.now())
        drawn = [one for one in lacking if not one.key]
        for entity_type in sorted({one.entity_type for one in drawn}):
            ids = [one.id for one in drawn if one.entity_type == entity_type]
            named |= await self.numbering.give(uow, entity_type, ids, self.now())
        return named

    async def _cross(self, writing: Writing, ready: _Ready) -> None:
        """Write what is newer than what the legacy has; what is gone goes last, backwards."""
        shapes = {kind.name: kind.translation.shape for kind in self.kinds}
        for kind, crossings in ready.crossings.items():
            noted = await writing.versions(kind, [one.id for one in crossings])
            fresh = [
                one
                for one in crossings
                if one.id not in noted or noted[one.id] <= one.dirty.version
            ]
            ready.crossings[kind] = fresh
            await _put(writing, shapes[kind], [one.plan for one in fresh if not one.is_gone])
        for kind, crossings in reversed(list(ready.crossings.items())):
            await _put(writing, shapes[kind], [one.plan for one in crossings if one.is_gone])
        for kind, crossings in ready.crossings.items():
            versions = {one.id: one.dirty.version for one in crossings}
            await writing.stamp(kind, versions, [one.id for one in crossings if one.is_gone])

    async def _close(self, ready: _Ready, batch: Sequence[Dirty], term: int) -> None:
        troubled = {one.dirty for one in ready.troubles}
        done = [one for one in batch if one not in troubled]
        gone = [one.id for some in ready.crossings.values() for one in some if one.is_gone]
        now = self.now()
        if not gone:
            await self.books.applied(self.stream, self.domain, done, now)
            return
        order = max(one.version.order for one in batch)
        async with self.core.writing(self.stream, self.domain, term, order) as (uow, _):
            await uow.refs.bury(self.system, gone, now)
            await self.books.applied_in(uow, self.stream, self.domain, done, now)

    async def barrier(self, term: int, order: int) -> None:
        async with self.rows.writing(self.stream, self.domain, term, order) as writing:
            await writing.barrier(self.domain, term)

    async def reached(self) -> int:
        found = (await self.rows.applied()).get((self.stream, self.domain))
        return found[1] if found is not None else 0


def _mapped_back(
    kind: Kind[Any], doc: Any, known: Staged, numbers: Mapping[UUID, str]
) -> AggregateRows | str:
    """The legacy's rows, none for what is gone, or why there are none."""
    if doc is None:
        return {}
    try:
        return kind.translation.reverse(doc, known.rows, numbers)
    except Exception as exc:  # noqa: BLE001 - one document must not stop the others
        return f"cannot be mapped back: {type(exc).__name__}: {exc}"


def _waiting(
    pointed: Mapping[UUID, Sequence[Own]], numbers: Mapping[UUID, str]
) -> Mapping[UUID, str]:
    """Documents that point at what the legacy does not have yet."""
    found = {}
    for uid, points in pointed.items():
        missing = next((one for one in points if one.is_needed and one.id not in numbers), None)
        if missing is not None:
            what = missing.entity_type.replace("_", " ")
            found[uid] = f"needs {what} {missing.id}, which the legacy does not have yet"
    return found


async def _put(writing: Writing, shape: Shape, plans: Sequence[Plan]) -> None:
    """Write many aggregates of a kind with few statements, tables in their order."""
    ordered = write_order(shape)
    for table in reversed(ordered):
        await _drop(writing, table, [one.first for one in plans])
    for table in ordered:
        rows = [row for one in plans for at, some in one.put if at is table for row in some]
        if rows:
            await writing.put(table, rows)
    for table in reversed(ordered):
        await _drop(writing, table, [one.last for one in plans])


async def _drop(
    writing: Writing, table: Table, parts: Sequence[Sequence[tuple[Table, Sequence[str]]]]
) -> None:
    keys = [key for part in parts for at, some in part if at is table for key in some]
    if keys:
        await writing.drop(table, keys)
