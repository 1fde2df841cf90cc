"""A domain that the core owns: its documents are right, the legacy's rows have to follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from legacy_adapters.mapping.aggregates import AggregateKey, AggregateRows
from legacy_adapters.mapping.rows import Table, key_text
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.capture import ChangeSource, Snapshot
from legacy_adapters.ports.documents import Kind
from legacy_adapters.service.comparing_sides import forward_or_reason, known_ids, read_aggregates
from new_core.ports import UnitOfWork
from shadow_compare.core.drift_class import Clues
from shadow_compare.core.reconcile_judge import OtherState, OwnerState
from shadow_compare.service.reconciling_sides import OwnedDomain, unavailable

_IDS = 1 << 128


class CoreView:
    """Implements ports.reconciling.OwnerView over a unit of work of the core.

    The snapshot was opened before the unit of work: every commit up to its place is in it, and
    so in what is read later. What is read was committed before the log is asked for its end.
    """

    def __init__(
        self, uow: UnitOfWork, snapshot: Snapshot, log: ChangeSource, kinds: Mapping[str, Kind[Any]]
    ) -> None:
        self._uow = uow
        self._snapshot = snapshot
        self._log = log
        self._kinds = kinds
        self._high: int | None = None

    @property
    def low(self) -> int:
        return self._snapshot.low.order

    async def high(self) -> int:
        # A unit of work sees one state, so that the first answer holds for all later reads.
        if self._high is None:
            with unavailable():
                self._high = (await self._log.here()).order
        return self._high

    async def page(
        self, kind: str, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[OwnerState]:
        documents = self._kinds[kind].documents
        with unavailable():
            ids = await documents.page(self._uow, None if after is None else UUID(after), size)
        wanted = [one for one in ids if to is None or one <= UUID(to)]
        found = await self.some(kind, [str(one) for one in wanted])
        return [found[str(one)] for one in wanted]

    async def some(self, kind: str, keys: Collection[str]) -> Mapping[str, OwnerState]:
        with unavailable():
            documents = self._kinds[kind].documents
            found = await documents.read(self._uow, [UUID(key) for key in keys])
        return {
            key: OwnerState(key, UUID(key), found.get(UUID(key)), rows=int(UUID(key) in found))
            for key in keys
        }

    async def present(self, kind: str, keys: Collection[str]) -> frozenset[str]:
        found = await self.some(kind, keys)
        return frozenset(key for key, state in found.items() if state.document is not None)

    async def count(self, kind: str) -> int:
        with unavailable():
            shape = self._kinds[kind].documents.shapes[0]
            return await self._snapshot.count(shape.root)

    async def splits(self, kind: str, parts: int) -> Sequence[str]:  # noqa: ARG002 - the port's
        """Even parts of all ids that there could be, whatever the kind."""
        return [str(UUID(int=_IDS * number // parts)) for number in range(1, parts)]


class CoreOwned(OwnedDomain):
    """Implements ports.reconciling.ComparedSides while the core owns."""

    owner = Side.CORE

    @asynccontextmanager
    async def view(self) -> AsyncIterator[CoreView]:
        with unavailable():
            async with self._stores.core.snapshot() as snapshot, self._stores.reading() as uow:
                yield CoreView(uow, snapshot, self._stores.core, self._kinds)

    async def other(self, kind: str, owner: Sequence[OwnerState]) -> Mapping[str, OtherState]:
        ids = [one.core_id for one in owner if one.core_id is not None]
        translation = self._kinds[kind].translation
        async with self.reading() as uow:
            names = await self.names(uow, kind, ids)
            rows = await self._rows(kind, set(names.values()))
            known = await known_ids(uow, self._stores.system, translation, rows.values())
        orders = await self._stores.legacy_versions.orders(kind, ids)
        found = {}
        for one in ids:
            aggregate = rows.get(names.get(one, ""))
            document, reason = None, ""
            if aggregate is not None:
                document, reason = forward_or_reason(translation, aggregate, known)
            unreadable = {"unreadable": reason} if reason else None
            found[str(one)] = OtherState(document or unreadable, orders.get(one, 0))
        return found

    async def _rows(self, kind: str, keys: Collection[str]) -> Mapping[str, AggregateRows]:
        shape = self._kinds[kind].translation.shape
        with unavailable():
            async with self._stores.legacy.snapshot() as snapshot:
                roots = await snapshot.some(shape.root, shape.root.key[0], keys) if keys else ()
                return await read_aggregates(snapshot, shape, roots)

    async def unstaged(
        self,
        kind: str,  # noqa: ARG002 - the port's
        owner: Sequence[OwnerState],  # noqa: ARG002
    ) -> frozenset[str]:
        """Of the core nothing is staged."""
        return frozenset()

    async def across(
        self, kind: str, after: str | None, size: int
    ) -> Sequence[tuple[str, str | None]]:
        root: Table = self._kinds[kind].translation.shape.root
        with unavailable():
            async with self._stores.legacy.snapshot() as snapshot:
                keys = [key_text(root, row) for row in await snapshot.page(root, after, size)]
        async with self.reading() as uow:
            entity_type = self._kinds[kind].translation.entity_type
            named = await uow.refs.internal(self._stores.system, entity_type, keys)
            ids = await self.ids(uow, kind, keys)
        return [
            (key, None if key not in named and not root.is_fenced else str(ids[key]))
            for key in keys
        ]

    async def changed(
        self, kind: str, behind: int, after: str | None, size: int
    ) -> Sequence[tuple[str, str]]:
        since = None if after is None else UUID(after)
        ids = await self._stores.legacy_versions.behind(kind, behind, since, size)
        return [(str(one), str(one)) for one in ids]

    async def clues(
        self, kind: str, pairs: Sequence[tuple[OwnerState, OtherState]]
    ) -> Mapping[str, Clues]:
        ids = [one.core_id for one, _ in pairs if one.core_id is not None]
        translation = self._kinds[kind].translation
        async with self.reading() as uow:
            names = await self.names(uow, kind, ids)
            pointed = {
                owner.key: translation.points_at(owner.document)
                for owner, other in pairs
                if owner.document is not None and other.document is None
            }
            every = [one.id for some in pointed.values() for one in some]
            numbers = await uow.refs.external(self._stores.system, every)
        rogues = {
            key
            for table, key in await self.rogue_keys(Side.LEGACY)
            if table == translation.shape.root.name
        }
        return {
            owner.key: Clues(
                known_as=owner.key,
                missing_parents=tuple(
                    f"{one.entity_type} {one.id}"
                    for one in pointed.get(owner.key, ())
                    if one.id not in numbers
                ),
                is_rogue=owner.core_id is not None and names.get(owner.core_id) in rogues,
            )
            for owner, _ in pairs
        }

    async def take_across(self, kind: str, keys: Collection[str], reason: str) -> int:
        asked = [AggregateKey(kind, key) for key in keys]
        with unavailable():
            return await self._stores.stage.touch(self.stream, asked, reason)
