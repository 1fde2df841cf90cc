"""Asks the core's tables whose a row is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.mapping.membership import cell_text
from legacy_adapters.mapping.rows import Column, ColumnKind, Table, plain
from legacy_adapters.storage.streams_sessions import Sessions

_AT_ONCE = 300


class SqlHolders:
    """Reads single columns of the core's tables, by keys of one column or several."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = Sessions(engine)

    async def column(
        self, table: Table, column: str, keys: Collection[str]
    ) -> Mapping[str, str | None]:
        found: dict[str, str | None] = {}
        for row in await self._rows(table, table.key, [key.split("|") for key in keys], column):
            found["|".join(row[:-1])] = row[-1]
        return found

    async def naming(
        self, table: Table, column: str, values: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for row in await self._rows(table, (column,), [[value] for value in values], *table.key):
            found[row[0]].append("|".join(row[1:]))
        return found

    async def _rows(
        self, table: Table, by: Sequence[str], values: Sequence[Sequence[str]], *wanted: str
    ) -> list[tuple[str, ...]]:
        names = (*by, *wanted)
        cells = {name: sa.column(name, _type(table.columns[name])) for name in names}
        source = sa.table(table.name, *cells.values())
        found: list[tuple[str, ...]] = []
        async with self._sessions.reading() as bulk:
            for at in range(0, len(values), _AT_ONCE):
                alike = [
                    sa.and_(*(cells[n] == _bound(table.columns[n], v)
                              for n, v in zip(by, one, strict=True)))
                    for one in values[at : at + _AT_ONCE]
                ]  # fmt: skip
                statement = sa.select(*(cells[n] for n in names)).select_from(source)
                for row in await bulk.connection.execute(statement.where(sa.or_(*alike))):
                    texts = [
                        cell_text(plain(table.columns[name], cell))
                        for name, cell in zip(names, row, strict=True)
                    ]
                    found.append(tuple(text or "" for text in texts))
        return found


def _type(column: Column) -> sa.types.TypeEngine[Any]:
    if column.kind is ColumnKind.UUID:
        return sa.Uuid()
    return sa.BigInteger() if column.kind is ColumnKind.INTEGER else sa.Text()


def _bound(column: Column, text: str) -> UUID | int | str:
    if column.kind is ColumnKind.UUID:
        return UUID(text)
    return int(text) if column.kind is ColumnKind.INTEGER else text
