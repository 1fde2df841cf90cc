"""One state of a PostgreSQL database whose place in the log is known exactly."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from legacy_adapters.capture.key_texts import key_parts
from legacy_adapters.capture.pgoutput import cell, lsn_order, lsn_text
from legacy_adapters.capture.postgres_link import quoted, translated
from legacy_adapters.capture.postgres_wire import connected, psycopg2_module
from legacy_adapters.mapping.rows import ColumnKind, Row, Table, key_text
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Snapshot

_BYTEA = 17
_GUESS_FROM = 100_000
_OPEN_S = 30.0


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows of texts, and the types of their columns in PostgreSQL."""

    kinds: list[int]
    rows: list[tuple[str | None, ...]]


@asynccontextmanager
async def open_snapshot(dsn: str) -> AsyncIterator[Snapshot]:
    """A session whose view is the database at one place of its log.

    A slot that lives as long as its connection begins exactly where its exported view ends:
    every commit before the place is in the view, and none behind it.

    Raises:
        SourceUnavailable: also when a transaction was open for too long to make a slot.
    """
    connection, order = await _opened(dsn)
    snapshot = PostgresSnapshot(connection, Position(order, lsn_text(order)))
    try:
        yield snapshot
    finally:
        await asyncio.to_thread(snapshot.close)


async def _opened(dsn: str) -> tuple[Any, int]:
    opening = asyncio.ensure_future(asyncio.to_thread(_open, dsn))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise


def _close_late(opening: asyncio.Future[tuple[Any, int]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()


def _open(dsn: str) -> tuple[Any, int]:
    driver = psycopg2_module()
    exporter = connected(dsn, replication=True)
    try:
        with exporter.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {int(_OPEN_S * 1000)}")
            cursor.execute(
                f"CREATE_REPLICATION_SLOT {quoted('banyan_view_' + secrets.token_hex(8))}"
                " TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT"
            )
            _, place, view, _ = cursor.fetchone()
        reader = connected(dsn, replication=False)
        try:
            reader.rollback()
            reader.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with reader.cursor() as cursor:
                cursor.execute("SET TRANSACTION SNAPSHOT %s", (view,))
            _give_texts(driver, reader)
        except BaseException:
            reader.close()
            raise
    except driver.Error as exc:
        raise translated(exc) from exc
    finally:
        exporter.close()
    return reader, lsn_order(place)


def _give_texts(driver: Any, connection: Any) -> None:
    """Let cells come as the server writes them, as they do in the log."""
    every = tuple(driver.extensions.string_types)
    raw = driver.extensions.new_type(every, "RAW", lambda value, _cursor: value)
    driver.extensions.register_type(raw, connection)


class PostgresSnapshot:
    """A `Snapshot`; its calls take turns in threads."""

    def __init__(self, connection: Any, place: Position) -> None:
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
        guess = await self._run(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", of
        )
        for (rows,) in guess.rows:
            if int(rows or 0) >= _GUESS_FROM:
                return int(rows or 0)
        counted = await self._run(f"SELECT count(*) FROM {of}")  # noqa: S608 - a quoted name
        ((exact,),) = counted.rows
        return int(exact or 0)

    async def page(
        self, table: Table, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[Row]:
        key = f"({_listed(table.key)})"
        wheres: list[str] = []
        values: list[str] = []
        for sign, edge in ((">", after), ("<=", to)):
            if edge is not None:
                parts = key_parts(table, edge)
                wheres.append(f"{key} {sign} ({', '.join(['%s'] * len(parts))})")
                values += parts
        where = f" WHERE {' AND '.join(wheres)}" if wheres else ""
        return await self._rows(
            table, f"{where} ORDER BY {_listed(table.key)} LIMIT {int(size)}", *values
        )

    async def some(self, table: Table, column: str, values: Collection[str]) -> Sequence[Row]:
        asked = sorted(set(values))
        if table.columns[column].kind is ColumnKind.INTEGER:
            asked = [text for text in asked if _is_whole(text)]
        if not asked:
            return []
        return await self._rows(
            table,
            f" WHERE {quoted(column)} IN ({', '.join(['%s'] * len(asked))})"
            f" ORDER BY {_listed(table.key)}",
            *asked,
        )

    async def splits(self, table: Table, parts: int) -> Sequence[str]:
        if parts < 2:
            return ()
        names = _listed(table.key)
        numbered = (
            f"SELECT {names}, row_number() OVER (ORDER BY {names}) AS at,"  # noqa: S608 - quoted names
            f" count(*) OVER () AS rows FROM {quoted(table.name)}"
        )
        found = await self._run(
            f"SELECT {names} FROM ({numbered}) AS numbered"  # noqa: S608 - quoted names
            " WHERE at < rows AND at %% greatest((rows + %s) / %s, 1) = 0 ORDER BY at",
            parts - 1,
            parts,
        )
        return [key_text(table, row) for row in _cells(table, table.key, found)][: parts - 1]

    def close(self) -> None:
        """End the view, behind a call that is still running in another thread."""
        with self._running:
            self._connection.close()

    async def _rows(self, table: Table, rest: str, *values: object) -> Sequence[Row]:
        names = tuple(table.columns)
        select = f"SELECT {_listed(names)} FROM {quoted(table.name)}{rest}"  # noqa: S608 - quoted names
        found = await self._run(select, *values)
        return _cells(table, names, found)

    async def _run(self, statement: str, *values: object) -> _Found:
        return await asyncio.to_thread(self._fetch, statement, values)

    def _fetch(self, statement: str, values: tuple[object, ...]) -> _Found:
        driver = psycopg2_module()
        try:
            with self._running, self._connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                kinds = [column.type_code for column in cursor.description]
                return _Found(kinds, cursor.fetchall())
        except driver.Error as exc:
            raise translated(exc) from exc


def _cells(table: Table, names: Sequence[str], found: _Found) -> list[Row]:
    columns = [
        (name, table.columns[name], kind == _BYTEA)
        for name, kind in zip(names, found.kinds, strict=True)
    ]
    return [
        {
            name: cell(column, text, is_bytea=is_bytea)
            for (name, column, is_bytea), text in zip(columns, row, strict=True)
        }
        for row in found.rows
    ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
