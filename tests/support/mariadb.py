"""An embedded MariaDB, from the distribution, on TCP loopback.

It logs changes row by row with names of columns, as capture needs it. There is no wheel of it
and no server of MySQL to be had, so MySQL itself stays untested.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

from loadtests.ports import free_port
from tests.support.system_tools import TOOLS, find

OPTIONS = (
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--server-id=1",
    "--gtid-strict-mode=ON",
    "--character-set-server=utf8mb4",
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--performance-schema=OFF",
    "--skip-name-resolve",
)
"""Durability is off: the data dies with the test session anyway. A later option wins."""


@dataclass
class MariaDb:
    """One server; its data outlives it until the end of the test.

    Attributes:
        options: of mariadbd, after OPTIONS.
    """

    home: Path
    port: int
    options: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None)

    def url(self, database: str, user: str = "root", driver: str = "") -> str:
        """`driver` as SQLAlchemy names it, e.g. "+aiomysql"."""
        return f"mysql{driver}://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str | None = None, **more: Any) -> pymysql.Connection[Any]:
        """A connection of root, each statement its own transaction unless told otherwise."""
        settings = {"user": "root", "autocommit": True, "charset": "utf8mb4", **more}
        return pymysql.connect(host="127.0.0.1", port=self.port, database=database, **settings)

    def run(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Rows of the last statement, as root."""
        rows: list[tuple[Any, ...]] = []
        with contextlib.closing(self.connect(database)) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [
            tool("mariadbd"), "--no-defaults", f"--datadir={self.home}/data", *_user(),
            "--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.home}/s.sock",
            f"--pid-file={self.home}/pid", *OPTIONS, *self.options,
        ]  # fmt: skip
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.home, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, (self.home / "log").read_text()[-2_000:]
            with contextlib.suppress(pymysql.err.OperationalError):
                self.connect().close()
                return
            assert time.monotonic() < deadline, "mariadbd does not listen"
            time.sleep(0.02)

    def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        """End it, at once or (SIGTERM) in order, and wait for its end."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, by)
            self.process.wait(60)
            self.process = None


def tool(command: str) -> str:
    """Path of a command of the server.

    Raises:
        RuntimeError: it is not installed; the text says how to get it.
    """
    found = find(command)
    if found is None:
        message = next(one.advice for one in TOOLS if one.command == command)
        raise RuntimeError(message)
    return found


def _user() -> list[str]:
    """MariaDB refuses to run as root; it drops to nobody then."""
    return ["--user=nobody"] if os.geteuid() == 0 else []


@contextlib.contextmanager
def mariadb_server(*options: str, start: bool = True) -> Iterator[MariaDb]:
    """A throw-away server that may be killed and started again."""
    installer = tool("mariadb-install-db")
    home = Path(tempfile.mkdtemp(prefix="banyan-mariadb-"))
    home.chmod(0o777)
    server = MariaDb(home, free_port(), options)
    try:
        subprocess.run(
            [
                installer, "--no-defaults", *_user(), f"--datadir={home}/data",
                "--auth-root-authentication-method=normal", "--skip-test-db",
                "--skip-name-resolve", "--innodb-log-file-size=16M",
            ],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home, timeout=60,
        )  # fmt: skip
        if start:
            server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(home, ignore_errors=True)


@functools.cache
def shared_mariadb() -> MariaDb:
    """One server for the whole test session, started when it is first asked for."""
    opened = mariadb_server()
    server = opened.__enter__()
    atexit.register(opened.__exit__, None, None, None)
    return server


@contextlib.contextmanager
def embedded_mariadb(*options: str) -> Iterator[int]:
    """Start a throw-away server and yield its port; root needs no password."""
    with mariadb_server(*options) as server:
        yield server.port
