"""Statements on many rows at once, in SQLite's and PostgreSQL's own way."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_TYPES: Mapping[str, str] = {
    "term": "bigint",
    "position": "bigint",
    "marks": "bigint",
    "tries": "bigint",
    "wait_us": "bigint",
    "is_deleted": "boolean",
    "is_waiting": "boolean",
}


class Bulk:
    """Runs statements that have `{given}` where a table of given rows is wanted.

    One statement takes any number of rows, as one parameter on SQLite and one a column on
    PostgreSQL, so that it is prepared once and its time does not grow with round trips.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._prepared: dict[tuple[str, str], sa.TextClause] = {}

    @property
    def is_sqlite(self) -> bool:
        return self._is_sqlite

    async def run(
        self, statement: str, columns: str, rows: Iterable[Sequence[Any]], **more: Any
    ) -> Any:
        """Execute with rows of the named columns, e.g. "tbl pk"; its result."""
        names = columns.split()
        return await self.connection.execute(
            self._prepare(statement, columns, names), self._bind(names, list(rows)) | more
        )

    async def plain(self, statement: str, **parameters: Any) -> Any:
        """Execute without given rows; its result."""
        return await self.connection.execute(_text(statement), parameters)

    def _bind(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        if self._is_sqlite:
            return {"given": json.dumps(rows, ensure_ascii=False, separators=(",", ":"))}
        turned = zip(*rows, strict=True) if rows else ([] for _ in names)
        return {f"given_{name}": list(values) for name, values in zip(names, turned, strict=True)}

    def _prepare(self, statement: str, columns: str, names: Sequence[str]) -> sa.TextClause:
        if (statement, columns) not in self._prepared:
            given = self._given(names)
            self._prepared[statement, columns] = _text(statement.replace("{given}", given))
        return self._prepared[statement, columns]

    def _given(self, names: Sequence[str]) -> str:
        if self._is_sqlite:
            # A colon in a path would be a parameter; there is none in '$[0]'.
            picked = ", ".join(
                f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(names)
            )
            return f"(SELECT {picked} FROM json_each(:given)) AS given"  # noqa: S608 - own names
        arrays = ", ".join(f"CAST(:given_{name} AS {_TYPES.get(name, 'text')}[])" for name in names)
        return f"unnest({arrays}) AS given({', '.join(names)})"


@functools.lru_cache(maxsize=512)
def _text(statement: str) -> sa.TextClause:
    """Looking for a statement's parameters costs as much as sending it; there are few of them."""
    return sa.text(statement)
