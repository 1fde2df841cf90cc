"""How often a legacy's tables were read as its database counts it, and all that stands in them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.opening import MARIADB, SQLITE, ours
from legacy_adapters.storage.tables import marks

_BACK = stream_from(Side.CORE)
_POSTGRESQL = (
    "SELECT relname AS name, COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0) AS many"
    " FROM pg_stat_user_tables WHERE schemaname = current_schema()"
)
_MARIADB = (
    "SELECT table_name AS name, rows_read AS many FROM information_schema.table_statistics"
    " WHERE table_schema = DATABASE()"
)


async def read_counters(
    engine: AsyncEngine, tables: Collection[str]
) -> tuple[Mapping[str, int] | None, str]:
    """Rows read by table since the database counts; or None, and why it cannot tell.

    Raises:
        AdapterError: the database does not answer.
    """
    if engine.dialect.name == SQLITE:
        return None, "SQLite counts no reads"
    try:
        async with engine.connect() as connection:
            if engine.dialect.name == MARIADB:
                is_on = (await connection.execute(sa.text("SELECT @@userstat"))).scalar_one()
                if not is_on:
                    return None, "MariaDB counts no reads: userstat is off"
            is_mariadb = engine.dialect.name == MARIADB
            found = await connection.execute(sa.text(_MARIADB if is_mariadb else _POSTGRESQL))
            known = {str(row.name): int(row.many) for row in found}
    except (SQLAlchemyError, OSError) as exc:
        raise ours(exc) from exc
    return {table: known.get(table, 0) for table in sorted(tables)}, ""


@asynccontextmanager
async def whole_tables(engine: AsyncEngine) -> AsyncIterator[WholeTables]:
    """Read tables in one state of the database.

    Raises:
        AdapterError: the database does not answer.
    """
    try:
        async with engine.connect() as plain:
            if engine.dialect.name == SQLITE:
                await plain.execute(sa.text("BEGIN"))
                yield WholeTables(plain)
                await plain.rollback()
                return
            repeatable = await plain.execution_options(isolation_level="REPEATABLE READ")
            yield WholeTables(repeatable)
    except (SQLAlchemyError, OSError) as exc:
        raise ours(exc) from exc


class WholeTables:
    """Every column of every row, as lines of JSON."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lines(self, table: str) -> AsyncIterator[bytes]:
        """One object a row; bytes as {"base64": …}, what JSON has no word for as text."""
        quoted = self._connection.dialect.identifier_preparer.quote(table)
        asked = sa.text(f"SELECT * FROM {quoted}")  # noqa: S608 - quoted by the dialect
        found = await self._connection.stream(asked)
        async for row in found.mappings():
            body = json.dumps(dict(row), ensure_ascii=False, default=_json)
            yield body.encode("utf-8", "surrogatepass") + b"\n"


def _json(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


async def replicator_writes(engine: AsyncEngine, domain: str) -> int | None:
    """What the replicator has written in the legacy for a domain, ever; None before the first.

    Raises:
        AdapterError: the database does not answer, or has none of our marks.
    """
    known = marks.applied.c
    asked = sa.select(known.writes).where(known.stream == _BACK, known.domain == domain)
    try:
        async with engine.connect() as connection:
            return (await connection.execute(asked)).scalar_one_or_none()
    except (SQLAlchemyError, OSError) as exc:
        raise ours(exc) from exc
