"""`banyan core` as a process: ports, signals, workers, the file it keeps."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.ports import free_port
from tests.contract.legacy_adapters.shops import COMMAND, Server, serve_core
from tests.support.processes import spawn_process, wait_for_http

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = _core("--listen", address, "--database", f"sqlite:///{tmp_path / 'c.sqlite3'}")

    assert done.returncode == 1
    assert done.stderr == f"banyan core: cannot listen on {address}: Address already in use\n"


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:", "127.0.0.1:99999"])
def test_an_address_of_no_use_is_told_in_one_line(address: str) -> None:
    done = _core("--listen", address)

    assert done.returncode == 1
    assert done.stderr == f"banyan core: --listen {address}: expected host:port\n"


def test_a_database_of_no_use_is_told_in_one_line() -> None:
    done = _core("--listen", "127.0.0.1:0", "--database", "oracle://x/y")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("banyan core: database oracle is not supported")


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'c.sqlite3'}"
    with serve_core(database, tmp_path / "log"):
        pass
    _set_revision(tmp_path / "c.sqlite3", "9999")

    done = _core("--listen", "127.0.0.1:0", "--database", database)

    assert done.returncode == 1
    assert "run the newer program" in done.stderr.splitlines()[-1]


def test_sigterm_ends_it_gracefully_and_it_starts_again(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", COMMAND, "core", "--listen", f"127.0.0.1:{port}"]
    command += ["--database", f"sqlite:///{tmp_path / 'c.sqlite3'}"]

    for _ in range(2):
        with spawn_process(command, log=tmp_path / "log") as process:
            wait_for_http(f"http://127.0.0.1:{port}/readyz", 30)
            process.send_signal(signal.SIGTERM)
            status = process.wait(15)

        assert status == 0
    log = (tmp_path / "log").read_text()
    assert log.splitlines() == [f"core: listening on http://127.0.0.1:{port}"] * 2


def test_several_workers_share_the_port(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", COMMAND, "core", "--listen", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--database", f"sqlite:///{tmp_path / 'c.sqlite3'}"]

    with spawn_process(command, log=tmp_path / "log") as process:
        wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        answer = Server(port).ask("/v1/products")
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)

    assert json.loads(answer.body) == {"data": [], "page": {"next": None, "has_more": False}}
    assert status == 0


def _core(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "core", *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def _set_revision(database: Path, revision: str) -> None:
    connection = sqlite3.connect(database)
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.commit()
    connection.close()
