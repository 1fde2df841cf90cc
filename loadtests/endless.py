"""A million frames through one comparer, and what memory it takes meanwhile.

    python -m loadtests.endless --frames 1000000

A worker writes exchanges into a bounded spool as fast as it has room, a small store answers,
one `banyan compare` judges and stores into SQLite. Prints a line every ten seconds: frames
done, frames a second, the comparer's resident memory, the database's size. Exits 1 when the
memory grew after the warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from loadtests.accounting import RUNS, TABLE
from loadtests.bench_processes import Processes, memory_bytes
from loadtests.mirrored import DOMAIN
from loadtests.ports import free_port
from proxy.storage.tables import load_routing
from shadow_compare.app import open_evidence
from shadow_compare.core.evidence import Accounting
from shadow_compare.errors import EvidenceUnavailable

EVERY_S = 10.0
_WARM = 0.2
_GROWTH = 1.2


async def watch(
    url: str, table: Path, pid: int, frames: int, limit_s: float
) -> list[dict[str, float]]:
    """A sample every ten seconds, until all frames are done or the time is over."""
    began_s, samples = time.monotonic(), []
    domain = load_routing(table).domain(DOMAIN)
    database = Path(url.partition("///")[2])
    while time.monotonic() - began_s < limit_s:
        await asyncio.sleep(EVERY_S)
        books = Accounting(0, 0, 0)
        try:
            async with open_evidence(url) as evidence:
                books = (await evidence.domain(domain)).accounting
        except EvidenceUnavailable:
            pass
        seconds = time.monotonic() - began_s
        done = books.compared + books.lost
        sample = {
            "seconds": round(seconds),
            "done": done,
            "per_s": round(done / seconds),
            "rss_mib": round(memory_bytes(pid)[0] / 2**20, 1),
            "database_mib": round(
                sum(p.stat().st_size for p in database.parent.glob(f"{database.name}*")) / 2**20, 1
            ),
        }
        print(json.dumps(sample), flush=True)
        samples.append(sample)
        if done >= frames:
            break
    return samples


def flat(samples: list[dict[str, float]]) -> bool:
    """Whether the last fifth of the samples needs no more memory than the one after warm-up."""
    if len(samples) < 5:
        return False
    warm = samples[int(len(samples) * _WARM)]["rss_mib"]
    return (
        max(sample["rss_mib"] for sample in samples[-max(1, len(samples) // 5) :]) <= warm * _GROWTH
    )


def main() -> int:
    """Run it."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--frames", type=int, default=1_000_000)
    told.add_argument("--minutes", type=float, default=60.0, help="end earlier after so long")
    told.add_argument("--rate", type=float, default=5_000.0, help="frames a second, at most")
    args = told.parse_args()
    home = Path(tempfile.mkdtemp(prefix="banyan-endless-"))
    processes = Processes(home)
    try:
        port = free_port()
        table = Path(processes.write("applied.yaml", TABLE.format(store=f"127.0.0.1:{port}")))
        processes.start(
            *(sys.executable, "-m", "loadtests.soak_stores"),
            *("--port", str(port), "--says", "store", "--mode", "answer"),
        )
        processes.start(
            *(sys.executable, "-m", "loadtests.mirrored", "--spool", str(home / "spool")),
            *(
                "--run",
                RUNS[0],
                "--rate",
                str(args.rate),
                "--frames",
                str(args.frames),
                "--patient",
            ),
        )
        url = f"sqlite+aiosqlite:///{home}/evidence.sqlite3"
        pid = processes.start(
            *(sys.executable, "-m", "cutover", "compare", "--config", str(table)),
            *("--spool", str(home / "spool"), "--database", url),
            env={"BANYAN_SHADOW_RATE": "100000", "BANYAN_SHADOW_MAX_AGE_S": "86400"},
            log="comparer.log",
        )
        samples = asyncio.run(watch(url, table, pid, args.frames, args.minutes * 60))
    finally:
        processes.stop()
        shutil.rmtree(home, ignore_errors=True)
    is_flat = flat(samples)
    print(json.dumps({"flat": is_flat, **(samples[-1] if samples else {})}))
    return 0 if is_flat else 1


if __name__ == "__main__":
    sys.exit(main())
