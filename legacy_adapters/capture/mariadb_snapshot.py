"""One state of a MariaDB with its exact place in the log."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from legacy_adapters.capture.key_texts import key_parts
from legacy_adapters.capture.mariadb_server import Server, Session, Value, position_of
from legacy_adapters.capture.mariadb_values import as_cell
from legacy_adapters.errors import SourceUnfit
from legacy_adapters.mapping.rows import ColumnKind, Row, Table, key_text
from legacy_adapters.mapping.versions import Position

_COUNTED_ROWS = 1_000_000

T = TypeVar("T")


@asynccontextmanager
async def snapshot(server: Server) -> AsyncIterator[MariaDbSnapshot]:
    """Open a state for reading; writers are not held up by it."""
    session = await asyncio.to_thread(Session.opened, server)
    try:
        yield await asyncio.to_thread(MariaDbSnapshot.begun, server, session)
    finally:
        # A question that was given up may still be asked in its thread.
        session.cut()
        session.close()


class MariaDbSnapshot:
    """`START TRANSACTION WITH CONSISTENT SNAPSHOT` waits until no commit is half done between
    log and engine, and notes its place in the log: `low` and `high` are the same.
    """

    def __init__(
        self, session: Session, position: Position, types: Mapping[tuple[str, str], str]
    ) -> None:
        self._session = session
        self._position = position
        self._types = types
        self._asking = asyncio.Lock()

    @classmethod
    def begun(cls, server: Server, session: Session) -> MariaDbSnapshot:
        """Begin on a new session."""
        # Its own statement is refused where tables are locked or changed by DDL: so it comes first.
        session.rows("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        position = snapshot_position(session)
        types = {
            (str(table), str(column)): str(told)
            for table, column, told in session.rows(
                "SELECT table_name, column_name, column_type FROM information_schema.columns "
                "WHERE table_schema = %s",
                server.database,
            )
        }
        return cls(session, position, types)

    @property
    def low(self) -> Position:
        return self._position

    @property
    def high(self) -> Position:
        return self._position

    async def count(self, table: Table) -> int:
        """Exact below a million rows, else InnoDB's guess."""
        return await self._ask(self._count, table)

    async def page(
        self, table: Table, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[Row]:
        """As Snapshot.page."""
        bounds = [self._bound(table, after, ">")] if after is not None else []
        bounds += [self._bound(table, to, "<=")] if to is not None else []
        where = " AND ".join(text for text, _ in bounds)
        values = [value for _, part in bounds for value in part]
        return await self._ask(self._rows, table, where, values, size)

    async def some(self, table: Table, column: str, values: Collection[str]) -> Sequence[Row]:
        """As Snapshot.some."""
        wanted = []
        for value in values:
            with contextlib.suppress(ValueError):  # what is none of the kind is in no row
                wanted.append(self._value(table, column, value))
        if not wanted:
            return ()
        marks = ", ".join(["%s"] * len(wanted))
        return await self._ask(self._rows, table, f"{_quoted(column)} IN ({marks})", wanted, None)

    async def splits(self, table: Table, parts: int) -> Sequence[str]:
        """As Snapshot.splits; walks through the primary key once."""
        return await self._ask(self._splits, table, parts)

    async def _ask(self, question: Callable[..., T], *arguments: Any) -> T:
        async with self._asking:
            return await asyncio.to_thread(question, *arguments)

    def _count(self, table: Table) -> int:
        guess = self._session.rows(
            "SELECT table_rows FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = %s",
            table.name,
        )
        rows = int(guess[0][0] or 0) if guess else 0
        if rows >= _COUNTED_ROWS:
            return rows
        return int(self._session.rows(f"SELECT COUNT(*) FROM {_quoted(table.name)}")[0][0])  # noqa: S608

    def _rows(
        self, table: Table, where: str, values: Sequence[Value], size: int | None
    ) -> Sequence[Row]:
        names = tuple(table.columns)
        wanted = ", ".join(self._selected(table, name) for name in names)
        statement = (
            f"SELECT {wanted} FROM {_quoted(table.name)}"  # noqa: S608 - names of declared tables
            + (f" WHERE {where}" if where else "")
            + f" ORDER BY {_key(table)}"
            + (f" LIMIT {size:d}" if size is not None else "")
        )
        columns = tuple(table.columns.values())
        return [
            {
                name: as_cell(column, cell)
                for name, column, cell in zip(names, columns, row, strict=True)
            }
            for row in self._session.rows(statement, *values)
        ]

    def _selected(self, table: Table, name: str) -> str:
        told = self._types.get((table.name, name))
        if told is None:
            raise SourceUnfit(f"there is no {table.name}.{name}")
        if told.startswith("bit"):
            return f"{_quoted(name)} + 0"
        # A FLOAT is told with six digits only; as a DOUBLE it is told whole.
        return f"{_quoted(name)} + 0e0" if told.startswith("float") else _quoted(name)

    def _splits(self, table: Table, parts: int) -> list[str]:
        step = self._count(table) // parts
        found: list[str] = []
        while step and len(found) < parts - 1:
            where, values = self._bound(table, found[-1], ">") if found else ("", [])
            rows = self._session.rows(
                f"SELECT {_key(table)} FROM {_quoted(table.name)}"  # noqa: S608
                + (f" WHERE {where}" if where else "")
                + f" ORDER BY {_key(table)} LIMIT 1 OFFSET {step - 1:d}",
                *values,
            )
            if not rows:
                break
            cells = zip(table.key, rows[0], strict=True)
            found.append(
                key_text(table, {name: as_cell(table.columns[name], cell) for name, cell in cells})
            )
        return found

    def _bound(self, table: Table, key: str, sign: str) -> tuple[str, list[Value]]:
        """A condition on the whole key that uses its index; "<=" or ">"."""
        texts = zip(table.key, key_parts(table, key), strict=True)
        values = [self._value(table, name, text) for name, text in texts]
        names = [_quoted(name) for name in table.key]
        strict = sign[0]
        last = len(names) - 1
        choices, told = [], []
        for depth, name in enumerate(names):
            same = [f"{before} = %s" for before in names[:depth]]
            choices.append(" AND ".join([*same, f"{name} {sign if depth == last else strict} %s"]))
            told += values[: depth + 1]
        return f"({' OR '.join(choices)})", told

    def _value(self, table: Table, name: str, text: str) -> Value:
        """A key's or another cell's text as the column holds it."""
        kind = table.columns[name].kind
        if kind is ColumnKind.INTEGER:
            return int(text)
        if kind is ColumnKind.BOOLEAN:
            return int(text == "True")
        if kind is ColumnKind.BYTES:
            return base64.b64decode(text)
        if kind is ColumnKind.MOMENT:
            return text.replace("T", " ").removesuffix("Z")
        if kind is ColumnKind.UUID:
            return _uuid(text, self._types.get((table.name, name), ""))
        return text


def snapshot_position(session: Session) -> Position:
    """The place in the log of a session's snapshot."""
    told = {str(name).lower(): str(value) for name, value in session.rows(
        "SHOW STATUS LIKE 'binlog_snapshot_%%'")}  # fmt: skip
    file, place = told["binlog_snapshot_file"], told["binlog_snapshot_position"]
    gtids = session.rows("SELECT BINLOG_GTID_POS(%s, %s)", file, int(place))[0][0]
    if gtids is None:
        raise SourceUnfit(f"the server cannot say the GTID of its log's {file}, {place}")
    return position_of(_as_text(gtids))


def _as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _uuid(text: str, told: str) -> Value:
    if told.startswith("binary"):
        return bytes.fromhex(text.replace("-", ""))
    return text.replace("-", "") if "(32)" in told else text


def _key(table: Table) -> str:
    return ", ".join(_quoted(name) for name in table.key)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"
