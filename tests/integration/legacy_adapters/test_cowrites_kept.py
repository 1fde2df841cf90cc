"""The co-write matrix adds up over batches and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.cowrites import SqlCowrites, note_cowrites
from new_core.storage import SqlDatabase, connection_of, make_engine, make_reader
from tests.support.databases import database_of

pytestmark = pytest.mark.integration

SALE, PERSON = frozenset({"orders"}), frozenset({"customers"})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database_of(request, tmp_path_factory) as found:
        yield found


def test_what_was_written_together_adds_up(url: str) -> None:
    async def run() -> None:
        engine = make_engine(url)
        database = SqlDatabase(engine, make_reader(url))
        try:
            await upgrade_sync(engine)
            for batch in ([SALE, SALE, PERSON], [SALE | PERSON], []):
                async with database.writing() as uow:
                    await note_cowrites(connection_of(uow), batch)
                    await uow.commit()

            pairs, watched = await SqlCowrites(database).seen()

            assert pairs == {("customers", "orders"): 1}
            assert watched == 4
        finally:
            await database.dispose()

    asyncio.run(run())
