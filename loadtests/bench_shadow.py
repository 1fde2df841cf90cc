"""What it costs to mirror, ask, judge and store every exchange, beside nginx's mirror.

    python -m loadtests.bench_shadow [--rounds 3] [--rate 1000] [--seconds 5] [--json]
                                     [--same | --unlike]

nginx's `mirror` sends a copy and throws the answer away. Ours, at 100 % sampling: proxy,
capture, the question to the other side, judging and storing. Both get the same requests at
the same fixed rate in turns of one run, from the same two nginx stores. The figure is CPU
time of all processes by live requests; those of ours count only once the comparer has
caught up, and what it did not compare is printed and charged all the same: the CPU is
divided by the compared exchanges, never by those that were lost.

The stores answer with one document of 1.8 kB, the paths are many, and a shopper asks ten
times. With --same there is one path; with --unlike each answer differs from every other,
so that each exchange is a mismatch.

Needs nginx. Compile first: python -m proxy.compiled
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.bench_ours import Ours, catalog_table, parse_samples, shadow_counts, start_ours
from loadtests.bench_paced import PacedClient, Plan
from loadtests.bench_peers import (
    SAME_PATH,
    start_equal_stores,
    start_nginx_mirror,
    start_stores,
)
from loadtests.bench_processes import (
    BenchError,
    Processes,
    cpu_s,
    fetch,
    members,
    wait_for,
)
from loadtests.ports import free_port

GOAL = 1.0
_CATCH_UP_S = 60.0
_LOOK_S = 0.5  # a look costs those who are looked at
_MOST_RATE = "1000000"
_REQUEST = (
    "GET %s HTTP/1.1\r\nHost: shop.example\r\nAccept: application/json\r\n"
    "Accept-Encoding: gzip, deflate\r\nCookie: sessionid=%016x\r\n\r\n"
)


@dataclass(slots=True)
class Turns:
    """What the turns of one way cost, in CPU microseconds for one exchange."""

    name: str
    costs_us: list[float] = field(default_factory=list)

    @property
    def cost_us(self) -> float:
        """The median."""
        return statistics.median(self.costs_us)


@dataclass(frozen=True, slots=True)
class Platform:
    """A proxy of ours and its comparer."""

    ours: Ours
    comparer: int
    metrics: int

    def ended(self) -> tuple[int, dict[str, int]]:
        """How many exchanges were compared and stored so far, and the losses by reason."""
        _, text = fetch(f"http://127.0.0.1:{self.metrics}/metrics")
        samples = parse_samples(text)
        compared = sum(
            int(value)
            for name, value in samples.items()
            if name.startswith("banyan_compare_total{")
        )
        losses: dict[str, int] = {}
        for name, value in samples.items():
            if name.startswith("banyan_shadow_loss_total{"):
                reason = name.partition('reason="')[2].partition('"')[0]
                losses[reason] = losses.get(reason, 0) + int(value)
        return compared, losses


def start_platform(processes: Processes, stores: tuple[int, int]) -> Platform:
    """Start a proxy with one worker, and a comparer that reads its spool.

    Raises:
        BenchError: one of them does not serve.
    """
    urls = (f"http://127.0.0.1:{stores[0]}", f"http://127.0.0.1:{stores[1]}")
    ours = start_ours(processes, "shadow", catalog_table(urls, "shadow"))
    metrics = free_port()
    database = f"sqlite+aiosqlite:///{processes.folder}/evidence.sqlite3"
    comparer = processes.start(
        *(sys.executable, "-m", "cutover", "compare", "--config", str(ours.config)),
        *("--spool", str(ours.spool), "--database", database),
        *("--listen", f"127.0.0.1:{metrics}"),
        env={"BANYAN_SHADOW_RATE": _MOST_RATE, "BANYAN_SHADOW_CONCURRENCY": "64"},
        log="comparer.log",
    )
    wait_for(f"http://127.0.0.1:{metrics}/healthz")
    return Platform(ours, comparer, metrics)


def _pace(port: int, options: argparse.Namespace, seconds: float) -> int:
    """Send at the rate; returns how many requests were answered."""

    def request(n: int) -> bytes:
        path = SAME_PATH if options.same else f"/api/products/{n % 9973 + 2}/"
        return (_REQUEST % (path, n // 10)).encode()

    pace = PacedClient(Plan(port, options.rate, seconds, request)).run()
    if pace.errors:
        raise BenchError(f"port {port}: {dict(pace.errors)}")
    return len(pace.latencies_us)


def measure_mirror(row: Turns, port: int, pid: int, options: argparse.Namespace) -> None:
    """One turn of nginx's mirror."""
    before = cpu_s(members([pid]))
    answers = _pace(port, options, options.seconds)
    time.sleep(_LOOK_S)  # its copies are sent behind the answers
    row.costs_us.append((cpu_s(members([pid])) - before) / answers * 1e6)


def measure_platform(
    rows: Sequence[tuple[Turns, Callable[[], list[int]]]],
    platform: Platform,
    options: argparse.Namespace,
) -> dict[str, object]:
    """One turn of ours, to the end of the last comparison."""
    before = [cpu_s(pids()) for _, pids in rows]
    compared, losses = platform.ended()
    mirrored = shadow_counts(platform.ours.samples())["mirrored"]
    answers = _pace(platform.ours.port, options, options.seconds)
    began = time.monotonic()
    now, lost = _caught_up(platform, compared + answers, losses)
    done = now - compared
    if not done:
        raise BenchError(f"nothing was compared; lost: {lost}")
    for (row, pids), spent_s in zip(rows, before, strict=True):
        row.costs_us.append((cpu_s(pids()) - spent_s) / done * 1e6)
    return {
        "live": answers,
        "mirrored": shadow_counts(platform.ours.samples())["mirrored"] - mirrored,
        "compared": done,
        "lost": lost,
        "behind_s": round(time.monotonic() - began, 2),
    }


def _caught_up(
    platform: Platform, wanted: int, before: dict[str, int]
) -> tuple[int, dict[str, int]]:
    """Wait until every exchange came to its end. Returns the compared, and the new losses.

    Raises:
        BenchError: the comparer does not get there.
    """
    deadline = time.monotonic() + _CATCH_UP_S
    seen = -1
    while True:
        compared, losses = platform.ended()
        lost = {reason: n - before.get(reason, 0) for reason, n in losses.items()}
        lost = {reason: n for reason, n in lost.items() if n}
        ended = compared + sum(lost.values())
        if ended >= wanted:
            return compared, lost
        if ended == seen:
            # Nothing came to its end for a while: it may never have been captured.
            counts = shadow_counts(platform.ours.samples())
            if ended + counts["dropped"] >= wanted:
                return compared, lost | {"dropped": counts["dropped"]}
        if time.monotonic() > deadline:
            raise BenchError(f"only {compared} compared of {wanted}; lost: {lost}")
        seen = ended
        time.sleep(_LOOK_S)


def run(options: argparse.Namespace) -> dict[str, object]:
    """Measure turn by turn and return the figures.

    Raises:
        BenchError: something could not be measured.
    """
    with tempfile.TemporaryDirectory(prefix="banyan-bench-") as folder:
        Path(folder).chmod(0o755)  # nginx's workers are somebody else
        processes = Processes(Path(folder))
        try:
            stores = (start_stores if options.unlike else start_equal_stores)(processes)
            mirror = start_nginx_mirror(processes, *stores)
            wait_for(f"http://127.0.0.1:{mirror.port}{SAME_PATH}")
            platform = start_platform(processes, stores)
            return _turns(platform, mirror.port, mirror.pid, options)
        finally:
            processes.stop()


def _turns(
    platform: Platform, port: int, pid: int, options: argparse.Namespace
) -> dict[str, object]:
    ours = platform.ours.processes
    comparer = [platform.comparer]
    nginx, whole = Turns("nginx mirror"), Turns("banyan, all of it")
    rows = [
        (whole, lambda: [*ours(), *members(comparer)]),
        (Turns("  its proxy with capture"), ours),
        (Turns("  its comparer"), lambda: members(comparer)),
    ]
    found: list[dict[str, object]] = []
    for turn in range(options.rounds + 1):
        measure_mirror(nginx, port, pid, options)
        found.append(measure_platform(rows, platform, options))
        if not turn:  # a warm-up
            for row in (nginx, *(row for row, _ in rows)):
                row.costs_us.clear()
            found.clear()
    costs = {row.name.strip(): round(row.cost_us, 1) for row in (nginx, *(r for r, _ in rows))}
    return {
        "cpu_us": costs,
        "turns": found,
        "ratio": round(whole.cost_us / nginx.cost_us, 2),
        "compiled": platform.ours.is_compiled(),
    }


def _print(found: dict[str, object], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(found))
        return
    costs, turns = found["cpu_us"], found["turns"]
    assert isinstance(costs, dict)  # noqa: S101 - as `run` made them
    assert isinstance(turns, list)  # noqa: S101
    form = "compiled" if found["compiled"] else "run from the sources"
    print(f"CPU of all processes for one exchange, at {options.rate:,.0f} requests/s, {form}:")
    for name, cost in costs.items():
        print(f"  {name:26s} {cost:8.1f} us")
    for turn in turns:
        share = turn["compared"] / turn["live"]
        print(
            f"  {turn['live']:,} live, {turn['mirrored']:,} mirrored, {turn['compared']:,} compared"
            f" ({share:.1%}), lost {turn['lost'] or 'none'}, caught up {turn['behind_s']} s after"
        )
    met = "met" if float(str(found["ratio"])) <= GOAL else "not met"
    print(f"goal: at most {GOAL:.1f}x of nginx mirror; is {found['ratio']}x: {met}")


def main() -> int:
    """Run it; 1 with one line on standard error when it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.bench_shadow", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="turns of either; medians are printed (3)")
    add("--rate", type=float, default=1000.0, help="requests a second (1000)")
    add("--seconds", type=float, default=5.0, help="of each turn (5)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--same", action="store_true", help="one path instead of many")
    kind.add_argument("--unlike", action="store_true", help="no two answers are equal")
    add("--json", action="store_true", help="one line of JSON instead of tables")
    options = parser.parse_args()
    if not shutil.which("nginx"):
        print("bench_shadow: not found: nginx (apt-get install it)", file=sys.stderr)
        return 1
    try:
        _print(run(options), options)
    except BenchError as exc:
        print(f"bench_shadow: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
