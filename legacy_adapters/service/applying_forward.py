"""From the stage into the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from legacy_adapters.mapping.landing import Dirty, Staged
from legacy_adapters.mapping.trying import Trouble
from legacy_adapters.mapping.versions import Version
from legacy_adapters.ports.documents import Kind
from legacy_adapters.ports.fences import CoreStore, CoreWriting
from legacy_adapters.ports.streams import Books
from legacy_adapters.service.projecting import Projected, changed, project, root_ids
from new_core.domain.identity import ExternalRef
from new_core.ports import UnitOfWork
from new_core.ports.clock import Clock


@dataclass(slots=True)
class _Work:
    """One kind's part of a batch.

    Attributes:
        versions: what is noted at the end, by core id.
        gone: deleted in the legacy.
    """

    kind: Kind[Any]
    dirty: Mapping[str, Dirty]
    ids: Mapping[str, UUID]
    versions: dict[UUID, Version] = field(default_factory=dict)
    there: list[Staged] = field(default_factory=list)
    gone: list[UUID] = field(default_factory=list)


@dataclass(slots=True)
class ForwardTarget:
    """The core, for one domain.

    Attributes:
        kinds: of the domain, in the order in which they may be applied.
        system: the legacy's name in the core's external references.
    """

    stream: str
    domain: str
    kinds: Sequence[Kind[Any]]
    system: str
    core: CoreStore
    books: Books
    now: Clock

    async def carry(self, batch: Sequence[Dirty], term: int) -> Sequence[Trouble]:
        """As Target says. Documents are written in the order of kinds, deletions undone last
        and the other way round, so that nothing is taken away that is still pointed at.
        """
        order, now = max(one.version.order for one in batch), self.now()
        troubles: dict[Dirty, Trouble] = {}
        async with self.core.writing(self.stream, self.domain, term, order) as (uow, writing):
            works = []
            for kind in self.kinds:
                some = {one.key.key: one for one in batch if one.key.kind == kind.name}
                if some:
                    work = await self._look(uow, writing, kind, some)
                    for one in await self._write(uow, work, now):
                        troubles[one.dirty] = one
                    works.append(work)
            for work in reversed(works):
                await self._remove(uow, work, now)
            for work in works:
                await writing.stamp(work.kind.name, work.versions, work.gone)
            done = [one for one in batch if one not in troubles]
            await self.books.applied_in(uow, self.stream, self.domain, done, now)
        return list(troubles.values())

    async def _look(
        self, uow: UnitOfWork, writing: CoreWriting, kind: Kind[Any], dirty: Mapping[str, Dirty]
    ) -> _Work:
        """What is to be done.

        1. Two appliers have the same aggregate, 2. the first reads the stage, 3. the second
        reads newer rows and writes them, 4. the first writes its older ones. So the version is
        locked before the stage is read, and an older state than the one noted is left out.
        """
        work = _Work(kind, dirty, await root_ids(uow, self.system, kind, list(dirty)))
        noted = await writing.versions(kind.name, list(work.ids.values()))
        staged = await self.books.staged(uow, [one.key for one in dirty.values()])
        for key, staged_one in ((one.key.key, one) for one in staged.values()):
            root = kind.translation.shape.root.name
            uid = work.ids[key]
            if uid in noted and noted[uid] > staged_one.version:
                continue
            if staged_one.is_gone:
                work.gone.append(uid)
                work.versions[uid] = staged_one.version
            elif root in staged_one.rows:
                work.there.append(staged_one)
        return work

    async def _write(self, uow: UnitOfWork, work: _Work, now: datetime) -> list[Trouble]:
        kind = work.kind
        projected, broken = await project(uow, self.system, kind, work.there)
        troubles = [
            Trouble(work.dirty[one.staged.key.key], one.reason, can_wait=False) for one in broken
        ]
        refused: Mapping[UUID, str] = {}
        different = await changed(uow, kind, projected) if projected else []
        if different:
            refused = await kind.documents.write(uow, [one.doc for one in different], now)
        kept: list[Projected] = []
        for one in projected:
            if one.doc.id in refused:
                dirty = work.dirty[one.staged.key.key]
                troubles.append(Trouble(dirty, refused[one.doc.id], can_wait=True))
            else:
                kept.append(one)
                work.versions[one.doc.id] = one.staged.version
        await self._name(uow, kept, now)
        return troubles

    async def _name(self, uow: UnitOfWork, kept: Sequence[Projected], now: datetime) -> None:
        refs = {
            (entity_type, key): ExternalRef(self.system, entity_type, key, uid, "")
            for one in kept
            for (entity_type, key), uid in one.names.items()
        }
        if refs:
            await uow.refs.put(list(refs.values()), now)

    async def _remove(self, uow: UnitOfWork, work: _Work, now: datetime) -> None:
        if work.gone:
            await work.kind.documents.remove(uow, work.gone, now)
            await uow.refs.bury(self.system, work.gone, now)

    async def barrier(self, term: int, order: int) -> None:
        async with self.core.writing(self.stream, self.domain, term, order) as (_, writing):
            await writing.barrier(self.domain, term)

    async def reached(self) -> int:
        found = (await self.core.applied()).get((self.stream, self.domain))
        return found[1] if found is not None else 0
