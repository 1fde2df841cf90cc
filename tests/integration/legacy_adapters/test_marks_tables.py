"""Our marks in the core's database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from legacy_adapters.mapping.marks import MARKS
from legacy_adapters.storage.migrate import CHAIN, VERSION_TABLE
from legacy_adapters.storage.tables import marks, metadata
from new_core.storage import downgrade, make_engine, upgrade
from tests.support.databases import database_of

pytestmark = pytest.mark.integration


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database_of(request, tmp_path_factory) as found:
        yield found


def test_the_data_halfs_tables_go_up_down_and_up_and_are_what_the_models_say(url: str) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        options = {
            "version_table": VERSION_TABLE,
            "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    async def migrate() -> list[object]:
        engine = make_engine(url)
        try:
            await upgrade(engine)
            await upgrade(engine, chain=CHAIN)
            await downgrade(engine, "base", chain=CHAIN)
            await upgrade(engine, chain=CHAIN)
            async with engine.connect() as connection:
                return await connection.run_sync(differences)
        finally:
            await engine.dispose()

    assert asyncio.run(migrate()) == []


def test_marks_have_the_columns_that_the_mapping_knows() -> None:
    known = {one.name: (set(one.columns), one.key) for one in MARKS}

    made = {
        one.name: ({str(c.name) for c in one.c}, tuple(str(c.name) for c in one.primary_key))
        for one in (marks.fence, marks.applied, marks.heartbeat)
    }

    assert made == known
