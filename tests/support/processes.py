"""Start real processes for tests, and stop exactly those."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


@contextlib.contextmanager
def spawn_process(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop_timeout_s: float = 15,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in its own session; on leaving, SIGTERM it, then kill what is left.

    Output goes to `log`, which a failing test can print.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(command),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(stop_timeout_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def plain_environment(**more: str) -> dict[str, str]:
    """This process's variables without those of Banyan, and some more."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("BANYAN_")}
    return plain | more


def run_process(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run `command` to its end, within a minute.

    Raises:
        RuntimeError: it did not end well; the message is its output.
    """
    with spawn_process(command, log=log, env=env) as process:
        if process.wait(60):
            raise RuntimeError(log.read_text())


def wait_for_http(url: str, timeout_s: float = 30, *, status: int = 200) -> None:
    """Wait until GET `url` answers `status`.

    Raises:
        TimeoutError: it did not in time; the last answer or error is in the message.
    """
    deadline = time.monotonic() + timeout_s
    last = "no attempt"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == status:
                    return
                last = f"status {answer.status}"
        except urllib.error.HTTPError as exc:
            if exc.code == status:
                return
            last = f"status {exc.code}"
        except OSError as exc:
            last = str(exc)
        time.sleep(0.05)
    message = f"{url} did not answer {status} within {timeout_s} s: {last}"
    raise TimeoutError(message)
