"""What both directions of reconciliation have in common: one domain's kinds and stores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from legacy_adapters.errors import AdapterError
from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.capture import ChangeSource
from legacy_adapters.ports.documents import Kind
from legacy_adapters.ports.stage import Checkpoint, Stage
from new_core.domain.identity import core_id
from new_core.errors import CoreError
from new_core.ports import UnitOfWork
from shadow_compare.core.drift_class import Classifier, Money
from shadow_compare.errors import SidesUnavailable
from shadow_compare.ports.applied_versions import AppliedVersions

_MANY = 100_000


@dataclass(frozen=True, slots=True)
class Stores:
    """What both directions read.

    Attributes:
        system: as external references call the legacy.
        legacy, core: the stores' logs, for snapshots and places.
        core_versions, legacy_versions: what was applied to either store.
        reading: a unit of work over one state of the core.
    """

    system: str
    legacy: ChangeSource
    core: ChangeSource
    stage: Stage
    core_versions: AppliedVersions
    legacy_versions: AppliedVersions
    reading: Callable[[], UnitOfWork]


class OwnedDomain:
    """One domain while one side owns it. Both directions build on it."""

    owner: Side

    def __init__(
        self, domain: str, kinds: Sequence[Kind[Any]], stores: Stores, every: Sequence[Kind[Any]]
    ) -> None:
        """Args: kinds: the domain's. every: all of them, for what aggregates point at."""
        self.domain = domain
        self.kinds = tuple(kind.name for kind in kinds)
        self.restless = frozenset(
            kind.name
            for kind in kinds
            if not any(table.is_fenced for table in kind.translation.shape.tables)
        )
        self._kinds = {kind.name: kind for kind in kinds}
        self._by_type = {kind.translation.entity_type: kind for kind in every}
        self._stores = stores

    @property
    def stream(self) -> str:
        """That carries the owner's changes across."""
        return stream_from(self.owner)

    def classifier(self, kind: str) -> Classifier:
        translation = self._kinds[kind].translation

        def money(document: Any) -> Money | None:
            is_read = isinstance(document, msgspec.Struct)
            found: Money | None = translation.money(document) if is_read else None
            return found

        return Classifier(self.owner, money, translation.losses)

    async def passed(self) -> int:
        found = await self.checkpoint()
        return -1 if found is None else found.position.order

    async def through(self) -> int:
        # What is read up to here and not applied is among what waits: it is asked for later.
        passed = await self.passed()
        with unavailable():
            oldest = (await self._stores.stage.waiting(self.stream, self.domain)).oldest
        return passed if oldest is None else min(passed, oldest - 1)

    async def checkpoint(self) -> Checkpoint | None:
        """Of the owner's stream."""
        with unavailable():
            return await self._stores.stage.checkpoint(self.stream)

    async def waiting(self, kind: str, keys: Collection[str]) -> frozenset[str]:
        asked = [AggregateKey(kind, key) for key in keys]
        with unavailable():
            found = await self._stores.stage.still_waiting(self.stream, asked)
        return frozenset(one.key for one in found)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """One state of the core."""
        with unavailable():
            async with self._stores.reading() as uow:
                yield uow

    async def ids(self, uow: UnitOfWork, kind: str, keys: Collection[str]) -> Mapping[str, UUID]:
        """The core's ids of legacy keys, whether anything is there or not."""
        entity_type = self._kinds[kind].translation.entity_type
        refs = await uow.refs.internal(self._stores.system, entity_type, keys)
        return {
            key: refs[key].internal_id
            if key in refs
            else core_id(self._stores.system, entity_type, key)
            for key in keys
        }

    async def names(self, uow: UnitOfWork, kind: str, ids: Collection[UUID]) -> Mapping[UUID, str]:
        """The legacy keys of the core's ids; those that have none are absent."""
        if not ids:
            return {}
        entity_type = self._kinds[kind].translation.entity_type
        return await uow.refs.external(self._stores.system, ids, entity_type=entity_type)

    async def rogue_keys(self, side: Side) -> frozenset[tuple[str, str]]:
        """Table and key of rows that were written on the side that does not own."""
        with unavailable():
            found = await self._stores.stage.rogues(_MANY)
        return frozenset(
            (one.table, one.key)
            for one in found
            if one.domain == self.domain and one.side == str(side)
        )

    async def absent_parents(
        self, uow: UnitOfWork, kind: str, documents: Mapping[str, Any]
    ) -> Mapping[str, tuple[str, ...]]:
        """What documents point at and the core does not have, by the documents' keys."""
        translation = self._kinds[kind].translation
        pointed = {key: translation.points_at(one) for key, one in documents.items()}
        asked: dict[str, set[UUID]] = defaultdict(set)
        for some in pointed.values():
            for one in some:
                if one.entity_type in self._by_type:
                    asked[one.entity_type].add(one.id)
        there: set[UUID] = set()
        for entity_type, ids in asked.items():
            there |= set(await self._by_type[entity_type].documents.read(uow, ids))
        return {
            key: tuple(
                f"{one.entity_type} {one.id}"
                for one in some
                if one.entity_type in self._by_type and one.id not in there
            )
            for key, some in pointed.items()
        }


@contextmanager
def unavailable() -> Iterator[None]:
    """A store that is away, in this package's words."""
    try:
        yield
    except (AdapterError, CoreError) as exc:
        raise SidesUnavailable(str(exc) or type(exc).__name__) from exc
