"""What the data half costs: both stores kept in step, compared, and flipped.

    python -m loadtests.bench_data [--only PART,PART] [--small] [--data PATH] [--json]

Parts, in the order in which they run:
  backfill    a year of a real shop from an oscar on MariaDB into a core on PostgreSQL (--data)
  reconcile   all of it compared, beside namidiff (--data)
  projection  documents made of rows, per second of CPU
  lag         from a commit in the legacy to the commit in the core, at a fixed rate
  freeze      how long shoppers' writes wait in flips there and back, under load
  rows        one table of 10 M rows on both sides compared

Nothing here fails a build: goals are printed. --small runs each part on little data, to see that
it runs; its figures are no measure.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from loadtests.bench_data_figures import Seen, document, goal_rows, parts_of, rows_seen
from loadtests.bench_processes import BenchError

if TYPE_CHECKING:
    from loadtests.bench_data_lag import Chosen

_SMALL_INVOICES = 300
_SMALL_ROWS = 20_000


def run(options: argparse.Namespace, folder: Path) -> dict[str, Seen]:
    """The chosen parts, one after the other. A part that cannot run says so in its place."""
    parts = parts_of(options.only)
    found: dict[str, Seen] = {}

    def take(part: str, work: Callable[[], Seen]) -> None:
        if part not in parts:
            return
        before = os.getloadavg()[0]
        say(f"== {part}, load {before:.1f}")
        try:
            found[part] = work()
        except BenchError as exc:
            found[part] = Seen(told=[f"{part}: did not run: {exc}"])
            say(f"  did not run: {exc}")
        # Times of a machine that others use are theirs as well.
        found[part].figures["load"] = [before, os.getloadavg()[0]]

    if {"backfill", "reconcile"} & set(parts):
        _retail(options, folder, take)
    take("projection", lambda: _projection(options, folder))
    take("lag", lambda: _lag(options, folder))
    take("freeze", lambda: _freeze(options, folder))
    take("rows", lambda: _rows(options))
    return found


def _projection(options: argparse.Namespace, folder: Path) -> Seen:
    from loadtests.bench_data_projection import run as project  # noqa: PLC0415

    return project(folder / "projection", environment(), small=options.small)


def _lag(options: argparse.Namespace, folder: Path) -> Seen:
    from loadtests.bench_data_lag import run as lag  # noqa: PLC0415

    return lag(folder, environment(), say, _chosen(options))


def _chosen(options: argparse.Namespace) -> Chosen:
    from loadtests.bench_data_lag import LEGACIES, Chosen  # noqa: PLC0415

    legacies = (options.legacy,) if options.legacy else LEGACIES
    return Chosen(legacies, options.flips, options.small)


def _freeze(options: argparse.Namespace, folder: Path) -> Seen:
    from loadtests.bench_data_freeze import run as freeze  # noqa: PLC0415

    return freeze(folder, environment(), say, _chosen(options))


def _rows(options: argparse.Namespace) -> Seen:
    """In a process of its own: its peak of memory is told, and ours is none of it."""
    rows = _SMALL_ROWS if options.small else options.rows
    say(f"{rows:,} rows on both sides …")
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "loadtests.bench_reconcile", "--rows", str(rows), "--workers", "2"],
        check=False, capture_output=True, text=True, env=environment(),
    )  # fmt: skip
    if done.returncode:
        raise BenchError(done.stderr.strip()[-1_000:])
    return rows_seen(json.loads(done.stdout))


def _retail(
    options: argparse.Namespace, folder: Path, take: Callable[[str, Callable[[], Seen]], None]
) -> None:
    from loadtests.bench_data_retail import backfill, data_file, reconcile  # noqa: PLC0415
    from loadtests.bench_data_stores import stores  # noqa: PLC0415

    def absent() -> Seen:
        raise BenchError(
            "it needs UCI's Online Retail: --data PATH of online_retail.csv.gz or its folder"
        )

    if options.data is None:
        take("backfill", absent)
        take("reconcile", absent)
        return
    file = data_file(options.data)
    with stores(folder / "retail", "mariadb", say, environment()) as made:
        filled: list[Seen] = []

        def fill() -> Seen:
            filled.append(backfill(made, file, _SMALL_INVOICES if options.small else 0))
            return filled[0]

        def compare() -> Seen:
            if not filled:
                fill()
            return reconcile(made)

        take("backfill", fill)
        if filled or "backfill" not in parts_of(options.only):
            take("reconcile", compare)


def environment() -> dict[str, str]:
    """What children find: PATH and HOME, and none of our caller's settings."""
    return {k: v for k, v in os.environ.items() if not k.startswith("BANYAN_")}  # noqa: TID251


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def _print(found: dict[str, Seen], console: Console) -> None:
    for name, one in found.items():
        for sentence in one.told:
            console.print(sentence, highlight=False)
        before, after = one.figures["load"]
        console.print(f"  ({name}: the machine's load was {before:.1f}, then {after:.1f})")
    table = Table("figure", "goal", "seen", "verdict")
    for one in found.values():
        for row in goal_rows(one.goals):
            table.add_row(*row)
    console.print(table)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """Leave through every `finally`, so that no server stays behind."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench_data", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", default="", metavar="PART,PART", help="these parts alone")
    parser.add_argument("--small", action="store_true", help="little data; no measure")
    parser.add_argument("--data", type=Path, help="online_retail.csv.gz, or its folder")
    parser.add_argument(
        "--legacy", choices=("postgresql", "mariadb"), help="lag and freeze on this one alone"
    )
    parser.add_argument("--flips", type=int, default=20, help="on each legacy")
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the part of that name")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    began_s = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(
            prefix="banyan-bench-data-", ignore_cleanup_errors=True
        ) as folder:
            Path(folder).chmod(0o755)
            found = run(options, Path(folder))
    except BenchError as exc:
        print(f"bench_data: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps(document(found)))
    else:
        loads = " ".join(f"{one:.1f}" for one in os.getloadavg())
        print(f"{os.cpu_count()} cores, load {loads}, {time.monotonic() - began_s:.0f} s")
        _print(found, Console(width=120))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
