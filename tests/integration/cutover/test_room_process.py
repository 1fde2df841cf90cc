"""`banyan room` as a process: alone, watched, full, told to stop."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.ports import free_port
from tests.support.processes import spawn_process, wait_for_http

pytestmark = pytest.mark.integration


def command(port: int) -> list[str]:
    return [
        sys.executable, "-m", "cutover", "room",
        "--listen", f"127.0.0.1:{port}", "--side-door", "127.0.0.1:9",
    ]  # fmt: skip


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A room in an empty folder: no table, no evidence, no proxy, no ledger."""
    port = free_port()
    environment = {"BANYAN_VAR": str(tmp_path / "var")}
    with spawn_process(command(port), log=tmp_path / "log", env=environment) as process:
        wait_for_http(f"http://127.0.0.1:{port}/healthz")
        yield process, port
    assert "Traceback" not in (tmp_path / "log").read_text()


def fetch(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        body: bytes = answer.read()
        return body


def watch(port: int, *, receive_bytes: int | None = None) -> socket.socket:
    viewer = socket.socket()
    if receive_bytes is not None:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    viewer.settimeout(20)
    viewer.connect(("127.0.0.1", port))
    viewer.sendall(b"GET /events?page=overview HTTP/1.1\r\nHost: room\r\n\r\n")
    return viewer


def test_with_nothing_else_up_the_room_stands_and_says_what_is_missing(
    running: tuple[subprocess.Popen[bytes], int],
) -> None:
    _, port = running

    told = json.loads(fetch(port, "/api/overview"))

    assert told["headline"].startswith("The routing table in force could not be read")
    assert told["domains"] == []
    assert any("applied.yaml" in words for words in told["attention"])


def test_viewers_are_seated_up_to_a_limit_and_leave_their_seats_behind(
    running: tuple[subprocess.Popen[bytes], int],
) -> None:
    _, port = running
    viewers = [watch(port) for _ in range(64)]
    try:
        assert all(b"200 OK" in viewer.recv(64) for viewer in viewers)

        with pytest.raises(urllib.error.HTTPError, match="503"):
            fetch(port, "/events?page=overview")
    finally:
        for viewer in viewers:
            viewer.close()

    deadline = time.monotonic() + 20
    while b"banyan_room_viewers 0.0" not in fetch(port, "/metrics"):
        assert time.monotonic() < deadline, "seats were not given back"
        time.sleep(0.1)


def test_a_watched_room_stops_at_once_when_told(
    running: tuple[subprocess.Popen[bytes], int],
) -> None:
    process, port = running
    with watch(port) as viewer:
        assert viewer.recv(64)

        process.send_signal(signal.SIGTERM)

        assert process.wait(10) is not None


def test_a_port_in_use_gets_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = subprocess.run(
            command(port), check=False, capture_output=True, text=True, timeout=60
        )

    assert ended.returncode == 1
    assert ended.stderr == f"banyan: cannot listen on 127.0.0.1:{port}: Address already in use\n"
