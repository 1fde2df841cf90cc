"""How the commands that run the house end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadtests.ports import free_port

pytestmark = pytest.mark.integration

PORTS = ("PROXY", "SIDE_DOOR", "ROOM", "CORE", "LEGACY")


def environment(var: Path) -> dict[str, str]:
    ports = {f"BANYAN_{name}_PORT": str(free_port()) for name in PORTS}
    inherited = {"PATH": os.defpath, "HOME": str(var.parent)}
    return {**inherited, "BANYAN_VAR": str(var), **ports}


def left_in(var: Path) -> list[str]:
    """Processes that still name this state directory."""
    found = subprocess.run(["pgrep", "-f", str(var)], check=False, capture_output=True, text=True)
    return found.stdout.split()


def start(var: Path, *args: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "cutover", *args],
            env=environment(var),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def wait_for(log: Path, words: str) -> None:
    deadline = time.monotonic() + 60
    while words not in log.read_text(errors="replace"):
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.1)


def test_a_demo_that_a_signal_breaks_off_says_so_and_leaves_nobody_behind(tmp_path: Path) -> None:
    var, log = tmp_path / "var", tmp_path / "log"
    process = start(var, "demo", "--exit", log=log)
    wait_for(log, "A real store")

    process.send_signal(signal.SIGINT)
    code = process.wait(60)

    assert code == 130
    assert "Stopped." in log.read_text()
    assert left_in(var) == []


def test_the_house_comes_up_and_ends_well_when_it_is_told_to(tmp_path: Path) -> None:
    var, log = tmp_path / "var", tmp_path / "log"
    process = start(var, "up", "--config", "routing.yaml", log=log)
    wait_for(log, "Ctrl-C stops everything")

    process.send_signal(signal.SIGTERM)
    code = process.wait(60)

    assert code == 0
    assert left_in(var) == []
