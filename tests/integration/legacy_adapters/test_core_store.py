"""The core's tables, written by the replicator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest
import sqlalchemy as sa

from legacy_adapters.errors import FencedOut
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Side, Version
from legacy_adapters.ports.fences import CoreStore
from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.core_store import SqlCoreStore
from legacy_adapters.storage.fences_open import open_fences
from new_core.errors import InvalidValue, WriteFenced
from new_core.storage import SqlDatabase, connection_of, make_engine, make_reader, upgrade
from tests.support.databases import database_of

pytestmark = pytest.mark.integration

STREAM = "legacy>core"
STALE = Table("search_stale", ("product_id",), {})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database_of(request, tmp_path_factory) as found:
        yield found


@pytest.fixture
async def database(url: str) -> AsyncIterator[SqlDatabase]:
    engine = make_engine(url)
    await upgrade(engine)
    await upgrade_sync(engine)
    found = SqlDatabase(engine, make_reader(url))
    yield found
    await found.dispose()


@pytest.fixture
def store(database: SqlDatabase) -> CoreStore:
    return SqlCoreStore(database)


async def stale_products(database: SqlDatabase) -> int:
    async with database.reading() as uow:
        found = await connection_of(uow).scalar(sa.text("SELECT count(*) FROM search_stale"))
        return int(found or 0)


async def clear(database: SqlDatabase) -> None:
    async with database.writing() as uow:
        await connection_of(uow).execute(sa.text("DELETE FROM search_stale"))
        await uow.commit()


async def test_what_the_unit_of_work_writes_stays_with_its_marks(
    database: SqlDatabase, store: CoreStore
) -> None:
    one = UUID(int=7)

    async with store.writing(STREAM, "catalog", 3, 40) as (uow, marks):
        await connection_of(uow).execute(sa.text("DELETE FROM search_stale"))
        await marks.stamp("product", {one: Version(3, 40)}, [one])
        await marks.barrier("catalog", 2)

    assert await store.applied() == {(STREAM, "catalog"): (3, 2, 40)}
    async with store.writing(STREAM, "catalog", 3, 41) as (_, marks):
        assert await marks.versions("product", [one]) == {one: Version(3, 40)}


async def test_an_older_applier_is_fenced_out_of_the_core(store: CoreStore) -> None:
    async with store.writing(STREAM, "catalog", 3, 40):
        pass

    with pytest.raises(FencedOut):
        async with store.writing(STREAM, "catalog", 2, 41):
            pass

    assert await store.applied() == {(STREAM, "catalog"): (3, 0, 40)}


async def test_a_refused_row_of_the_core_is_its_own_error_and_nothing_stays(
    store: CoreStore,
) -> None:
    async def write() -> None:
        async with store.writing(STREAM, "catalog", 3, 40) as (uow, _):
            await connection_of(uow).execute(sa.text("INSERT INTO mig_fence (domain) VALUES ('x')"))

    with pytest.raises(InvalidValue):
        await write()

    assert await store.applied() == {}


async def test_the_replicator_writes_to_a_closed_core_and_nobody_else(
    url: str, database: SqlDatabase, store: CoreStore
) -> None:
    fences = open_fences(url, Side.CORE)
    await fences.install({"catalog": (STALE,)}, Side.LEGACY)

    async with store.writing(STREAM, "catalog", 1, 40) as (uow, _):
        await connection_of(uow).execute(
            sa.text("INSERT INTO search_stale (product_id, mark) VALUES (:id, 1)"),
            {"id": UUID(int=1).hex},
        )

    assert await stale_products(database) == 1
    with pytest.raises(WriteFenced, match="catalog"):
        await clear(database)
    assert await stale_products(database) == 1
    await fences.close()


async def test_a_heart_beats_in_the_core(database: SqlDatabase, store: CoreStore) -> None:
    await store.beat("core", 1, 1_000)
    await store.beat("core", 2, 2_000)

    async with database.reading() as uow:
        found = await connection_of(uow).execute(sa.text("SELECT beat, sent_us FROM mig_heartbeat"))
        assert [tuple(row) for row in found] == [(2, 2000)]


async def test_reading_sees_one_state_of_the_core(store: CoreStore, database: SqlDatabase) -> None:
    count = sa.text("SELECT count(*) FROM mig_heartbeat")

    async with store.reading() as uow:
        before = await connection_of(uow).scalar(count)
        await store.beat("core", 1, 1_000)
        after = await connection_of(uow).scalar(count)

    assert (before, after) == (0, 0)
