"""Kill comparers, bus, database and shipper under load, and see whether the books still balance.

    python -m loadtests.accounting --kills 3

Two workers write exchanges into a spool, a shipper sends them over a real NATS, two comparers
share them and store into a real PostgreSQL. One after the other is killed with -9 and started
again, `--kills` times each, while the books are read all the time. In the end every exchange
must have ended exactly once: mirrored = compared + lost, with as many matches and mismatches as
were written. Exits 1 when a promise broke.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from loadtests.accounting_servers import Nats, Postgres
from loadtests.bench_processes import BenchError, Processes
from loadtests.mirrored import DOMAIN, ODD_ONE
from loadtests.ports import free_port
from proxy.storage.tables import load_routing
from shadow_compare.app import open_evidence
from shadow_compare.core.evidence import DomainEvidence
from shadow_compare.errors import EvidenceUnavailable

VICTIMS = ("comparer", "bus", "database", "shipper")
RUNS = ("20261122T000000-1-aaaaaa", "20261122T000000-2-bbbbbb")
_KEY = "0123456789abcdef0123456789abcdef"
_STEP_S = 90.0


@dataclass
class Found:
    """What the proof found.

    Attributes:
        written: exchanges of the workers, by their own counters.
        odd: those that no store answers alike.
        readings: how often the books were read, and balanced, while things were killed.
        broken: promises that did not hold.
    """

    kills: dict[str, int] = field(default_factory=dict)
    written: int = 0
    odd: int = 0
    mirrored: int = 0
    compared: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    matched: int = 0
    mismatched: int = 0
    readings: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


class House:
    """All processes of the proof."""

    def __init__(self, home: Path, rate: float) -> None:
        self.home, self._rate = home, rate
        for name in ("bus", "database"):
            (home / name).mkdir()
        self.nats, self.postgres = Nats(home / "bus"), Postgres(home / "database")
        self._processes = Processes(home)
        self._pids: dict[str, int] = {}
        port = free_port()
        self._store = f"127.0.0.1:{port}"
        self.table = Path(self._processes.write("applied.yaml", TABLE.format(store=self._store)))
        self.readings = 0
        self.broken: list[str] = []

    def start(self) -> None:
        """Everything, in order."""
        self.nats.start()
        self.postgres.start()
        port = self._store.rpartition(":")[2]
        self._processes.start(
            *(sys.executable, "-m", "loadtests.soak_stores"),
            *("--port", port, "--says", "store", "--mode", "answer"),
        )
        for run in RUNS:
            self._pids[run] = self._processes.start(
                *(sys.executable, "-m", "loadtests.mirrored", "--spool", str(self.spool)),
                *("--run", run, "--rate", str(self._rate / len(RUNS))),
                log=f"{run}.log",
            )
        for name in ("shipper", "comparer", "other comparer"):
            self.start_one(name)

    @property
    def spool(self) -> Path:
        """Where the workers write."""
        return self.home / "spool"

    def start_one(self, name: str) -> None:
        """A shipper or a comparer."""
        env = {
            "BANYAN_BUS": self.nats.url,
            "BANYAN_BUS_ACK_WAIT_S": "3",
            "BANYAN_EVIDENCE_DATABASE": self.postgres.url,
            "BANYAN_REDACTION_KEY": _KEY,
            "BANYAN_SHADOW_RATE": "5000",
            "BANYAN_VAR": str(self.home),
        }
        command = ("ship",) if name == "shipper" else ("compare", "--config", str(self.table))
        self._pids[name] = self._processes.start(
            *(sys.executable, "-m", "cutover", *command, "--spool", str(self.spool)),
            env=env,
            log=f"{name}.log",
        )

    def kill(self, victim: str) -> None:
        """Kill -9."""
        if victim == "bus":
            self.nats.kill()
        elif victim == "database":
            self.postgres.kill()
        else:
            self._processes.end(self._pids[victim], signal.SIGKILL)

    def revive(self, victim: str) -> None:
        """Start it again."""
        if victim == "bus":
            self.nats.start()
        elif victim == "database":
            self.postgres.start()
        else:
            self.start_one(victim)

    def end_load(self) -> list[int]:
        """Stop the workers in peace. Returns how many exchanges each of them mirrored."""
        for run in RUNS:
            self._processes.end(self._pids[run])
        return [int((self.home / f"{run}.log").read_text().split()[-1]) for run in RUNS]

    def stop(self) -> None:
        """Everything."""
        self._processes.stop()
        self.nats.kill()
        self.postgres.kill(signal.SIGINT)

    async def books(self) -> DomainEvidence | None:
        """What a reader sees now; None while the database is away."""
        domain = load_routing(self.table).domain(DOMAIN)
        try:
            async with open_evidence(self.postgres.url) as evidence:
                found = await evidence.domain(domain)
        except EvidenceUnavailable:
            return None
        books = found.accounting
        self.readings += 1
        if books.mirrored != books.compared + books.lost + books.pending or books.pending < 0:
            self.broken.append(f"the books do not balance: {books}")
        return found

    async def until(self, holds: Callable[[DomainEvidence], bool], what: str) -> DomainEvidence:
        """Read the books until they say so.

        Raises:
            BenchError: they do not in time.
        """
        deadline = time.monotonic() + _STEP_S
        found = None
        while time.monotonic() < deadline:
            now = await self.books()
            found = now or found
            if now is not None and holds(now):
                return now
            await asyncio.sleep(0.2)
        raise BenchError(f"{what}: not within {_STEP_S:.0f} s; {found and found.accounting}")


async def prove(house: House, found: Found, dice: random.Random, args: argparse.Namespace) -> None:
    """Kill, look, and settle."""
    began_s = time.monotonic()
    house.start()
    last = await house.until(lambda now: now.accounting.compared > 0, "the first comparison")
    for turn in range(args.kills):
        for victim in VICTIMS:
            seen = last.accounting.compared
            await asyncio.sleep(dice.random() * 0.3)
            house.kill(victim)
            await asyncio.sleep(dice.random() * 0.5)
            await house.books()
            house.revive(victim)
            found.kills[victim] = found.kills.get(victim, 0) + 1
            if args.hurry:
                continue
            # More than what may have been on its way when it was killed.
            last = await house.until(
                lambda now, seen=seen: now.accounting.compared > seen + 50,  # type: ignore[misc]
                f"comparing on after kill {turn + 1} of the {victim}",
            )
            _say(f"killed the {victim}: {last.accounting}")
    counts = house.end_load()
    found.written = sum(counts)
    found.odd = sum(count // ODD_ONE for count in counts)
    last = await house.until(
        lambda now: now.accounting.pending == 0 and not _left(house.spool), "the end"
    )
    # A while later nothing may have been added: what was done is not done again.
    await asyncio.sleep(1.0)
    _take(found, await house.books() or last)
    found.seconds = round(time.monotonic() - began_s, 1)


def _left(spool: Path) -> bool:
    """Whether the spool still holds a run."""
    return any(path.is_dir() for path in spool.iterdir())


def _take(found: Found, last: DomainEvidence) -> None:
    books = last.accounting
    found.mirrored, found.compared, found.pending = books.mirrored, books.compared, books.pending
    found.lost = dict(books.losses)
    found.matched, found.mismatched = last.overall.matched, last.overall.mismatched


def promises(found: Found) -> list[str]:
    """Those that did not hold."""
    lost = sum(found.lost.values())
    held = {
        f"mirrored {found.mirrored} = written {found.written}": found.mirrored == found.written,
        f"mirrored {found.mirrored} = compared {found.compared} + lost {lost}": found.mirrored
        == found.compared + lost,
        f"compared {found.compared} = matched {found.matched} + mismatched {found.mismatched}": (
            found.compared == found.matched + found.mismatched
        ),
        f"mismatched {found.mismatched} = odd ones {found.odd}, but for {lost} lost": (
            found.odd - lost <= found.mismatched <= found.odd
        ),
        f"nothing is pending ({found.pending})": found.pending == 0,
    }
    return [promise for promise, holds in held.items() if not holds]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


TABLE = """
apiVersion: banyan/v1
stores:
  legacy: {{url: "http://{store}"}}
  core: {{url: "http://{store}"}}
domains:
  catalog:
    owner: merchandising
    stage: shadow
    routes:
      - {{path: "/products/", methods: [GET]}}
    shadow: {{sample: 100%, noise: 0%, writes: never}}
    compare: {{headers: [], rules: []}}
"""


def main() -> int:
    """Prove, and print the figures."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--kills", type=int, default=3, help="of each: comparer, bus, database …")
    told.add_argument("--rate", type=float, default=400.0, help="exchanges a second")
    told.add_argument("--hurry", action="store_true", help="do not see each kill overcome")
    told.add_argument("--seed", type=int, default=7, help="of the moments of the kills")
    told.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    args = told.parse_args()
    home = Path(tempfile.mkdtemp(prefix="banyan-accounting-"))
    home.chmod(0o755)
    found = Found()
    house: House | None = None
    try:
        house = House(home, args.rate)
        asyncio.run(prove(house, found, random.Random(args.seed), args))  # noqa: S311
        found.broken = [*house.broken, *promises(found)]
        found.readings = house.readings
    except BenchError as exc:
        found.broken.append(str(exc))
    finally:
        if house is not None:
            house.stop()
        if args.keep or found.broken:
            _say(f"the logs lie in {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(asdict(found), indent=2))
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
