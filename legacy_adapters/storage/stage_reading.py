"""Aggregates as the stage has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.landing import Staged
from legacy_adapters.mapping.membership import Membership
from legacy_adapters.mapping.rows import Row, Table, load_row
from legacy_adapters.mapping.versions import NEVER
from legacy_adapters.storage.stage_rows import StageRows


async def staged(
    stage: StageRows, homes: Membership, keys: Collection[AggregateKey]
) -> dict[AggregateKey, Staged]:
    """What is there of each; aggregates of which no row was ever seen are absent."""
    found = await stage.of(keys)
    return {key: _staged(key, homes, rows) for key, rows in found.items()}


def _staged(key: AggregateKey, homes: Membership, found: Iterable[Any]) -> Staged:
    rows: Mapping[str, list[Row]] = defaultdict(list)
    names: Mapping[str, list[str]] = defaultdict(list)
    version, is_gone = NEVER, False
    for table, pk, text, of_row, is_deleted in found:
        version = max(version, of_row)
        names[table].append(pk)
        if text is not None:
            rows[table].append(load_row(text))
        elif homes[table].depth == 0:
            # What is only expected to come was never there, and so is not gone.
            is_gone = is_deleted and of_row > NEVER
    ordered = {
        table: tuple(sorted(some, key=lambda row: _order(homes[table].table, row)))
        for table, some in rows.items()
    }
    kept = {table: tuple(sorted(some)) for table, some in names.items()}
    return Staged(key, ordered, kept, version, is_gone)


def _order(table: Table, row: Row) -> tuple[tuple[bool, Any], ...]:
    cells = [row[column] for column in table.key]
    return tuple((isinstance(cell, str), cell) for cell in cells)
