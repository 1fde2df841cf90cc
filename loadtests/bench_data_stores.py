"""A legacy's and a core's database with the platform's commands over them, under measurement."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.bench_data_servers import LogicalPostgres, MariaDb, query
from loadtests.bench_processes import BenchError, Processes, cpu_s

Say = Callable[[str], None]

STORE = "legacy_adapters.oscar.demo_store.run"
_LOOK_S = 0.02
_SAY_EVERY_S = 10.0
_HOUR_S = 3_600.0
_SERVERS: Mapping[str, Callable[[Path], LogicalPostgres | MariaDb]] = {
    "postgresql": LogicalPostgres,
    "mariadb": MariaDb,
}


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended.

    Attributes:
        cpu_s: user and system time of the process itself.
        peak_mib: the most memory that it held at once.
    """

    code: int
    out: str
    err: str
    elapsed_s: float
    cpu_s: float
    peak_mib: float


@dataclass
class Stores:
    """Both databases by URL, and what runs over them.

    Attributes:
        folder: for all files.
        env: what commands and processes find in their environment.
    """

    legacy: str
    core: str
    folder: Path
    processes: Processes
    say: Say
    env: dict[str, str] = field(default_factory=dict)
    sync_pid: int = 0

    def run(self, *command: str, limit_s: float = _HOUR_S) -> Ran:
        """A program to its end, watched through /proc; its stderr goes to us line by line.

        Raises:
            BenchError: it takes longer than the limit.
        """
        out, err = self.folder / "command.out", self.folder / "command.err"
        with out.open("wb") as to, err.open("wb") as aside:
            process = subprocess.Popen(  # noqa: S603 - our own command lines
                command, stdin=subprocess.DEVNULL, stdout=to, stderr=aside, env=self.env,
            )  # fmt: skip
        began_s, peak, busy_s = time.monotonic(), 0.0, 0.0
        said_s, told = began_s, 0
        try:
            while process.poll() is None:
                peak = max(peak, peak_mib(process.pid))
                busy_s = max(busy_s, cpu_s([process.pid]))
                now_s = time.monotonic()
                if now_s - said_s > _SAY_EVERY_S:
                    said_s, told = now_s, self._pass_on(err, told)
                if now_s - began_s > limit_s:
                    raise BenchError(f"{' '.join(command)} takes more than {limit_s:g} s")
                time.sleep(_LOOK_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        elapsed_s = time.monotonic() - began_s
        return Ran(process.returncode, out.read_text(), err.read_text(), elapsed_s, busy_s, peak)

    def _pass_on(self, err: Path, told: int) -> int:
        lines = err.read_text(errors="replace").splitlines()
        if lines[told:]:
            self.say(f"  {lines[-1]}")
        return len(lines)

    def banyan(self, *words: str, codes: tuple[int, ...] = (0,)) -> Ran:
        """A command of the platform.

        Raises:
            BenchError: it ends with another code.
        """
        ran = self.run(sys.executable, "-m", "cutover", *words)
        if ran.code not in codes:
            said = (ran.err or ran.out).strip()[-2_000:]
            raise BenchError(f"banyan {' '.join(words)} ended with {ran.code}: {said}")
        return ran

    def prepare(self) -> None:
        """Oscar's own tables with its books, made by oscar's own migrations."""
        ran = self.run(
            sys.executable, "-m", STORE, "prepare", "--dir", str(self.folder / "store")
        )  # fmt: skip
        if ran.code:
            raise BenchError(f"the store is not prepared: {ran.err.strip()[-2_000:]}")

    def begin_sync(self) -> None:
        """Install, and keep both in step from now on."""
        self.banyan("sync", "install")
        self.sync_pid = self.processes.start(
            sys.executable, "-m", "cutover", "sync", "run", env=self.env, log="sync.log"
        )

    def settle(self, within_s: float = 1_800.0) -> None:
        """Wait until nothing waits to be taken across.

        Raises:
            BenchError: something is parked, a stream failed, or it takes longer.
        """
        began_s = said_s = time.monotonic()
        idle = 0
        while idle < 2:
            waiting = self.waiting()
            idle = idle + 1 if not waiting and self.is_beating() else 0
            now_s = time.monotonic()
            if self.processes.has_ended(self.sync_pid):
                raise BenchError(f"banyan sync run ended; see {self.folder}/sync.log")
            if now_s - began_s > within_s:
                raise BenchError(f"{waiting:,} aggregates wait after {within_s:g} s")
            if now_s - said_s > _SAY_EVERY_S:
                said_s = now_s
                self.say(f"  {waiting:,} aggregates wait")
            time.sleep(0.2)
        if parked := query(self.core, "SELECT kind, key, reason FROM mig_parked LIMIT 3"):
            raise BenchError(f"parked: {parked}")

    def waiting(self) -> int:
        """How many aggregates wait."""
        return int(query(self.core, "SELECT COUNT(*) FROM mig_dirty")[0][0])

    def is_beating(self) -> bool:
        """Whether a heartbeat that was sent within the last seconds came through, each way."""
        rows = query(
            self.core,
            "SELECT COUNT(*) FROM mig_checkpoint WHERE problem = ''"
            " AND beat_at > now() - interval '4 seconds'",
        )
        return int(rows[0][0]) == 2


def peak_mib(pid: int) -> float:
    """The most memory that a process held at once; what its parent held before is not in it."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)
        return int(found[1]) / 1_024 if found else 0.0
    return 0.0


@contextmanager
def stores(folder: Path, legacy: str, say: Say, environment: Mapping[str, str]) -> Iterator[Stores]:
    """A legacy ("postgresql" or "mariadb") with an oscar in it, and an empty PostgreSQL core.

    Raises:
        BenchError: something is not installed or does not come up.
    """
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    processes = Processes(folder)
    servers: list[LogicalPostgres | MariaDb] = []
    try:
        urls: list[str] = []
        for side, kind in (("core", "postgresql"), ("oscar", legacy)):
            server = _SERVERS[kind](_home(folder / side))
            servers.append(server)
            server.start()
            urls.append(server.make(side))
        core, place = urls
        env = {
            **environment, "BANYAN_VAR": str(folder / "var"), "BANYAN_LEGACY_DATABASE": place,
            "BANYAN_CORE_DATABASE": core, "BANYAN_ACTOR": "bench", "LEGACY_DB": place,
        }  # fmt: skip
        made = Stores(place, core, folder, processes, say, env)
        say(f"{legacy}: oscar makes its tables …")
        made.prepare()
        yield made
    finally:
        processes.stop()
        for server in reversed(servers):
            server.kill()


def _home(folder: Path) -> Path:
    folder.mkdir()
    return folder
