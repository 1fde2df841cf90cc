"""Whatever a fuzzer invents, the admin API answers as its description says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.ports import free_port
from tests.support.ledger_shop import table
from tests.support.processes import run_process, spawn_process, wait_for_http

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SECONDS = 30
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,negative_data_rejection,"
    "unsupported_method,allow_header_conformance"
)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A room over a shop in which something is in force, and no proxy."""
    banyan = (sys.executable, "-m", "cutover")
    environment = {"BANYAN_VAR": str(tmp_path / "var"), "BANYAN_SIDE_DOOR": "127.0.0.1:9"}
    desired = tmp_path / "routing.yaml"
    for stage in ("legacy", "shadow"):
        desired.write_text(table(catalog=stage, search="legacy"))
        apply = [*banyan, "apply", "--yes", "--config", str(desired)]
        run_process(apply, log=tmp_path / "log", env=environment)
    found = free_port()
    room = [*banyan, "room", "--listen", f"127.0.0.1:{found}", "--no-steer"]
    with spawn_process(room, log=tmp_path / "log", env=environment):
        wait_for_http(f"http://127.0.0.1:{found}/healthz")
        yield found


def test_the_whole_description_holds_under_a_fuzzer(port: int, tmp_path: Path) -> None:
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            *(f"http://127.0.0.1:{port}/admin/v1/openapi.json", "--phases", "coverage,fuzzing"),
            *("--checks", CHECKS, "--max-time", str(SECONDS), "-n", "20", "--seed", "7"),
            *("--continue-on-failure", "--warnings", "off", "--no-color"),
        ],
        check=False, capture_output=True, text=True, timeout=SECONDS * 5, cwd=tmp_path,
    )  # fmt: skip

    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    assert "Traceback" not in (tmp_path / "log").read_text()
