"""Our proxy by its command line, and routing files of any size for it."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench_processes import Processes, fetch, members, wait_for
from loadtests.ports import free_port

# Reads the spool as a comparer does, and asks nobody: what is left is the spool's own cost.
_READER = """
import sys, time
from pathlib import Path
from proxy.storage import SpoolReader
with SpoolReader(Path(sys.argv[1])) as reader:
    while True:
        batch = reader.read(2_000)
        reader.release({frame.run: position for position, frame in batch})
        time.sleep(0.02 if batch else 0.2)
"""
CATALOG = ("/api/products/", "/api/products/{id}/")
ROUTES_PER_DOMAIN = 100


@dataclass(frozen=True, slots=True)
class Ours:
    """A running proxy of ours.

    Attributes:
        pid: its supervisor.
        spool: where its captures lie.
        config: its routing file.
    """

    pid: int
    port: int
    door: int
    spool: Path
    config: Path

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        _, text = fetch(f"http://127.0.0.1:{self.door}/readyz")
        return sorted(int(pid) for pid in json.loads(text)["revisions"])

    def processes(self) -> list[int]:
        """All its processes, the supervisor first."""
        return members([self.pid])

    def is_compiled(self) -> bool:
        """Whether its workers run compiled modules."""
        _, text = fetch(f"http://127.0.0.1:{self.door}/readyz")
        return bool(json.loads(text)["compiled"])

    def samples(self) -> dict[str, float]:
        """Its metrics: value by name with labels."""
        _, text = fetch(f"http://127.0.0.1:{self.door}/metrics")
        return parse_samples(text)


def parse_samples(text: str) -> dict[str, float]:
    """Prometheus text as values by name with labels."""
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def shadow_counts(samples: Mapping[str, float]) -> Counter[str]:
    """How mirrored exchanges ended: `mirrored`, `spooled`, `dropped`, and `dropped REASON`."""
    counts: Counter[str] = Counter()
    for name, value in samples.items():
        if not name.startswith("banyan_shadow_total{"):
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
        counts[labels["outcome"]] += int(value)
        if labels.get("reason"):
            counts[f"{labels['outcome']} {labels['reason']}"] += int(value)
    return counts


def catalog_table(stores: tuple[str, str], stage: str = "legacy") -> str:
    """A routing file with one domain of two routes."""
    return _table(stores, {"catalog": (stage, CATALOG)})


def wide_table(stores: tuple[str, str], routes: int) -> str:
    """A routing file with so many routes, `/shop/r0000/{id}/` and on, a hundred a domain."""
    domains: dict[str, tuple[str, Sequence[str]]] = {}
    for first in range(0, routes, ROUTES_PER_DOMAIN):
        numbers = range(first, min(first + ROUTES_PER_DOMAIN, routes))
        domains[f"part-{first:04}"] = ("legacy", [f"/shop/r{n:04}/{{id}}/" for n in numbers])
    return _table(stores, domains)


def _table(stores: tuple[str, str], domains: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    lines = [
        "apiVersion: banyan/v1",
        "stores:",
        f'  legacy: {{url: "{stores[0]}"}}',
        f'  core: {{url: "{stores[1]}"}}',
        'shopper: ["header:X-Customer-Id", "cookie:sessionid"]',
        "domains:",
    ]
    for name, (stage, paths) in domains.items():
        lines += [f"  {name}:", "    owner: merchandising", f"    stage: {stage}", "    routes:"]
        lines += [f'      - {{path: "{path}", methods: [GET]}}' for path in paths]
    return "\n".join(lines) + "\n"


def start_ours(
    processes: Processes,
    name: str,
    table: str,
    *,
    workers: int = 1,
    env: Mapping[str, str] | None = None,
) -> Ours:
    """Start a proxy and wait until it serves.

    Raises:
        BenchError: it does not.
    """
    port, door = free_port(), free_port()
    config = processes.write(f"{name}.yaml", table)
    spool = processes.folder / f"spool-{name}"
    pid = processes.start(
        *(sys.executable, "-m", "proxy", "--config", config, "--spool", str(spool)),
        *("--listen", f"127.0.0.1:{port}", "--side-door", f"127.0.0.1:{door}"),
        *("--workers", str(workers)),
        env=env,
        log=f"{name}.log",
    )
    wait_for(f"http://127.0.0.1:{door}/readyz")
    return Ours(pid, port, door, spool, Path(config))


def start_reader(processes: Processes, spool: Path) -> int:
    """Empty a spool all the time. Returns the reader's pid."""
    return processes.start(sys.executable, "-c", _READER, str(spool))
