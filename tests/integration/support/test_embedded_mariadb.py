"""The MariaDB that other tests stand on."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.mariadb import mariadb_server

pytestmark = pytest.mark.integration


async def test_each_test_gets_an_empty_mariadb_database_that_logs_its_changes(
    mariadb_url: str,
) -> None:
    engine = create_async_engine(mariadb_url.replace("mysql://", "mysql+aiomysql://"))

    async with engine.connect() as connection:
        tables = (await connection.execute(text("SHOW TABLES"))).all()
        logged = (
            await connection.execute(
                text("SELECT @@log_bin, @@binlog_format, @@binlog_row_metadata, @@gtid_strict_mode")
            )
        ).one()
    await engine.dispose()

    assert tables == []
    assert tuple(logged) == (1, "ROW", "FULL", 1)


@pytest.mark.usefixtures("mariadb_port")  # skips where none is installed
def test_a_server_that_was_killed_starts_again_with_its_rows() -> None:
    with mariadb_server() as server:
        server.run("CREATE DATABASE shop", "CREATE TABLE shop.t (a INT)")
        server.run("INSERT INTO shop.t VALUES (7)")

        server.kill()
        server.start()

        assert server.run("SELECT a FROM shop.t") == [(7,)]
