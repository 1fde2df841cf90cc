"""A domain that the legacy owns: its rows in a snapshot are right, the core has to follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from legacy_adapters.mapping.aggregates import AggregateKey, AggregateRows
from legacy_adapters.mapping.rows import Row, key_text
from legacy_adapters.mapping.versions import Side, Version
from legacy_adapters.ports.capture import Snapshot
from legacy_adapters.ports.documents import Kind
from legacy_adapters.service.comparing_sides import (
    forward_or_reason,
    in_order,
    known_ids,
    read_aggregates,
)
from shadow_compare.core.drift_class import Clues
from shadow_compare.core.reconcile_judge import OtherState, OwnerState, id_of_unnamed, unnamed
from shadow_compare.errors import SidesUnavailable
from shadow_compare.service.reconciling_sides import OwnedDomain, unavailable


class LegacyView:
    """Implements ports.reconciling.OwnerView over a snapshot of the legacy."""

    def __init__(
        self, domain: LegacyOwned, snapshot: Snapshot, kinds: Mapping[str, Kind[Any]]
    ) -> None:
        self._domain = domain
        self._kinds = kinds
        self.snapshot = snapshot

    @property
    def low(self) -> int:
        return self.snapshot.low.order

    async def high(self) -> int:
        return self.snapshot.high.order

    async def page(
        self, kind: str, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[OwnerState]:
        with unavailable():
            root = self._kinds[kind].translation.shape.root
            rows = await self.snapshot.page(root, after, size, to=to)
            return await self._states(kind, rows)

    async def some(self, kind: str, keys: Collection[str]) -> Mapping[str, OwnerState]:
        with unavailable():
            rows = await self.roots(kind, keys)
            found = {one.key: one for one in await self._states(kind, rows)}
            lacking = [key for key in keys if key not in found]
            async with self._domain.reading() as uow:
                named = [key for key in lacking if id_of_unnamed(key) is None]
                ids = await self._domain.ids(uow, kind, named)
        for key in lacking:
            found[key] = OwnerState(key, id_of_unnamed(key) or ids[key], None)
        return found

    async def present(self, kind: str, keys: Collection[str]) -> frozenset[str]:
        root = self._kinds[kind].translation.shape.root
        with unavailable():
            return frozenset(key_text(root, row) for row in await self.roots(kind, keys))

    async def count(self, kind: str) -> int:
        with unavailable():
            return await self.snapshot.count(self._kinds[kind].translation.shape.root)

    async def splits(self, kind: str, parts: int) -> Sequence[str]:
        with unavailable():
            return await self.snapshot.splits(self._kinds[kind].translation.shape.root, parts)

    async def roots(self, kind: str, keys: Collection[str]) -> Sequence[Row]:
        """Root rows by key."""
        root = self._kinds[kind].translation.shape.root
        named = [key for key in keys if id_of_unnamed(key) is None]
        return await self.snapshot.some(root, root.key[0], named) if named else ()

    async def _states(self, kind: str, roots: Sequence[Row]) -> list[OwnerState]:
        if not roots:
            return []
        translation = self._kinds[kind].translation
        aggregates = await read_aggregates(self.snapshot, translation.shape, roots)
        async with self._domain.reading() as uow:
            known = await known_ids(uow, self._domain.system, translation, aggregates.values())
            ids = await self._domain.ids(uow, kind, aggregates)
        found = []
        for key, rows in aggregates.items():
            document, corrupt = forward_or_reason(translation, rows, known)
            count = sum(len(some) for some in rows.values())
            identity = ids[key] if document is None else document.id
            found.append(OwnerState(key, identity, document, corrupt, count, rows))
        return found


class LegacyOwned(OwnedDomain):
    """Implements ports.reconciling.ComparedSides while the legacy owns."""

    owner = Side.LEGACY

    @property
    def system(self) -> str:
        return self._stores.system

    @asynccontextmanager
    async def view(self) -> AsyncIterator[LegacyView]:
        with unavailable():
            async with self._stores.legacy.snapshot() as snapshot:
                yield LegacyView(self, snapshot, self._kinds)

    async def other(self, kind: str, owner: Sequence[OwnerState]) -> Mapping[str, OtherState]:
        ids = {one.key: one.core_id for one in owner if one.core_id is not None}
        async with self.reading() as uow:
            documents = await self._kinds[kind].documents.read(uow, set(ids.values()))
        orders = await self._stores.core_versions.orders(kind, set(ids.values()))
        return {key: OtherState(documents.get(one), orders.get(one, 0)) for key, one in ids.items()}

    async def unstaged(self, kind: str, owner: Sequence[OwnerState]) -> frozenset[str]:
        named = [one for one in owner if id_of_unnamed(one.key) is None]
        with unavailable():
            staged = await self._stores.stage.rows([AggregateKey(kind, one.key) for one in named])
        return frozenset(
            one.key
            for one in named
            if not self._is_staged(kind, one, staged.get(AggregateKey(kind, one.key)))
        )

    async def across(
        self, kind: str, after: str | None, size: int
    ) -> Sequence[tuple[str, str | None]]:
        documents = self._kinds[kind].documents
        # What is not fenced on this side may be made there without anybody's leave.
        is_loose = all(not shape.root.is_fenced for shape in documents.shapes)
        async with self.reading() as uow:
            ids = await documents.page(uow, None if after is None else UUID(after), size)
            keys = await self.names(uow, kind, ids) if ids else {}
        return [(str(one), keys.get(one) or (None if is_loose else unnamed(one))) for one in ids]

    async def changed(
        self, kind: str, behind: int, after: str | None, size: int
    ) -> Sequence[tuple[str, str]]:
        since = None if after is None else UUID(after)
        ids = await self._stores.core_versions.behind(kind, behind, since, size)
        async with self.reading() as uow:
            keys = await self.names(uow, kind, ids) if ids else {}
        return [(str(one), keys.get(one) or unnamed(one)) for one in ids]

    async def clues(
        self, kind: str, pairs: Sequence[tuple[OwnerState, OtherState]]
    ) -> Mapping[str, Clues]:
        keys = [one.key for one, _ in pairs if id_of_unnamed(one.key) is None]
        ids = [one.core_id for one, _ in pairs if one.core_id is not None]
        lacking = {
            one.key: one.document
            for one, other in pairs
            if one.document is not None and other.document is None
        }
        with unavailable():
            staged = await self._stores.stage.rows([AggregateKey(kind, key) for key in keys])
            async with self.reading() as uow:
                names = await self.names(uow, kind, ids)
                parents = await self.absent_parents(uow, kind, lacking)
        rogues = {key for _, key in await self.rogue_keys(Side.CORE)}
        return {
            owner.key: Clues(
                staged=self._is_staged(kind, owner, staged.get(AggregateKey(kind, owner.key))),
                known_as=owner.key
                if owner.core_id is None or owner.core_id not in names
                else names[owner.core_id],
                missing_parents=parents.get(owner.key, ()),
                is_rogue=any(str(owner.core_id) in key.split("|") for key in rogues),
            )
            for owner, _ in pairs
        }

    def _is_staged(self, kind: str, owner: OwnerState, staged: AggregateRows | None) -> bool:
        """Whether the stage has these very rows: the check that needs no mapping."""
        shape = self._kinds[kind].translation.shape
        ours, theirs = owner.raw or {}, staged or {}
        return all(
            in_order(table, ours.get(table.name, ())) == in_order(table, theirs.get(table.name, ()))
            for table in shape.tables
        )

    async def take_across(self, kind: str, keys: Collection[str], reason: str) -> int:
        """Stage the rows as they are now, with the place at which that is true, and project.

        1. A row is read, 2. a shopper changes it, 3. the stream stages the change: it has a
        later place than 1 and is not written over.
        """
        checkpoint = await self.checkpoint()
        if checkpoint is None or self.domain not in checkpoint.terms:
            raise SidesUnavailable(f"the stream {self.stream} has not begun with {self.domain}")
        term = checkpoint.terms[self.domain][1]
        asked = [AggregateKey(kind, key) for key in keys]
        async with self.view() as view:
            with unavailable():
                version = Version(term, view.low)
                found = await view.some(kind, keys)
                staged = await self._stores.stage.rows(asked)
                await self._restage(kind, found, staged, version)
                return await self._stores.stage.touch(self.stream, asked, reason)

    async def _restage(
        self,
        kind: str,
        found: Mapping[str, OwnerState],
        staged: Mapping[AggregateKey, AggregateRows],
        version: Version,
    ) -> None:
        for table in self._kinds[kind].translation.shape.tables:
            fresh = [
                row for state in found.values() for row in (state.raw or {}).get(table.name, ())
            ]
            there = {key_text(table, row) for row in fresh}
            gone = {
                key_text(table, row) for rows in staged.values() for row in rows.get(table.name, ())
            } - there
            if fresh:
                await self._stores.stage.deliver(table, fresh, version)
            if gone:
                await self._stores.stage.bury(table, gone, version)
