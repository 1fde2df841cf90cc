"""The migrations make the tables of the models, on both databases, and unmake them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from new_core.errors import InvalidValue, SchemaMismatch, StoreUnavailable
from new_core.storage import SqlDatabase, downgrade, make_engine, make_reader, upgrade
from new_core.storage.migrate import current_revision, head_revision
from new_core.storage.tables import metadata, search

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'core.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(url)
    yield engine
    await engine.dispose()


def _tables(connection: Connection) -> set[str]:
    return {
        name for name in sa.inspect(connection).get_table_names() if search.is_modelled(None, name)
    }


def _drift(connection: Connection) -> list[object]:
    opts = {"compare_type": True, "include_object": search.is_modelled}
    context = MigrationContext.configure(connection, opts=opts)
    return list(compare_metadata(context, metadata))


async def test_up_down_up_ends_at_the_models(engine: AsyncEngine) -> None:
    await upgrade(engine)
    await downgrade(engine, "base")
    async with engine.connect() as connection:
        left = await connection.run_sync(_tables)
    await upgrade(engine)

    async with engine.connect() as connection:
        drift = await connection.run_sync(_drift)
        there = await connection.run_sync(_tables)
    assert left == {"alembic_version"}
    assert drift == []
    assert there == {*metadata.tables, "alembic_version"}
    assert await current_revision(engine) == head_revision()


async def test_starting_twice_at_once_makes_the_tables_once(url: str) -> None:
    engines = [make_engine(url) for _ in range(4)]
    try:
        await asyncio.gather(*(upgrade(engine) for engine in engines))

        assert await current_revision(engines[0]) == head_revision()
    finally:
        for engine in engines:
            await engine.dispose()


async def test_a_newer_database_is_left_alone(engine: AsyncEngine) -> None:
    await upgrade(engine)
    async with engine.begin() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = 'zzzz'"))

    with pytest.raises(SchemaMismatch, match="zzzz"):
        await upgrade(engine)


async def test_readiness_asks_the_database(url: str, engine: AsyncEngine) -> None:
    await upgrade(engine)
    database = SqlDatabase(engine, make_reader(url))
    try:
        await database.check()
        await downgrade(engine, "base")

        with pytest.raises(SchemaMismatch, match="this program needs"):
            await database.check()
    finally:
        await database.dispose()


async def test_a_reader_writes_nothing(url: str, engine: AsyncEngine) -> None:
    await upgrade(engine)
    reader = make_reader(url)
    try:
        async with reader.connect() as connection:
            with pytest.raises(sa.exc.DBAPIError, match=r"read-?only|readonly"):
                await connection.execute(sa.text("DELETE FROM product"))
    finally:
        await reader.dispose()


async def test_a_database_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    try:
        with pytest.raises(StoreUnavailable):
            await upgrade(engine)
    finally:
        await engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense", ""])
def test_an_address_of_no_use_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match="database"):
        make_engine(url)


def test_alembics_own_command_takes_the_url(tmp_path: Path) -> None:
    config = "new_core/storage/migrations/alembic.ini"
    command = [sys.executable, "-m", "alembic", "-c", config]
    there = ["-x", f"url=sqlite:///{tmp_path / 'core.sqlite3'}"]

    done = [
        subprocess.run([*command, *there, *what], check=True, capture_output=True, text=True)
        for what in (["upgrade", "head"], ["current"], ["check"])
    ]

    assert f"{head_revision()} (head)" in done[1].stdout
    assert "No new upgrade operations" in done[2].stdout
