"""Names of a thing in another system, and applied versions, as the tables have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.tables.marks import version
from new_core.domain.identity import ExternalRef
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade
from shadow_compare.errors import SidesUnavailable
from shadow_compare.storage.reconcile_versions import SqlAppliedVersions

pytestmark = pytest.mark.integration

AT = datetime(2026, 1, 31, 9, tzinfo=UTC)
ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'core.sqlite3'}"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    made = make_engine(url, busy_timeout_s=5.0, pool_size=2)
    await upgrade(made)
    await upgrade_sync(made)
    yield made
    await made.dispose()


async def test_a_thing_with_two_names_is_told_by_the_wanted_one(
    engine: AsyncEngine, url: str
) -> None:
    database = SqlDatabase(engine, make_reader(url, pool_size=1))
    refs = [ExternalRef("toy", of, key, ONE, "") for of, key in (("order", "7"), ("parcel", "9"))]
    async with database.writing() as uow:
        await uow.refs.put(refs, AT)
        await uow.commit()

    async with database.reading() as uow:
        found = [
            await uow.refs.external("toy", [ONE, TWO], entity_type=of)
            for of in ("order", "parcel", "cart")
        ]
    await database.dispose()

    assert found == [{ONE: "7"}, {ONE: "9"}, {}]


async def test_versions_are_told_by_kind_and_place(engine: AsyncEngine) -> None:
    rows = [
        {"kind": of, "id": str(one), "term": 1, "position": place, "is_deleted": False}
        for of, one, place in (("order", ONE, 5), ("order", TWO, 6), ("cart", ONE, 9))
    ]
    async with engine.begin() as connection:
        await connection.execute(sa.insert(version), rows)
    versions = SqlAppliedVersions(engine)

    orders = await versions.orders("order", [ONE, TWO, THREE])
    behind = [await versions.behind("order", place, None, 9) for place in (4, 5, 6)]
    second = await versions.behind("order", 4, ONE, 9)

    assert orders == {ONE: 5, TWO: 6}
    assert [list(one) for one in behind] == [[ONE, TWO], [TWO], []]
    assert list(second) == [TWO]


async def test_a_database_without_the_table_is_said_to_be_away(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite+aiosqlite:///{tmp_path / 'other.sqlite3'}", pool_size=1)

    with pytest.raises(SidesUnavailable):
        await SqlAppliedVersions(engine).orders("order", [ONE])

    await engine.dispose()
