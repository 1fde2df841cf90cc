"""A prepared store, started on a free port."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtests.ports import free_port
from tests.support.processes import spawn_process, wait_for_http

RUN = (sys.executable, "-m", "legacy_adapters.oscar.demo_store.run")


@dataclass(frozen=True, slots=True)
class Store:
    """A running store: its gunicorn master, its port, its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def prepare(folder: Path) -> str:
    """Prepare a store in `folder`; the answer is what was printed."""
    done = subprocess.run(
        [*RUN, "prepare", "--dir", str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout


@contextlib.contextmanager
def serving(folder: Path, port: int | None = None) -> Iterator[Store]:
    """A store that answers, stopped on leaving."""
    port = port or free_port()
    log = folder / "serve.log"
    command = [*RUN, "serve", "--dir", str(folder), "--listen", f"127.0.0.1:{port}"]
    with spawn_process(command, log=log) as process:
        wait_for_http(f"http://127.0.0.1:{port}/api/")
        yield Store(process, port, log)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for a module: its tests read the catalogue and shop in sessions of their own."""
    folder = tmp_path_factory.mktemp("legacy")
    prepare(folder)
    with serving(folder) as running:
        yield running
