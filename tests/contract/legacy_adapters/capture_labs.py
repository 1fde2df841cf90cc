"""What every database looks like on which sources of changes are tried.

A way of capturing has a lab of its own, which stands in capture_registry.LABS.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from typing_extensions import override

from legacy_adapters.mapping.marks import APPLIED, FENCE, HEARTBEAT, MARKS, REPLICATOR
from legacy_adapters.mapping.rows import Cell, Column, ColumnKind, Row, Table
from legacy_adapters.ports.capture import ChangeSource

_INTEGER, _TEXT = Column(ColumnKind.INTEGER), Column(ColumnKind.TEXT)

ITEM = Table(
    "lab_item",
    ("id",),
    {
        "id": _INTEGER,
        "name": _TEXT,
        "price": Column(ColumnKind.DECIMAL, 2),
        "is_public": Column(ColumnKind.BOOLEAN),
        "weight": Column(ColumnKind.NUMBER),
        "made_at": Column(ColumnKind.MOMENT),
        "made_on": Column(ColumnKind.DAY),
        "code": Column(ColumnKind.UUID),
        "extra": Column(ColumnKind.JSON),
        "picture": Column(ColumnKind.BYTES),
    },
)
PART = Table("lab_part", ("item", "place"), {"item": _INTEGER, "place": _TEXT, "units": _INTEGER})
TABLES = (ITEM, PART)
STREAM = "legacy>core"


def item(number: int, **cells: Cell) -> Row:
    """A row of ITEM: all cells but the named ones are NULL, its name is "item N"."""
    empty: dict[str, Cell] = dict.fromkeys(ITEM.columns)
    return empty | {"id": number, "name": f"item {number}"} | cells


def part(number: int, place: str, units: int = 1) -> Row:
    """A row of PART."""
    return {"item": number, "place": place, "units": units}


class Lab(Protocol):
    """A database of one test, empty but for TABLES and MARKS (fence rows of one domain in it).

    Attributes:
        engine: for writers; a transaction of it is one commit of an application.
        is_server: connections to it can be cut, and it can be started anew.
    """

    @property
    def engine(self) -> AsyncEngine: ...

    @property
    def is_server(self) -> bool: ...

    def source(self, tables: Sequence[Table] = TABLES, name: str = STREAM) -> ChangeSource:
        """A new source on it; the test closes it."""
        ...

    async def cut(self) -> None:
        """Cut all connections of readers; the server goes on."""
        ...

    async def restart(self) -> None:
        """Stop the server hard and start it again; a file-based one does nothing."""
        ...

    async def lose_log(self, source: ChangeSource) -> None:
        """Make it that the log is gone which the source has not read yet."""
        ...

    async def poison(self, number: int) -> str:
        """Insert an ITEM of that number with a cell that is nothing of its kind.

        Returns the cell's column.
        """
        ...


Opening = Callable[[Path, int], AbstractAsyncContextManager[Lab]]
"""From a folder of the test and the port of PostgreSQL (fixture `postgres_port`)."""


async def make_tables(engine: AsyncEngine) -> None:
    """TABLES and MARKS, with a fence row "catalog", owned by the legacy, term 1."""
    async with engine.begin() as connection:
        await connection.run_sync(metadata_for(engine).create_all)
        await insert(connection, FENCE, {"domain": "catalog", "owner": "legacy", "term": 1})


def metadata_for(engine: AsyncEngine) -> sa.MetaData:
    """TABLES and MARKS with the column types of an engine's database."""
    found, of = sa.MetaData(), _TYPES[engine.dialect.name]
    for table in (*TABLES, *MARKS):
        columns = (
            sa.Column(
                name, _type(of, table, name), primary_key=name in table.key, autoincrement=False
            )
            for name in table.columns
        )
        sa.Table(table.name, found, *columns)
    return found


async def insert(connection: AsyncConnection, table: Table, *rows: Row) -> None:
    """Insert rows."""
    into = metadata_for(connection.engine).tables[table.name]
    values = [{name: native(table.columns[name], cell, connection) for name, cell in row.items()}
              for row in rows]  # fmt: skip
    await connection.execute(sa.insert(into), values)


async def update(connection: AsyncConnection, table: Table, key: Row, cells: Row) -> None:
    """Give the row of a key new cells."""
    of = metadata_for(connection.engine).tables[table.name]
    values = {name: native(table.columns[name], cell, connection) for name, cell in cells.items()}
    await connection.execute(sa.update(of).where(_is(of, key)).values(values))


async def delete(connection: AsyncConnection, table: Table, key: Row) -> None:
    """Delete the row of a key."""
    of = metadata_for(connection.engine).tables[table.name]
    await connection.execute(sa.delete(of).where(_is(of, key)))


@asynccontextmanager
async def as_replicator(
    lab: Lab, domain: str = "catalog", position: int = 1
) -> AsyncIterator[AsyncConnection]:
    """A transaction of the replicator: it writes APPLIED first, and once more last."""
    async with lab.engine.begin() as connection:
        await _play(connection, REPLICATOR)
        await _sign(connection, domain, position - 1)
        yield connection
        await _sign(connection, domain, position)
        await _play(connection, "")


async def beat(lab: Lab, number: int) -> None:
    """Write the heartbeat row, as the replicator does outside of its transactions."""
    async with lab.engine.begin() as connection:
        await delete(connection, HEARTBEAT, {"name": "lab"})
        await insert(connection, HEARTBEAT, {"name": "lab", "beat": number, "sent_us": number})


async def _play(connection: AsyncConnection, role: str) -> None:
    """SQLite has no session that could say who writes, so a row does, until the commit."""
    if connection.dialect.name == "sqlite":
        await connection.execute(sa.text("UPDATE mig_role SET role = :role"), {"role": role})


async def _sign(connection: AsyncConnection, domain: str, position: int) -> None:
    key: Row = {"stream": STREAM, "domain": domain}
    of = metadata_for(connection.engine).tables[APPLIED.name]
    changed = await connection.execute(
        sa.update(of).where(_is(of, key)).values(position=position, term=1)
    )
    if changed.rowcount == 0:
        await insert(connection, APPLIED, {**key, "term": 1, "barrier": 0, "position": position})


def _is(of: sa.Table, key: Row) -> sa.ColumnElement[bool]:
    return sa.and_(*(of.c[name] == cell for name, cell in key.items()))


def native(column: Column, cell: Cell, connection: AsyncConnection) -> Any:
    """A plain cell as the engine's driver wants it."""
    if cell is None or not isinstance(cell, str):
        return cell
    read = _NATIVE.get(column.kind)
    found = read(cell) if read else cell
    if isinstance(found, Decimal) and connection.dialect.name == "sqlite":
        return float(found)
    if isinstance(found, datetime) and connection.dialect.name != "postgresql":
        return found.replace(tzinfo=None)
    return found


_NATIVE: Mapping[ColumnKind, Callable[[str], Any]] = {
    ColumnKind.DECIMAL: Decimal,
    ColumnKind.NUMBER: float,
    ColumnKind.MOMENT: datetime.fromisoformat,
    ColumnKind.DAY: date.fromisoformat,
    ColumnKind.UUID: UUID,
    ColumnKind.BYTES: base64.b64decode,
}


class _JsonText(sa.types.UserDefinedType[str]):
    """A column of JSON that takes and gives text as it is."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    @override
    def get_col_spec(self, **_options: object) -> str:
        return self.name


class _Hexed(sa.types.TypeDecorator[bytes]):
    """Bytes for aiomysql, which asks pymysql to escape them by a function that is gone there."""

    impl = sa.LargeBinary
    cache_ok = True

    @override
    def process_bind_param(self, value: bytes | None, dialect: sa.Dialect) -> Any:
        return None if value is None else value.hex()

    @override
    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return lambda value: self.process_bind_param(value, dialect)

    @override
    def bind_expression(self, bindparam: sa.BindParameter[bytes]) -> sa.ColumnElement[bytes]:
        return sa.func.unhex(bindparam)


_ANY: Mapping[ColumnKind, Any] = {
    ColumnKind.INTEGER: sa.BigInteger(),
    ColumnKind.BOOLEAN: sa.Boolean(),
    ColumnKind.TEXT: sa.Text(),
    ColumnKind.DECIMAL: sa.Numeric(12, 2),
    ColumnKind.NUMBER: sa.Double(),
    ColumnKind.MOMENT: sa.DateTime(timezone=True),
    ColumnKind.DAY: sa.Date(),
    ColumnKind.UUID: sa.Uuid(),
    ColumnKind.JSON: sa.Text(),
    ColumnKind.BYTES: sa.LargeBinary(),
}
_MYSQL = {
    **_ANY,
    ColumnKind.TEXT: LONGTEXT(),
    ColumnKind.MOMENT: DATETIME(fsp=6),
    ColumnKind.BYTES: _Hexed(),
}
_TYPES: Mapping[str, Mapping[ColumnKind, Any]] = {
    "sqlite": {**_ANY, ColumnKind.DECIMAL: sa.Numeric(12, 2, asdecimal=False)},
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "postgresql": {**_ANY, ColumnKind.JSON: _JsonText("jsonb")},
}


def _type(of: Mapping[ColumnKind, Any], table: Table, name: str) -> Any:
    kind = table.columns[name].kind
    return sa.String(100) if kind is ColumnKind.TEXT and name in table.key else of[kind]
