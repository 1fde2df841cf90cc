"""A real NATS server with JetStream, on loopback, that may be killed and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.ports import free_port
from tests.support.system_tools import TOOLS


@dataclass
class NatsServer:
    """One server; its storage outlives it.

    Attributes:
        config: lines of its configuration file, before it starts.
    """

    home: Path
    port: int
    config: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers."""
        path = self.home / "nats.conf"
        path.write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{self.home}/js" }}\n'
            + self.config
        )
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_command(), "-c", str(path)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, (self.home / "log").read_text()[-2_000:]
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert time.monotonic() < deadline, "nats-server does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None


def _command() -> str:
    found = shutil.which("nats-server")
    if found is None:
        message = next(tool.advice for tool in TOOLS if tool.command == "nats-server")
        raise RuntimeError(message)
    return found


@contextlib.contextmanager
def nats_server(config: str = "", *, start: bool = True) -> Iterator[NatsServer]:
    """A throw-away server."""
    server = NatsServer(Path(tempfile.mkdtemp(prefix="banyan-nats-")), free_port(), config)
    try:
        if start:
            server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.home, ignore_errors=True)
