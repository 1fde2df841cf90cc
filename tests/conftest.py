"""Fixtures that every test may use, and what separates a unit test from the rest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Iterator

import asyncpg
import pymysql
import pytest
from hypothesis import HealthCheck, settings

from tests.support.mariadb import shared_mariadb, tool
from tests.support.nats import nats_server
from tests.support.postgres import embedded_postgres

# A desk looks quickly and anew each time, CI long and at the same.
settings.register_profile("dev", max_examples=30, deadline=None)
settings.register_profile(
    "ci",
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# A comparer stands back for whatever else a test machine is busy with, and is late then.
os.environ.setdefault("BANYAN_SHADOW_NICE", "0")

SERVICE_MARKS = ("integration", "contract", "e2e", "soak")


@pytest.fixture(autouse=True)
def _unit_tests_open_no_connection(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit test that reaches for the network is in the wrong folder."""
    if any(request.node.get_closest_marker(mark) for mark in SERVICE_MARKS):
        return

    def refuse(_self: socket.socket, address: object) -> None:
        message = f"a unit test tried to connect to {address}"
        raise AssertionError(message)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    """Port of one PostgreSQL for the whole test session."""
    with embedded_postgres() as port:
        yield port


@pytest.fixture
def postgres_url(postgres_port: int) -> Iterator[str]:
    """Async SQLAlchemy URL of a fresh, empty database."""
    name = f"t_{uuid.uuid4().hex}"
    admin = f"postgresql://postgres@127.0.0.1:{postgres_port}/postgres"

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(admin)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(execute(f"CREATE DATABASE {name}"))
    yield f"postgresql+asyncpg://postgres@127.0.0.1:{postgres_port}/{name}"
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def mariadb_port() -> int:
    """Port of one MariaDB for the whole test session; skips where none is installed."""
    try:
        tool("mariadbd")
    except RuntimeError as error:
        pytest.skip(str(error))
    return shared_mariadb().port


@pytest.fixture
def mariadb_url(mariadb_port: int) -> Iterator[str]:
    """URL of a fresh, empty database; SQLAlchemy's drivers are named behind "mysql"."""
    name = f"t_{uuid.uuid4().hex}"

    def execute(statement: str) -> None:
        with contextlib.closing(
            pymysql.connect(host="127.0.0.1", port=mariadb_port, user="root")
        ) as connection:
            connection.cursor().execute(statement)

    execute(f"CREATE DATABASE {name}")
    yield f"mysql://root@127.0.0.1:{mariadb_port}/{name}"
    execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def nats_url() -> Iterator[str]:
    """URL of one NATS server with JetStream for the whole session; tests name their streams."""
    with nats_server() as server:
        yield server.url


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failed one: a missing service must not look like success."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and exitstatus == 0:
        reporter.write_line(f"{len(skipped)} skipped tests are failures in CI", red=True)
        session.exitstatus = 1
