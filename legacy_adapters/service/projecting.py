"""Makes documents of staged rows, many at once, within one transaction of the core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.canonical import canonical_bytes
from legacy_adapters.mapping.landing import Staged
from legacy_adapters.ports.documents import Kind
from new_core.domain.identity import core_id
from new_core.ports import UnitOfWork

Names = Mapping[tuple[str, str], UUID]
"""(entity type, legacy key) to core id."""


@dataclass(frozen=True, slots=True)
class Projected:
    """A document with what belongs to it.

    Attributes:
        names: of its own rows, those that the core's external references lack.
    """

    staged: Staged
    doc: Any
    names: Names


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Rows of which no document can be made."""

    staged: Staged
    reason: str


async def root_ids(
    uow: UnitOfWork, system: str, kind: Kind[Any], keys: Collection[str]
) -> dict[str, UUID]:
    """Core ids of aggregates by their legacy keys: as kept, or as `core_id` makes them."""
    entity_type = kind.translation.entity_type
    kept = await uow.refs.internal(system, entity_type, keys)
    return {
        key: kept[key].internal_id if key in kept else core_id(system, entity_type, key)
        for key in keys
    }


async def known_names(
    uow: UnitOfWork, system: str, kind: Kind[Any], staged: Sequence[Staged]
) -> tuple[Names, list[Unreadable]]:
    """What the core knows of all that the rows refer to, and rows that do not even say that."""
    wanted: dict[str, set[str]] = defaultdict(set)
    broken: list[Unreadable] = []
    for one in staged:
        try:
            for entity_type, key in kind.translation.refers(one.rows):
                wanted[entity_type].add(key)
        except Exception as exc:  # noqa: BLE001 - foreign rows may hold anything
            broken.append(Unreadable(one, _reason(exc)))
    known: dict[tuple[str, str], UUID] = {}
    for entity_type, keys in sorted(wanted.items()):
        for key, ref in (await uow.refs.internal(system, entity_type, sorted(keys))).items():
            known[entity_type, key] = ref.internal_id
    return known, broken


async def project(
    uow: UnitOfWork, system: str, kind: Kind[Any], staged: Sequence[Staged]
) -> tuple[list[Projected], list[Unreadable]]:
    """Documents of aggregates whose root is there."""
    known, broken = await known_names(uow, system, kind, staged)
    unreadable = {one.staged.key for one in broken}
    projected: list[Projected] = []
    for one in staged:
        if one.key in unreadable:
            continue
        try:
            doc = kind.translation.forward(one.rows, known)
            names = kind.translation.names(one.rows, known)
            canonical_bytes(doc)
        except Exception as exc:  # noqa: BLE001 - foreign rows may hold anything
            broken.append(Unreadable(one, _reason(exc)))
        else:
            new = {name: uid for name, uid in names.items() if known.get(name) != uid}
            projected.append(Projected(one, doc, new))
    return projected, broken


async def changed(
    uow: UnitOfWork, kind: Kind[Any], projected: Sequence[Projected]
) -> list[Projected]:
    """Those that the core has otherwise, or not."""
    there = await kind.documents.read(uow, [one.doc.id for one in projected])
    return [
        one
        for one in projected
        if one.doc.id not in there or canonical_bytes(there[one.doc.id]) != canonical_bytes(one.doc)
    ]


def _reason(exc: Exception) -> str:
    if isinstance(exc, RowCorrupt):
        return str(exc)
    return f"cannot be mapped: {type(exc).__name__}: {exc}"
