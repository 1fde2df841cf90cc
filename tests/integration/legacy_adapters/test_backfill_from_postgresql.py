"""The same shop in PostgreSQL gives the same core: decimals, booleans, zones and all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from legacy_adapters.oscar.mapping.columns import COLUMNS
from legacy_adapters.oscar.surroundings import TABLES
from tests.contract.legacy_adapters.shops import (
    Shop,
    prepare_shop,
    run_backfill,
)
from tests.support.databases import fresh_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_a_shop_in_postgresql_gives_the_same_core(tmp_path: Path, postgres_port: int) -> None:
    shop = prepare_shop(tmp_path / "shop", odd=True)
    core = f"sqlite:///{tmp_path / 'core.sqlite3'}"
    with fresh_database(postgres_port) as url:
        _move(shop, url)

        from_postgresql = run_backfill(url, core)
    from_sqlite = run_backfill(shop.url, core)

    assert from_postgresql.status == 0, from_postgresql.out + from_postgresql.err
    assert from_postgresql.report["entities"] == from_sqlite.report["entities"]
    assert from_sqlite.report["written"] == 0


def _move(shop: Shop, url: str) -> None:
    """Copy the shop's tables with the column types that Django makes in PostgreSQL."""
    engine = sa.create_engine(f"sqlite:///{shop.database}")
    with engine.connect() as connection:
        found = sa.MetaData()
        found.reflect(connection, only=[*COLUMNS, *TABLES])
        rows = {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in found.sorted_tables
        }
        asyncio.run(_fill(url, _plain(found), rows))
    engine.dispose()


def _plain(found: sa.MetaData) -> sa.MetaData:
    """The tables without keys and checks, times with zones."""
    plain = sa.MetaData()
    for table in found.sorted_tables:
        if table.name in (*COLUMNS, *TABLES):
            sa.Table(table.name, plain, *(sa.Column(c.name, _type(c.type)) for c in table.columns))
    return plain


def _type(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    if isinstance(kind, sa.Float):
        return sa.Double()
    if isinstance(kind, sa.Numeric):
        return sa.Numeric(12, 2)
    return sa.DateTime(timezone=True) if isinstance(kind, sa.DateTime) else kind


async def _fill(url: str, tables: sa.MetaData, rows: dict[str, list[dict[str, Any]]]) -> None:
    engine = create_async_engine(sa.make_url(url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(tables.create_all)
            for table in tables.sorted_tables:
                if rows[table.name]:
                    zoned = [
                        {name: _zoned(value) for name, value in row.items()}
                        for row in rows[table.name]
                    ]
                    await connection.execute(sa.insert(table), zoned)
    finally:
        await engine.dispose()


def _zoned(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
