"""Empty databases for a test: of the embedded PostgreSQL, or of the kind its parameter names."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterator

import asyncpg
import pytest


@contextlib.contextmanager
def fresh_database(postgres_port: int) -> Iterator[str]:
    """The URL of an empty database of the embedded PostgreSQL; dropped at the end."""
    name = f"t_{uuid.uuid4().hex}"
    asyncio.run(_administer(postgres_port, f"CREATE DATABASE {name}"))
    yield f"postgresql://postgres@127.0.0.1:{postgres_port}/{name}"
    asyncio.run(_administer(postgres_port, f"DROP DATABASE {name} WITH (FORCE)"))


@contextlib.contextmanager
def database_of(request: pytest.FixtureRequest, factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database; the fixture's parameter is sqlite, postgresql or mariadb."""
    if request.param == "postgresql":
        with fresh_database(request.getfixturevalue("postgres_port")) as url:
            yield url
    elif request.param == "mariadb":
        yield request.getfixturevalue("mariadb_url")
    else:
        path = factory.mktemp("database") / "empty.sqlite3"
        path.touch()
        yield f"sqlite:///{path}"


async def _administer(port: int, statement: str) -> None:
    connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
