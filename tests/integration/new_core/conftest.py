"""The core's database, on both of those that it runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from new_core.storage import SqlDatabase
from tests.support.core import BOTH, core_database


@pytest.fixture(params=BOTH)
def core_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'core.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def core(core_url: str) -> AsyncIterator[SqlDatabase]:
    """The core's tables, empty, on each of both databases."""
    async with core_database(core_url) as database:
        yield database


@pytest.fixture
async def core_on_postgres(postgres_url: str) -> AsyncIterator[SqlDatabase]:
    """The core's tables, empty, for what only PostgreSQL does."""
    async with core_database(postgres_url) as database:
        yield database
