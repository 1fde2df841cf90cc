"""The database that other tests stand on."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

pytestmark = pytest.mark.integration


async def test_each_test_gets_an_empty_database_of_its_own(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url)

    async with engine.connect() as connection:
        tables = await connection.scalar(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        )
    await engine.dispose()

    assert tables == 0
