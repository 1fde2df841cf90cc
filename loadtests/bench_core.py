"""What buying costs in the new core: beside django-oscar, and Medusa where it is asked for.

    python -m loadtests.bench_core [--lines 500] [--oscar-lines 50] [--medusa] [--json]

One run starts a PostgreSQL, the core on it, the core on SQLite, and the demo's django-oscar,
each with one process, gives them things to sell, and asks them the same questions one after
the other on one connection. Times are what a shopper waits on an idle shop; CPU is user and
system time of all of a shop's processes, its database server's apart, so reads per core can
be compared on a busy machine. Nothing here fails a build: goals are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtests.accounting_servers import Postgres
from loadtests.bench_core_medusa import Medusa
from loadtests.bench_core_shops import Core, Oscar, Shop
from loadtests.bench_processes import BenchError, Processes, cpu_s, members

READS = ("product", "price", "stock")
_SIZES = (1, 100, 500)
_READS_EACH = 300
_WARM_UP = 30
_CHECKOUTS = 60
BATCH_GOAL_MS, CHECKOUT_GOAL_MS, READS_GOAL = 500.0, 800.0, 5.0


@dataclass
class Figures:
    """What was seen of one shop.

    Attributes:
        cpu_us: by what was asked, CPU per request of the shop's own processes.
        database_us: the same of its database server; 0 where that is in the process.
        ms: by what was done, the median wait.
    """

    name: str
    cpu_us: dict[str, float] = field(default_factory=dict)
    database_us: dict[str, float] = field(default_factory=dict)
    ms: dict[str, float] = field(default_factory=dict)


def measured(
    shop: Shop, figures: Figures, name: str, times: int, ask: Callable[[int], None]
) -> None:
    """Ask so many times, and note wait and CPU per time."""
    own, database = members([shop.pid]), members(shop.database_pids)
    before = cpu_s(own), cpu_s(database)
    waits = []
    for n in range(times):
        started = time.perf_counter()
        ask(n)
        waits.append((time.perf_counter() - started) * 1000)
    figures.ms[name] = statistics.median(waits)
    figures.cpu_us[name] = (cpu_s(own) - before[0]) / times * 1e6
    figures.database_us[name] = (cpu_s(database) - before[1]) / times * 1e6


def read(shop: Shop, figures: Figures) -> None:
    """Products, prices and stock, each product in turn."""
    for kind in READS:
        for n in range(_WARM_UP):
            shop.read(kind, n)
        measured(shop, figures, kind, _READS_EACH, lambda n, kind=kind: shop.read(kind, n))  # type: ignore[misc]  # bound at once


def grow(shop: Shop, figures: Figures, sizes: Sequence[int]) -> None:
    """The wait for one more line in carts of several sizes."""
    for size in sizes:
        cart = shop.cart()
        shop.add(cart, range(size - 1))
        measured(
            shop, figures, f"line {size}", 5,
            lambda n, cart=cart, size=size: shop.add_line(cart, size + n),  # type: ignore[misc]  # bound at once
        )  # fmt: skip


def buy(shop: Shop, figures: Figures, lines: int) -> None:
    """A large cart at once and its order; then many small orders."""
    carts = [shop.cart() for _ in range(3)]
    measured(shop, figures, f"batch {lines}", 3, lambda n: shop.add(carts[n], range(lines)))
    measured(shop, figures, f"cart {lines}", 3, lambda n: shop.look(carts[n]))
    measured(shop, figures, f"checkout {lines}", 3, lambda n: shop.checkout(carts[n]))
    small = [shop.cart() for _ in range(_CHECKOUTS)]
    for n, cart in enumerate(small):
        shop.add(cart, [n % lines])
    measured(shop, figures, "checkout 1", _CHECKOUTS, lambda n: shop.checkout(small[n]))


def run(options: argparse.Namespace) -> list[Figures]:
    """All shops, one after the other.

    Raises:
        BenchError: something is not installed or does not come up.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="banyan-bench-core-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        processes = Processes(home)
        (home / "database").mkdir()
        postgres = Postgres(home / "database")
        try:
            postgres.start()
            shops: list[tuple[Callable[[], Shop], int]] = [
                (lambda: Core.on_postgres(processes, postgres, "core"), options.lines),
                (lambda: Core.on_sqlite(processes), options.lines),
                (lambda: Oscar(processes), options.oscar_lines),
            ]
            if options.medusa:
                shops.append((lambda: Medusa(processes, postgres), options.medusa_lines))
            for start, lines in shops:
                shop = start()
                _say(f"{shop.name}: selling …")
                shop.prepare(max(lines, max(_SIZES) + 10 if lines >= max(_SIZES) else lines + 10))
                found.append(_figures(shop, lines))
                processes.end(shop.pid)
        finally:
            processes.stop()
            postgres.kill()
    return found


def _figures(shop: Shop, lines: int) -> Figures:
    figures = Figures(shop.name)
    _say(f"{shop.name}: reads")
    read(shop, figures)
    _say(f"{shop.name}: carts of up to {lines} lines, and their orders")
    grow(shop, figures, [size for size in _SIZES if size <= lines])
    buy(shop, figures, lines)
    return figures


def goals(found: Sequence[Figures], lines: int) -> list[tuple[str, str, bool]]:
    """(what, seen, met) for each goal that the run could show."""
    by_name = {one.name: one for one in found}
    core, oscar = by_name["core, PostgreSQL"], by_name["django-oscar"]
    met = []
    for name, goal in (("batch", BATCH_GOAL_MS), ("checkout", CHECKOUT_GOAL_MS)):
        seen = core.ms[f"{name} {lines}"]
        met.append((f"{name} of {lines} lines under {goal:.0f} ms", f"{seen:.0f} ms", seen < goal))
    for kind in READS:
        for name in ("core, PostgreSQL", "core, SQLite"):
            seen = oscar.cpu_us[kind] / _all_cpu(by_name[name], kind)
            what = f"{kind} reads, {name}: {READS_GOAL:.0f}x oscar's per core"
            met.append((what, f"{seen:.1f}x", seen >= READS_GOAL))
    if f"line {max(_SIZES)}" in core.ms:
        seen = core.ms[f"line {max(_SIZES)}"] / core.ms["line 1"]
        met.append(("a line in a cart of 500 costs one in a cart of 1", f"{seen:.2f}x", seen < 1.5))
    return met


def _all_cpu(figures: Figures, kind: str) -> float:
    return figures.cpu_us[kind] + figures.database_us[kind]


def _print(found: Sequence[Figures], options: argparse.Namespace) -> None:
    console = Console(width=120)
    names = list(dict.fromkeys(name for one in found for name in one.ms))
    table = Table("asked", *(one.name for one in found), title="Median wait, ms · CPU, us")
    for name in names:
        table.add_row(name, *(_cell(one, name) for one in found))
    console.print(table)
    console.print("CPU is of the shop's processes + its database server's.")
    for one in found:
        per_s = 1e6 / _all_cpu(one, "checkout 1")
        console.print(f"{one.name}: {per_s:.0f} orders of one line per second of CPU")
    for what, seen, met in goals(found, options.lines):
        console.print(f"{'met' if met else 'NOT MET'}: {what}: {seen}")


def _cell(figures: Figures, name: str) -> str:
    if name not in figures.ms:
        return "-"
    database = figures.database_us[name]
    apart = f"+{database:,.0f}" if database else ""
    return f"{figures.ms[name]:.1f} · {figures.cpu_us[name]:,.0f}{apart}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _document(found: Sequence[Figures]) -> Mapping[str, Any]:
    return {
        one.name: {"ms": one.ms, "cpu_us": one.cpu_us, "database_us": one.database_us}
        for one in found
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench_core", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--lines", type=int, default=500, help="of the core's large cart")
    parser.add_argument("--oscar-lines", type=int, default=50, help="of oscar's; it is quadratic")
    parser.add_argument("--medusa", action="store_true", help="beside Medusa (Node, npm: minutes)")
    parser.add_argument("--medusa-lines", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args(arguments)
    if options.medusa and shutil.which("npm") is None:
        print("bench_core: Medusa needs Node 20 and npm", file=sys.stderr)
        return 1
    try:
        found = run(options)
    except BenchError as exc:
        print(f"bench_core: {exc}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(_document(found)))
    else:
        print(f"{os.cpu_count()} cores")
        _print(found, options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
