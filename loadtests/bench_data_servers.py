"""The database servers of the data half's bench, on loopback, durable as they are by default."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from loadtests.accounting_servers import Postgres, Server
from loadtests.bench_processes import BenchError

_LOGGED = (
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--server-id=1",
    "--gtid-strict-mode=ON",
    "--character-set-server=utf8mb4",
)
_SIZED = ("--innodb-buffer-pool-size=256M", "--skip-name-resolve")


class LogicalPostgres(Postgres):
    """A PostgreSQL whose log tells rows, and which knows when each transaction was committed."""

    @override
    def command(self) -> Sequence[str]:
        told = ("wal_level=logical", "track_commit_timestamp=on", "max_connections=200")
        return (*super().command(), *(part for one in told for part in ("-c", one)))

    def make(self, database: str) -> str:
        """URL of a new database, as programs other than SQLAlchemy write it."""
        return self.create(database).replace("+asyncpg", "")


class MariaDb(Server):
    """A MariaDB of the distribution; root needs no password."""

    def __init__(self, home: Path) -> None:
        super().__init__("MariaDB", home)
        installer = _tool("mariadb-install-db")
        home.chmod(0o777)
        subprocess.run(  # noqa: S603 - our own command line
            [
                *(installer, "--no-defaults", *_user(), f"--datadir={home}/data"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
                "--skip-name-resolve",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
        )

    def make(self, database: str) -> str:
        """URL of a new database."""
        import pymysql  # noqa: PLC0415 - only where there is a MariaDB

        connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root")
        with connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    @override
    def command(self) -> Sequence[str]:
        return (
            *(_tool("mariadbd"), "--no-defaults", f"--datadir={self.home}/data", *_user()),
            *("--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.home}/s.sock"),
            *(f"--pid-file={self.home}/pid", *_LOGGED, *_SIZED),
        )


def _tool(command: str) -> str:
    found = shutil.which(command) or shutil.which(command, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchError(f"{command} is not installed: apt-get install mariadb-server-core")
    return found


def _user() -> list[str]:
    """MariaDB refuses to run as root; it drops to nobody then."""
    return ["--user=nobody"] if os.geteuid() == 0 else []


def query(url: str, *statements: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of the last of these statements, all in one transaction; `values` are the last one's."""
    rows: list[tuple[Any, ...]] = []
    connection = connect(url)
    try:
        cursor = connection.cursor()
        for number, statement in enumerate(statements, 1):
            cursor.execute(statement, values if values and number == len(statements) else None)
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        connection.commit()
    finally:
        connection.close()
    return rows


def connect(url: str) -> Any:
    """A connection to a PostgreSQL or a MariaDB by URL, by a driver that waits."""
    if url.startswith("postgresql"):
        import psycopg2  # noqa: PLC0415 - an extra

        return psycopg2.connect(url)
    from loadtests.online_retail import connect as to_mariadb  # noqa: PLC0415 - an extra

    return to_mariadb(url)
