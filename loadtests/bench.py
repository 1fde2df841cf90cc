"""What a proxied request costs: ours beside nginx, HAProxy and Envoy, in one run.

    python -m loadtests.bench [--rounds 3] [--seconds 4] [--only PART ...] [--json]

The figure is CPU time per request: user and system time of all of a proxy's processes
(ours with its supervisor), from /proc, by the requests that wrk counted. It holds on a
busy machine, where requests per second do not; and since all take turns on the same
machine, their ratios hold best. Nothing here fails a build: goals are printed.

Needs wrk and nginx; HAProxy and Envoy are measured where they are found.
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
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.bench_idle import idle_connections
from loadtests.bench_loads import Load, run_wrk, script
from loadtests.bench_ours import (
    Ours,
    catalog_table,
    shadow_counts,
    start_ours,
    start_reader,
    wide_table,
)
from loadtests.bench_paced import PacedClient, Plan
from loadtests.bench_peers import SAME_PATH, Peer, start_peers, start_stores
from loadtests.bench_processes import (
    BenchError,
    Processes,
    cpu_s,
    members,
    memory_bytes,
    raise_file_limit,
    wait_for,
)
from loadtests.bench_report import (
    Goal,
    Latency,
    Row,
    added_ms,
    cost_goals,
    cost_table,
    latency_table,
    route_goals,
    worker_goals,
)

IDLE_CONNECTIONS = 10_000
IDLE_BYTES = 250_000_000
PACED_RATE = 1_000.0
_PACED_REQUEST = (
    f"GET {SAME_PATH} HTTP/1.1\r\nHost: shop.example\r\nAccept: application/json\r\n"
    "Cookie: sessionid=%016x\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Target:
    """A proxy under load. The first of `rows` gets the figures of wrk; each gets the CPU
    time of its own roots and their children.
    """

    port: int
    rows: Sequence[tuple[Row, Callable[[], list[int]]]]


@dataclass
class Bench:
    """What the parts share, and what they found."""

    options: argparse.Namespace
    processes: Processes
    stores: tuple[int, int]
    goals: list[Goal] = field(default_factory=list)
    found: dict[str, object] = field(default_factory=dict)

    @property
    def urls(self) -> tuple[str, str]:
        """Addresses of the stores."""
        return f"http://127.0.0.1:{self.stores[0]}", f"http://127.0.0.1:{self.stores[1]}"

    def say(self, *lines: str) -> None:
        """For people; machines get JSON alone."""
        if not self.options.json:
            print(*lines, sep="\n", flush=True)

    def progress(self, line: str) -> None:
        """Where we are, on a terminal."""
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)

    def load(self, load: Load, targets: Sequence[Target]) -> None:
        """All targets take turns under a load, after a warm-up."""
        text = script(load)
        lua = self.processes.write(f"{load.replace(' ', '-')}.lua", text) if text else None
        for turn in range(self.options.rounds + 1):
            for target in targets:
                self.progress(f"{load}, round {turn} of {self.options.rounds}: {_name(target)}")
                self._measure(target, lua, is_warm_up=not turn)
        self.progress("")

    def _measure(self, target: Target, lua: str | None, *, is_warm_up: bool) -> None:
        options = self.options
        if is_warm_up:
            run_wrk(target.port, lua, 1, options.connections)
            return
        groups = [(row, pids()) for row, pids in target.rows]
        before = [cpu_s(pids) for _, pids in groups]
        try:
            said = run_wrk(target.port, lua, options.seconds, options.connections)
        except BenchError as exc:
            raise BenchError(f"{_name(target)}: {exc}") from exc
        for (row, pids), spent_s in zip(groups, before, strict=True):
            row.costs_us.append((cpu_s(pids) - spent_s) / said.requests * 1e6)
            row.said.append(said)

    def keep(self, name: str, rows: Sequence[Row]) -> None:
        """Print rows and remember them for machines."""
        self.say("", f"{name}:", *cost_table(rows))
        self.found[name] = {
            row.name: {
                "cpu_us_per_request": round(row.cost_us, 2),
                "requests_per_s": round(row.rate),
                "p99_ms": round(row.p99_ms, 3),
            }
            for row in rows
        }


def _name(target: Target) -> str:
    return target.rows[0][0].name


def _peer_target(peer: Peer) -> Target:
    return Target(peer.port, [(Row(peer.name), lambda: members([peer.pid]))])


def _our_target(name: str, ours: Ours, reader: int | None = None) -> Target:
    rows = [(Row(name), ours.processes), (Row(f"{name}, workers alone"), ours.workers)]
    if reader is not None:
        rows.append((Row(f"{name}, its reader too"), lambda: [*ours.processes(), reader]))
    return Target(ours.port, rows)


def costs(bench: Bench, loads: Sequence[Load]) -> None:
    """Routing only and with every exchange captured, beside the peers."""
    peers = start_peers(bench.processes, *bench.stores)
    for peer in peers:
        wait_for(f"http://127.0.0.1:{peer.port}{SAME_PATH}")
    plain = start_ours(bench.processes, "plain", catalog_table(bench.urls))
    capture = start_ours(bench.processes, "capture", catalog_table(bench.urls, "shadow"))
    reader = start_reader(bench.processes, capture.spool)
    for load in loads:
        targets = [_peer_target(peer) for peer in peers]
        targets += [_our_target("banyan", plain), _our_target("banyan capture", capture, reader)]
        before = shadow_counts(capture.samples())
        bench.load(load, targets)
        rows = [row for target in targets for row, _ in target.rows]
        bench.keep(f"{load} requests", rows)
        bench.goals += cost_goals(load, rows)
        _captured(bench, load, _settled(capture) - before)


def _settled(ours: Ours) -> Counter[str]:
    """Its counts once nothing more is written, or after 10 s."""
    counts = shadow_counts(ours.samples())
    deadline = time.monotonic() + 10
    while counts["mirrored"] > counts["spooled"] + counts["dropped"]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
        counts = shadow_counts(ours.samples())
    return counts


def _captured(bench: Bench, load: Load, counts: Mapping[str, int]) -> None:
    mirrored, spooled = counts.get("mirrored", 0), counts.get("spooled", 0)
    lost = ", ".join(f"{n:,} {what}" for what, n in counts.items() if what.startswith("dropped "))
    bench.say(
        f"captured: {spooled:,} of {mirrored:,} mirrored ({spooled / max(mirrored, 1):.1%})"
        + (f"; {lost}" if lost else "")
    )
    bench.found[f"{load} captures"] = dict(counts)


def routes(bench: Bench) -> None:
    """5,000 routes against 5: once with the same requests, once with requests for them all."""
    few, wide = (
        start_ours(bench.processes, f"routes-{count}", wide_table(bench.urls, count))
        for count in (5, 5_000)
    )
    turns = (
        (Row("banyan, 5 routes"), few, Load.FIVE_ROUTES),
        (Row("banyan, 5,000 routes, 5 asked for"), wide, Load.FIVE_ROUTES),
        (Row("banyan, 5,000 routes, all asked for"), wide, Load.ALL_ROUTES),
    )
    targets = [(Target(ours.port, [(row, ours.processes)]), load) for row, ours, load in turns]
    rounds = bench.options.rounds
    bench.options.rounds = 1
    try:
        # A small difference needs more rounds than others, and each load its own script.
        for _ in range(2 * rounds):
            for target, load in targets:
                bench.load(load, [target])
    finally:
        bench.options.rounds = rounds
    rows = [row for row, _, _ in turns]
    bench.keep("routes", rows)
    bench.goals += route_goals(*rows)


def workers(bench: Bench) -> None:
    """Two workers against one."""
    one, two = Row("banyan, 1 worker"), Row("banyan, 2 workers")
    targets = []
    for row, count in ((one, 1), (two, 2)):
        table = catalog_table(bench.urls)
        ours = start_ours(bench.processes, f"workers-{count}", table, workers=count)
        targets.append(Target(ours.port, [(row, ours.processes)]))
    bench.load(Load.VARIED, targets)
    bench.keep("workers", [one, two])
    bench.goals += worker_goals(one, two, cores=os.cpu_count() or 1)


def idle(bench: Bench) -> None:
    """Memory of ten thousand connections that wait."""
    raise_file_limit(IDLE_CONNECTIONS + 1_000)
    env = {"BANYAN_PROXY_MAX_CLIENTS": str(IDLE_CONNECTIONS + 1_000)}
    ours = start_ours(bench.processes, "idle", catalog_table(bench.urls), env=env)
    before = [memory_bytes(pid) for pid in ours.processes()]
    bench.progress(f"opening {IDLE_CONNECTIONS:,} connections")
    with idle_connections(ours.port, IDLE_CONNECTIONS):
        time.sleep(1.5)  # three looks of the proxy at its clients
        pids, worker_pids = ours.processes(), ours.workers()
        after = [memory_bytes(pid) for pid in pids]
        workers_rss = sum(memory_bytes(pid)[0] for pid in worker_pids)
        held = int(sum(v for k, v in ours.samples().items() if k == "banyan_client_connections"))
    bench.progress("")
    first, rss, pss = sum(p for _, p in before), sum(r for r, _ in after), sum(p for _, p in after)
    bench.say(
        "",
        f"{IDLE_CONNECTIONS:,} idle connections ({held:,} counted by the proxy):",
        f"  workers {workers_rss / 1e6:.0f} MB RSS; all processes {rss / 1e6:.0f} MB RSS, "
        f"{pss / 1e6:.0f} MB PSS, {first / 1e6:.0f} MB PSS without them "
        f"({(pss - first) / IDLE_CONNECTIONS:,.0f} bytes each)",
    )
    bench.found["idle"] = {"workers_rss": workers_rss, "rss": rss, "pss": pss, "pss_before": first}
    name = f"memory with {IDLE_CONNECTIONS:,} idle connections, all processes, RSS"
    bench.goals.append(Goal(name, rss / 1e6, IDLE_BYTES / 1e6, "MB"))


def latency(bench: Bench) -> None:
    """What proxies add to an answer's time at a fixed rate."""
    ports = {"direct": bench.stores[0]}
    ports |= {peer.name: peer.port for peer in start_peers(bench.processes, *bench.stores)}
    plain = start_ours(bench.processes, "paced", catalog_table(bench.urls))
    capture = start_ours(bench.processes, "paced-capture", catalog_table(bench.urls, "shadow"))
    start_reader(bench.processes, capture.spool)
    ports |= {"banyan": plain.port, "banyan capture": capture.port}
    for port in ports.values():
        wait_for(f"http://127.0.0.1:{port}{SAME_PATH}")
    ways = {name: Latency(name) for name in ports}
    for turn in range(bench.options.rounds + 1):
        for name, port in ports.items():
            bench.progress(f"latency, round {turn} of {bench.options.rounds}: {name}")
            _pace(ways[name] if turn else None, port, bench.options.seconds)
    bench.progress("")
    direct, *others = ways.values()
    title = f"answer times at {PACED_RATE:,.0f} requests/s, open loop"
    bench.say("", f"{title}:", *latency_table(direct, others))
    bench.found["latency_ms"] = {
        way.name: {"p50": statistics.median(way.p50_ms), "p99": statistics.median(way.p99_ms)}
        for way in ways.values()
    }
    added = added_ms(ways["banyan"], direct)[1]
    bench.goals.append(Goal("added p99 at 1,000 requests/s", added, 3.0, "ms"))


def _pace(way: Latency | None, port: int, seconds: int) -> None:
    def request(n: int) -> bytes:
        return (_PACED_REQUEST % n).encode()

    pace = PacedClient(Plan(port, PACED_RATE, seconds if way else 1, request)).run()
    if pace.errors:
        raise BenchError(f"port {port}, at a fixed rate: {dict(pace.errors)}")
    if way is not None:
        way.p50_ms.append(pace.quantile_ms(0.5))
        way.p99_ms.append(pace.quantile_ms(0.99))


# In the order they are measured and printed; each starts what it needs and stops it.
PARTS: Mapping[str, Callable[[Bench], None]] = {
    "varied": lambda bench: costs(bench, [Load.VARIED]),
    "repeated": lambda bench: costs(bench, [Load.REPEATED]),
    "routes": routes,
    "workers": workers,
    "latency": latency,
    "idle": idle,
}


def run(options: argparse.Namespace) -> None:
    """Measure part after part, then print the goals.

    Raises:
        BenchError: something could not be measured.
    """
    goals: list[Goal] = []
    found: dict[str, object] = {}
    for name in options.only or PARTS:
        with tempfile.TemporaryDirectory(prefix="banyan-bench-") as folder:
            Path(folder).chmod(0o755)  # nginx's workers are somebody else
            processes = Processes(Path(folder))
            try:
                bench = Bench(options, processes, start_stores(processes), goals, found)
                for port in bench.stores:
                    wait_for(f"http://127.0.0.1:{port}{SAME_PATH}")
                PARTS[name](bench)
            finally:
                processes.stop()
    if options.json:
        print(json.dumps({**found, "goals": [goal.as_json() for goal in goals]}))
    else:
        print("\ngoals:", *(goal.line() for goal in goals), sep="\n")


def main() -> int:
    """Run the bench; 1 with one line on standard error when it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.bench", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="turns of each proxy; medians are printed (3)")
    add("--seconds", type=int, default=4, help="of each turn (4)")
    add("--connections", type=int, default=32, help="of wrk (32)")
    add("--only", action="append", choices=list(PARTS), help="one part; may come more than once")
    add("--json", action="store_true", help="one line of JSON instead of tables")
    options = parser.parse_args()
    missing = [name for name in ("wrk", "nginx") if not shutil.which(name)]
    if missing:
        print(f"bench: not found: {', '.join(missing)} (apt-get install them)", file=sys.stderr)
        return 1
    try:
        run(options)
    except BenchError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
