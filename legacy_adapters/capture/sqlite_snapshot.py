"""One state of a SQLite database with its place in the log."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from legacy_adapters.capture.key_texts import key_parts
from legacy_adapters.capture.sqlite_file import opened, translating
from legacy_adapters.capture.sqlite_log import ends
from legacy_adapters.capture.sqlite_triggers import as_text, quoted
from legacy_adapters.mapping.rows import ColumnKind, Row, Table, key_text, plain
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Snapshot

_WAIT_S = 5.0
_CHUNK = 500


@asynccontextmanager
async def open_snapshot(path: Path) -> AsyncIterator[Snapshot]:
    """A read transaction that begins by reading the log's end: both are of one state."""
    connection = await asyncio.to_thread(opened, path, writes=False, wait_s=_WAIT_S)
    try:
        place = await asyncio.to_thread(_begun, connection)
    except BaseException:
        connection.close()
        raise
    snapshot = SqliteSnapshot(connection, place)
    try:
        yield snapshot
    finally:
        await asyncio.to_thread(snapshot.close)


def _begun(connection: sqlite3.Connection) -> Position:
    with translating():
        connection.execute("BEGIN")
    found = ends(connection)
    return found.at(found.last)


class SqliteSnapshot:
    """A `Snapshot`; its calls take turns in threads."""

    def __init__(self, connection: sqlite3.Connection, place: Position) -> None:
        self._connection = connection
        self._place = place
        self._running = threading.Lock()

    @property
    def low(self) -> Position:
        return self._place

    @property
    def high(self) -> Position:
        return self._place

    async def count(self, table: Table) -> int:
        of = quoted(table.name)
        ((rows,),) = await self._run(f"SELECT count(*) FROM {of}")  # noqa: S608 - a quoted name
        return int(rows)

    async def page(
        self, table: Table, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[Row]:
        wheres: list[str] = []
        values: list[object] = []
        for sign, edge in ((">", after), ("<=", to)):
            if edge is not None:
                parts = await self._key(table, edge)
                wheres.append(f"({_listed(table.key)}) {sign} ({', '.join('?' * len(parts))})")
                values += parts
        where = f" WHERE {' AND '.join(wheres)}" if wheres else ""
        return await self._rows(
            table, f"{where} ORDER BY {_listed(table.key)} LIMIT {int(size)}", values
        )

    async def some(self, table: Table, column: str, values: Collection[str]) -> Sequence[Row]:
        asked = [await self._native(table, column, text) for text in sorted(set(values))]
        found: dict[str, Row] = {}
        for begin in range(0, len(asked), _CHUNK):
            part = asked[begin : begin + _CHUNK]
            marks = ", ".join("?" * len(part))
            for row in await self._rows(table, f" WHERE {quoted(column)} IN ({marks})", part):
                found[key_text(table, row)] = row
        return [found[key] for key in sorted(found, key=lambda key: _order(table, found[key]))]

    async def splits(self, table: Table, parts: int) -> Sequence[str]:
        if parts < 2:
            return ()
        names = _listed(table.key)
        numbered = (
            f"SELECT {names}, row_number() OVER (ORDER BY {names}) AS at,"  # noqa: S608 - quoted names
            f" count(*) OVER () AS rows FROM {quoted(table.name)}"
        )
        rows = await self._run(
            f"SELECT {names} FROM ({numbered})"  # noqa: S608 - quoted names
            " WHERE at < rows AND at % max((rows + ?1 - 1) / ?1, 1) = 0 ORDER BY at",
            parts,
        )
        return [key_text(table, _cells(table, table.key, row)) for row in rows][: parts - 1]

    async def _key(self, table: Table, text: str) -> list[object]:
        parts = zip(table.key, key_parts(table, text), strict=True)
        return [await self._native(table, name, part) for name, part in parts]

    async def _native(self, table: Table, column: str, text: str) -> object:
        """A cell's text as SQLite compares it with the column's cells."""
        kind = table.columns[column].kind
        if kind is ColumnKind.INTEGER:
            return int(text) if text.removeprefix("-").isdecimal() else text
        if kind is ColumnKind.BOOLEAN:
            return int(text == "True")
        if kind is not ColumnKind.UUID:
            return text
        # Django writes them without hyphens, others with.
        name, of = quoted(column), quoted(table.name)
        widest = f"SELECT max(length(w)) FROM (SELECT {name} AS w FROM {of} LIMIT 1)"  # noqa: S608 - quoted names
        ((width,),) = await self._run(widest)
        return text.replace("-", "") if width == 32 else text

    async def _rows(self, table: Table, rest: str, values: Sequence[object]) -> Sequence[Row]:
        names = tuple(table.columns)
        select = f"SELECT {_listed(names)} FROM {quoted(table.name)}{rest}"  # noqa: S608 - quoted names
        return [_cells(table, names, row) for row in await self._run(select, *values)]

    async def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return await asyncio.to_thread(self._fetch, statement, values)

    def close(self) -> None:
        """End the view, behind a call that is still running in another thread."""
        with self._running:
            self._connection.close()

    def _fetch(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._running, translating():
            # Here texts are told from blobs by the factory: it is asked for texts alone.
            self._connection.text_factory = as_text
            return self._connection.execute(statement, values).fetchall()


def _cells(table: Table, names: Sequence[str], row: Sequence[Any]) -> Row:
    return {name: plain(table.columns[name], cell) for name, cell in zip(names, row, strict=True)}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _order(table: Table, row: Row) -> tuple[tuple[bool, Any], ...]:
    return tuple((isinstance(row[name], str), row[name]) for name in table.key)
