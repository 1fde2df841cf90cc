"""Recall and silence: every seeded defect is reported, and equal stores report none.

    python -m tests.recall [--short] [--requests N] [--silence N] [--share S ...]

Exit status 1 when a defect went unreported, stood in no group of its place, or when a store
differed from itself after calibration.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.recall.house import laboratory
from tests.recall.verdict import is_forgiven, recall_problems

SHARES = (0.001, 0.01)
REQUESTS, SILENT_REQUESTS = 20_000, 20_000
SHORT = 600


async def recall(requests: int, share: float) -> list[str]:
    """Seed a share of so many answers; returns what went wrong."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="banyan-recall-") as folder:
        async with laboratory(Path(folder) / "var", share, _say) as lab:
            _say(f"{requests:,} requests, {share:.1%} of the answers spoilt")
            await lab.shop(requests)
            journal, found = lab.journal(), await lab.found()
    kinds = len({entry.kind for entry in journal})
    excused = sum(map(is_forgiven, journal))
    _tell(
        f"recall at {share:.1%}: {len(journal):,} defects of {kinds} kinds in {found.compared:,}"
        f" compared; {found.mismatched:,} mismatches in {len(found.groups)} groups,"
        f" {found.unread:,} unread, {excused} forgiven by the table's one rule,"
        f" lost {found.losses or 'none'};"
        f" {time.monotonic() - began_s:.0f} s"
    )
    return recall_problems(journal, found)


async def silence(requests: int) -> list[str]:
    """A store against itself after calibration; returns what was reported."""
    with tempfile.TemporaryDirectory(prefix="banyan-silence-") as folder:
        async with laboratory(Path(folder) / "var", None, _say) as lab:
            await lab.shop(min(requests, 300))
            run, config = lab.stage.banyan.run, str(lab.stage.house.applied)
            for domain in ("catalog", "price", "stock"):
                told = await run("calibrate", domain, "--config", config, "--requests", "50")
                _say(" ".join(told.out.split())[:200])
            _say(f"{requests:,} requests, both sides the same store")
            await lab.shop(requests)
            found = await lab.found()
    _tell(
        f"silence: {found.compared:,} compared, {found.mismatched:,} mismatches,"
        f" {found.unread:,} unread, lost {found.losses or 'none'}"
    )
    problems = [f"{one.route}: {one.title} ({one.count} times)" for one in found.groups]
    if found.compared + sum(found.losses.values()) < requests:
        problems.append(f"only {found.compared:,} of {requests:,} requests were compared")
    return problems


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run both; 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.recall")
    parser.add_argument("--short", action="store_true", help="a few hundred requests, 20 %% spoilt")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--silence", type=int, default=SILENT_REQUESTS)
    parser.add_argument("--share", type=float, action="append")
    options = parser.parse_args()
    if options.short:
        options.requests, options.silence, options.share = SHORT, SHORT, [0.2]
    problems = []
    for share in options.share or SHARES:
        problems += asyncio.run(recall(options.requests, share))
    if options.silence:
        problems += asyncio.run(silence(options.silence))
    for problem in problems:
        _tell(f"  ERROR: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
