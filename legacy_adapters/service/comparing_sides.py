"""Whole aggregates of a legacy store, read from a snapshot in a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows, Child, Pointed, Shape
from legacy_adapters.mapping.membership import cell_text
from legacy_adapters.mapping.rows import Row, Table, key_text
from legacy_adapters.ports.capture import Snapshot
from legacy_adapters.ports.documents import Translation
from new_core.ports import UnitOfWork

_LOT = 5_000

Known = Mapping[tuple[str, str], UUID]


async def read_aggregates(
    snapshot: Snapshot, shape: Shape, roots: Sequence[Row]
) -> Mapping[str, AggregateRows]:
    """All rows of the aggregates of these root rows, by key, one statement for each table and
    few thousand rows of it.
    """
    of = {key_text(shape.root, row): {shape.root.name: [row]} for row in roots}
    # Row of a table to the aggregate that has it: what hangs on it is looked up by this.
    homes: dict[str, dict[str, str]] = {shape.root.name: {key: key for key in of}}
    for part in shape.parts:
        above = part.of or shape.root.name
        if isinstance(part, Child):
            found = await _children(snapshot, part, homes[above])
        else:
            found = await _pointed(snapshot, part, _rows_of(of, above))
        homes[part.table.name] = {}
        for key, row in found:
            of[key].setdefault(part.table.name, []).append(row)
            homes[part.table.name][key_text(part.table, row)] = key
    tables = {table.name: table for table in shape.tables}
    return {
        key: {name: in_order(tables[name], rows) for name, rows in some.items()}
        for key, some in of.items()
    }


async def _children(
    snapshot: Snapshot, part: Child, homes: Mapping[str, str]
) -> list[tuple[str, Row]]:
    rows = await _some(snapshot, part.table, part.by, homes)
    named = ((cell_text(row[part.by]), row) for row in rows)
    return [(homes[name], row) for name, row in named if name is not None and name in homes]


async def _pointed(
    snapshot: Snapshot, part: Pointed, holders: Iterable[tuple[str, Row]]
) -> list[tuple[str, Row]]:
    by: dict[str, list[str]] = defaultdict(list)
    for key, row in holders:
        name = cell_text(row[part.by])
        if name is not None and key not in by[name]:
            by[name].append(key)
    rows = await _some(snapshot, part.table, part.table.key[0], by)
    return [(key, row) for row in rows for key in by.get(key_text(part.table, row), ())]


async def _some(
    snapshot: Snapshot, table: Table, column: str, values: Collection[str]
) -> list[Row]:
    asked, found = sorted(values), list[Row]()
    for at in range(0, len(asked), _LOT):
        found += await snapshot.some(table, column, asked[at : at + _LOT])
    return found


def _rows_of(of: Mapping[str, Mapping[str, list[Row]]], table: str) -> Iterable[tuple[str, Row]]:
    return [(key, row) for key, some in of.items() for row in some.get(table, ())]


def in_order(table: Table, rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows in the order of their keys, whole numbers as such, as the stage has them."""

    def order(row: Row) -> tuple[tuple[bool, Any], ...]:
        cells = [row[column] for column in table.key]
        return tuple((isinstance(cell, str), cell) for cell in cells)

    return tuple(sorted(rows, key=order))


async def known_ids(
    uow: UnitOfWork,
    system: str,
    translation: Translation[Any],
    aggregates: Iterable[AggregateRows],
) -> Known:
    """What the core calls what these rows name, where it has a name for it of its own."""
    asked: dict[str, set[str]] = defaultdict(set)
    for rows in aggregates:
        for entity_type, key in translation.refers(rows):
            asked[entity_type].add(key)
    found: dict[tuple[str, str], UUID] = {}
    for entity_type, keys in asked.items():
        refs = await uow.refs.internal(system, entity_type, keys)
        found |= {(entity_type, key): ref.internal_id for key, ref in refs.items()}
    return found


def forward_or_reason(
    translation: Translation[Any], rows: AggregateRows, known: Known
) -> tuple[Any | None, str]:
    """The document of rows, or None and why there is none."""
    try:
        return translation.forward(rows, known), ""
    except RowCorrupt as exc:
        return None, str(exc)
