"""Scenes: a shop without a shadow and one whose shadow is in trouble, side by side."""

from __future__ import annotations

import shlex
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.bench_ours import Ours, catalog_table, shadow_counts, start_ours
from loadtests.bench_paced import PacedClient, Plan
from loadtests.bench_processes import BenchError, Processes, memory_bytes
from loadtests.ports import free_port
from loadtests.soak_report import Found, Memory, Turn
from loadtests.soak_stores import Mode

CONNECTIONS = 16
_KILL_EVERY_S = 2.5
_NICE = 19
_REQUEST = (
    "GET /api/products/{}/ HTTP/1.1\r\nHost: shop.example\r\nAccept: application/json\r\n"
    "Cookie: sessionid=s{}\r\n\r\n"
)
# Starts the comparer, kills it with -9 some seconds later, and so on. A program of its own,
# so that starting processes does not disturb the client that measures.
_KILLER = """
trap 'kill -9 $comparer $pause 2>/dev/null; exit 0' TERM
while :; do
  {command} & comparer=$!
  sleep {every_s} & pause=$!
  wait $pause
  kill -9 $comparer && echo killed >> {log}
  wait $comparer 2>/dev/null
done
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A shadow in trouble.

    Attributes:
        core: how the store behaves that is asked; None: nobody listens there.
        compares: whether a comparer runs.
        is_killed: whether it is killed again and again.
        env: settings of the proxy.
    """

    name: str
    core: Mode | None
    compares: bool = True
    is_killed: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


_TINY_SPOOL = {"BANYAN_PROXY_SPOOL_BYTES": "60000", "BANYAN_PROXY_SEGMENT_BYTES": "20000"}
SCENES = {
    scene.name: scene
    for scene in (
        Scene("shadow answers", Mode.ANSWER),
        Scene("shadow absent", None),
        Scene("shadow hangs", Mode.HANG),
        Scene("shadow slow", Mode.SLOW),
        Scene("shadow resets", Mode.RESET),
        Scene("shadow floods", Mode.FLOOD),
        Scene("spool full", Mode.ANSWER, compares=False, env=_TINY_SPOOL),
        Scene("comparer killed", Mode.ANSWER, is_killed=True),
        Scene("comparer absent", Mode.ANSWER, compares=False),
    )
}


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how hard.

    Attributes:
        turns: of each proxy, one after the other.
        rate: requests per second; low, so that p99 is about the proxy and not the queue.
    """

    turns: int
    turn_s: float
    rate: float = 200.0


class Stage:
    """The processes of one scene."""

    def __init__(self, scene: Scene, processes: Processes) -> None:
        """Start them.

        Raises:
            BenchError: one does not come up.
        """
        self.scene = scene
        self._processes = processes
        legacy, core = free_port(), free_port()
        self._store(legacy, Mode.ANSWER)
        if scene.core is not None:
            # It and the comparer would run elsewhere: they get what the proxies leave.
            self._store(core, scene.core, _NICE)
        urls = (f"http://127.0.0.1:{legacy}", f"http://127.0.0.1:{core}")
        self.alone = start_ours(processes, "alone", catalog_table(urls))
        table = catalog_table(urls, "shadow")
        self.shadowed = start_ours(processes, "shadowed", table, env=scene.env)
        self._comparer: int | None = None
        self._kill_log = processes.folder / "kills"
        if scene.is_killed:
            self._start_killer()
        elif scene.compares:
            self._comparer = processes.start(
                *self._compare_command(), env=self._compare_env(), nice=_NICE, log="comparer.log"
            )

    def _store(self, port: int, mode: Mode, nice: int = 0) -> None:
        self._processes.start(
            *(sys.executable, "-m", "loadtests.soak_stores"),
            *("--port", str(port), "--mode", mode),
            nice=nice,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise BenchError(f"the store on port {port} does not come up")

    def _compare_command(self) -> list[str]:
        folder = Path(sys.executable).parent
        program = shutil.which("banyan", path=str(folder)) or shutil.which("banyan")
        if program is None:
            raise BenchError(f"no command banyan beside {sys.executable}; install this project")
        places = ("--config", str(self.shadowed.config), "--spool", str(self.shadowed.spool))
        return [program, "compare", *places]

    def _compare_env(self) -> dict[str, str]:
        return {"BANYAN_VAR": str(self._processes.folder / "var")}

    def turn(self, ours: Ours, effort: Effort) -> Turn:
        """Load one of the two proxies."""
        plan = Plan(ours.port, effort.rate, effort.turn_s, _request, CONNECTIONS)
        pace = PacedClient(plan).run()
        return Turn(pace.asked, pace.quantile_ms(0.5), pace.quantile_ms(0.99), pace.errors)

    def _start_killer(self) -> None:
        text = _KILLER.format(
            command=shlex.join(self._compare_command()),
            every_s=_KILL_EVERY_S,
            log=shlex.quote(str(self._kill_log)),
        )
        env = self._compare_env()
        self._processes.start("sh", "-c", text, env=env, nice=_NICE, log="comparer.log")

    def kills(self) -> int:
        """Comparers killed so far."""
        return self._kill_log.read_text().count("killed") if self._kill_log.exists() else 0

    def memory(self) -> tuple[int, int]:
        """Resident bytes of the shadowing worker and of the comparer."""
        worker = sum(memory_bytes(pid)[0] for pid in self.shadowed.workers())
        return worker, memory_bytes(self._comparer)[0] if self._comparer is not None else 0

    def check_comparer(self) -> None:
        """See that the comparer lives.

        Raises:
            BenchError: it ended by itself.
        """
        if self._comparer is not None and self._processes.has_ended(self._comparer):
            log = (self._processes.folder / "comparer.log").read_text()
            raise BenchError(f"the comparer ended by itself: {log.strip()[-500:]}")

    def close_books(self, found: Found) -> None:
        """Wait until no capture is on its way, 10 s at most, and note the counts."""
        deadline = time.monotonic() + 10
        while True:
            samples = self.shadowed.samples()
            counts = shadow_counts(samples)
            found.shadow = counts
            found.in_memory = int(samples.get("banyan_capture_queue_frames", 0))
            found.deaths = int(samples.get("banyan_worker_restarts_total", 0))
            is_quiet = counts["mirrored"] == counts["spooled"] + counts["dropped"]
            if (is_quiet and not found.in_memory) or time.monotonic() > deadline:
                return
            time.sleep(0.1)


def _request(n: int) -> bytes:
    return _REQUEST.format(n % 500, n % 97).encode()


def play(scene: Scene, effort: Effort, folder: Path, progress: Callable[[str], None]) -> Found:
    """Play one scene in `folder`; all of its processes have ended when this returns.

    Raises:
        BenchError: a process does not come up, or ends by itself.
    """
    processes = Processes(folder)
    try:
        progress(f"{scene.name}: starting")
        stage = Stage(scene, processes)
        found = Found(scene.name)
        warm_up = Effort(1, 1.0, effort.rate)
        stage.turn(stage.alone, warm_up)
        found.mirrored_asked = stage.turn(stage.shadowed, warm_up).asked
        before = stage.memory()
        for n in range(effort.turns):
            if n == effort.turns // 4:
                before = stage.memory()  # memos and caches have had time to fill
            worker_mb, comparer_mb = (size / 1e6 for size in stage.memory())
            progress(
                f"{scene.name}: turn {n + 1} of {effort.turns}, "
                f"worker {worker_mb:.1f} MB, comparer {comparer_mb:.1f} MB"
            )
            found.alone.append(stage.turn(stage.alone, effort))
            found.shadowed.append(stage.turn(stage.shadowed, effort))
            found.mirrored_asked += found.shadowed[-1].asked
            stage.check_comparer()
        after = stage.memory()
        found.worker, found.comparer = (Memory(a, b) for a, b in zip(before, after, strict=True))
        found.kills = stage.kills()
        if scene.is_killed and not found.kills:
            raise BenchError("no comparer was killed; give each turn more seconds")
        stage.close_books(found)
    finally:
        processes.stop()
    return found
