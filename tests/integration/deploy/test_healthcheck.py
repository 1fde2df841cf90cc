"""The containers' probe tells a healthy server from a sick one."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from loadtests.ports import free_port

pytestmark = pytest.mark.integration

PROBE = Path(__file__).resolve().parents[3] / "deploy" / "healthcheck.py"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """An HTTP server that is ready at /readyz and nowhere else."""
    httpd = HTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def probe(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(PROBE), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_server_that_answers_is_healthy(server: str) -> None:
    assert probe(f"http://{server}/readyz") == (0, "")
    assert probe(server) == (0, "")


def test_a_server_that_is_not_ready_is_sick(server: str) -> None:
    assert probe(f"http://{server}/") == (1, f"http://{server}/: status 503\n")


def test_nobody_there_is_sick() -> None:
    address = f"127.0.0.1:{free_port()}"

    for target in (address, f"http://{address}/readyz"):
        status, told = probe(target)
        assert (status, told.count("\n")) == (1, 1)
        assert "refused" in told


def test_a_server_that_hangs_is_sick() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        status, told = probe(f"http://127.0.0.1:{silent.getsockname()[1]}/")

    assert status == 1
    assert "timed out" in told


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("nonsense",), ("http://[",)])
def test_nonsense_is_one_line_and_not_a_traceback(arguments: tuple[str, ...]) -> None:
    status, told = probe(*arguments)

    assert (status, told.count("\n")) == (1, 1)
