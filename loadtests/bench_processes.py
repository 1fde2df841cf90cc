"""Processes under measurement: started, watched through /proc, and stopped by their ids."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """What keeps a measurement from running; the text says what to do."""


class Processes:
    """Starts processes in one folder, and stops exactly those."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, *command: str, env: Mapping[str, str] | None = None, nice: int = 0, log: str = "log"
    ) -> int:
        """Run a program beside us; its words go to `log` in the folder. Returns its pid."""
        if nice:
            command = ("nice", "-n", str(nice), *command)
        with (self.folder / log).open("ab") as out:
            process = subprocess.Popen(  # noqa: S603 - our own command lines
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(env or {})},  # noqa: TID251 - children need PATH and HOME
                cwd=Path(__file__).parents[1],
            )
        self._started.append(process)
        return process.pid

    def stop(self) -> None:
        """End what was started, the last first."""
        for process in reversed(self._started):
            process.terminate()
        for process in self._started:
            _end(process, 20)
        self._started.clear()

    def end(self, pid: int, number: signal.Signals = signal.SIGTERM) -> None:
        """End one of them and forget it."""
        process = next(one for one in self._started if one.pid == pid)
        process.send_signal(number)
        _end(process, 20)
        self._started.remove(process)

    def has_ended(self, pid: int) -> bool:
        """Whether one of them is gone."""
        return next(one for one in self._started if one.pid == pid).poll() is not None

    def finish(self, pid: int, within_s: float) -> None:
        """Wait for one of them to end by itself, and forget it.

        Raises:
            BenchError: it takes longer, or ends with an error.
        """
        process = next(one for one in self._started if one.pid == pid)
        try:
            status = process.wait(within_s)
        except subprocess.TimeoutExpired as exc:
            raise BenchError(f"{process.args!r} takes more than {within_s:g} s") from exc
        self._started.remove(process)
        if status != 0:
            raise BenchError(f"{process.args!r} ended with {status}; see the log")

    def write(self, name: str, text: str) -> str:
        """Put a file into the folder; a reader never sees half of it."""
        path = self.folder / name
        draft = path.with_name(f".{name}.draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
        return str(path)


def _end(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def raise_file_limit(wanted: int) -> None:
    """Let us and our children open more files.

    Raises:
        BenchError: the system does not allow as many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (OSError, ValueError) as exc:
        raise BenchError(
            f"{wanted} open files are needed and {hard} allowed; raise it with: ulimit -n {wanted}"
        ) from exc


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                yield from family(int(child))


def members(pids: Iterable[int]) -> list[int]:
    """Processes and all below them."""
    return [member for root in pids for member in family(root)]


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of exactly these processes so far."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_S


def memory_bytes(pid: int) -> tuple[int, int]:
    """(RSS, PSS) of a process; PSS shares what several processes map. 0 once it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0, 0
    sizes = {
        name: int(kib) for name, kib in re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.MULTILINE)
    }
    return sizes.get("Rss", 0) * 1024, sizes.get("Pss", 0) * 1024


def fetch(url: str, timeout_s: float = 5.0) -> tuple[int, str]:
    """Status and text of GET `url`, whatever the status.

    Raises:
        OSError: no answer.
    """
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def wait_for(url: str, timeout_s: float = 20.0) -> None:
    """Wait until GET `url` answers 200.

    Raises:
        BenchError: it does not in time.
    """
    deadline = time.monotonic() + timeout_s
    last = "no answer"
    while time.monotonic() < deadline:
        try:
            status, _ = fetch(url, 2.0)
        except OSError as exc:
            last = str(exc)
        else:
            if status == 200:
                return
            last = f"status {status}"
        time.sleep(0.05)
    raise BenchError(f"{url} did not answer 200 within {timeout_s:.0f} s: {last}")
