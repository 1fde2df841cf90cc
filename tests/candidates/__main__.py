"""Which releases of a core get through, and which are stopped or taken back.

    python -m tests.candidates [--short] [--only WORD]

Each release stands in canary at 25 %, with a ramp, a parity gate and a rollback, behind the
real proxy, comparer and `banyan steer`. Exit status 1 when one came to another end than it
should: a bad one that got on, or a good one that was taken back.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.candidates.house import Trial, trial
from tests.candidates.releases import RELEASES, End, Release

LONGEST_S = 60.0
SHORT = ("as good as legacy", "errors 5 %", "a cent too much for one shopper in ten")


async def tried(release: Release) -> tuple[str, bool]:
    """Try a release; its row, and whether it came to an end that it should."""
    with tempfile.TemporaryDirectory(prefix="banyan-candidates-") as folder:
        async with trial(release, Path(folder)) as it:
            # What must come about gets twice the time: the machine may be slow.
            is_awaited = End.HELD not in release.ends
            end, spent_s = await it.shop(LONGEST_S * (1 + is_awaited))
            row = f"{end}|{spent_s:.0f} s|{it.answers:,}|{it.failed:,}|{_why(it)}"
    return row, end in release.ends


def _why(it: Trial) -> str:
    last = it.revisions()[-1].entry
    if last.actor == "banyan":
        return last.reason
    said = (it.var / "steer.log").read_text().strip().splitlines()
    return said[-1].partition(": ")[2] if said else "nothing was said"


async def main(names: list[str]) -> int:
    """Try them one after the other; 1 where one came to a wrong end."""
    if (running := asyncio.current_task()) is not None:
        # Whoever ends this ends what it started too.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    table = Table("release", "end", "after", "answers", "failed", "why")
    console, wrong = Console(width=200), 0
    for release in RELEASES:
        if names and release.name not in names:
            continue
        row, is_right = await tried(release)
        wrong += not is_right
        mark = "" if is_right else " (wrong)"
        table.add_row(release.name + mark, *row.split("|"))
        sys.stderr.write(f"{release.name}{mark}: {row.replace('|', ', ')}\n")
    console.print(table)
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="three of them")
    parser.add_argument("--only", default="", help="those with this word in their name")
    asked = parser.parse_args()
    chosen = list(SHORT) if asked.short else []
    if asked.only:
        chosen = [one.name for one in RELEASES if asked.only in one.name]
    try:
        raise SystemExit(asyncio.run(main(chosen)))
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
