"""The core's tables as captured ones."""

from __future__ import annotations

import sqlalchemy as sa

from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from new_core.storage import UtcDateTime

_KINDS: tuple[tuple[type[object], ColumnKind], ...] = (
    (sa.Uuid, ColumnKind.UUID),
    (sa.Boolean, ColumnKind.BOOLEAN),
    (sa.Integer, ColumnKind.INTEGER),
    (sa.Date, ColumnKind.DAY),
)


def core_table(table: sa.Table, *, is_fenced: bool = True) -> Table:
    """A table of the core as capture knows it."""
    return Table(
        table.name,
        tuple(column.name for column in table.primary_key),
        {column.name: _column(column) for column in table.columns},
        is_fenced=is_fenced,
    )


def _column(column: sa.Column[object]) -> Column:
    if isinstance(column.type, UtcDateTime):
        return Column(ColumnKind.MOMENT)
    for kind, found in _KINDS:
        if isinstance(column.type, kind):
            return Column(found)
    return Column(ColumnKind.TEXT)
