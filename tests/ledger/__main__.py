"""Runs the ledger test."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from random import Random

from tests.ledger.books import End, verify
from tests.ledger.databases import core_orders, legacy_orders
from tests.ledger.faults import FAULTS, SHORT
from tests.ledger.flips import NotRight, compare, finish
from tests.ledger.house import House, house
from tests.ledger.writers import Ledger, shopping

_COMPARE_EVERY = 6
_LONGEST_EASE = 16.0
_FROZE = re.compile(r"froze (\d+) ms")


@dataclass(slots=True)
class Outcome:
    """What a run showed.

    Attributes:
        ends: how flips ended, by what happened to them.
        failed: purchases that failed in a flip during which none may.
        excused: how many failed beside what was killed under them.
        wrong: what may never be.
    """

    ends: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    freezes_ms: list[int] = field(default_factory=list)


def plan(options: argparse.Namespace, stores: tuple[str, str], *, has_servers: bool) -> list[str]:
    """What happens to each flip, in order."""
    if options.short:
        return list(SHORT[stores])
    if options.only:
        return list(islice(cycle(options.only.split(",")), options.flips))
    every = [
        name
        for name, fault in FAULTS.items()
        if name != "undisturbed" and (has_servers or not fault.needs_servers)
    ]
    calm = min(options.calm, options.flips)
    return ["undisturbed"] * calm + list(islice(cycle(every), options.flips - calm))


def play(made: House, ledger: Ledger, names: Sequence[str], whim: Random, outcome: Outcome) -> None:
    """Flip there and back, with what the plan says for each flip.

    Raises:
        NotRight: something that no fault may bring about.
    """
    for n, name in enumerate(names, 1):
        side = "core" if made.owner() == "legacy" else "legacy"
        began_s = time.monotonic()
        # A machine that does ten things at once is slow; what is proven here is no speed. Where
        # a coordinator dies, the hold ends before anybody takes over, as it would.
        made.budget = "10s" if FAULTS[name].is_gentle else "3s"
        told = FAULTS[name].play(made, side, whim)
        finish(made)
        ledger.ease = 1.0
        ended = "there" if made.owner() == side else "taken back"
        took_s = time.monotonic() - began_s
        outcome.ends[f"{name}: {ended}"] += 1
        outcome.freezes_ms += [int(ms) for ms in _FROZE.findall(told)]
        print(
            f"flip {n}/{len(names)} to {side}, {name}: {ended}, {took_s:.0f} s ({told})", flush=True
        )
        time.sleep(whim.uniform(0.3, 1.0))
        if n % _COMPARE_EVERY == 0 and made.owner() in made.compared:
            compare(made, hot=True)
        bad = [one for one in ledger.since(began_s) if one.end is not End.ACKNOWLEDGED]
        if FAULTS[name].is_gentle:
            outcome.failed += [f"{name}: {one.mark}: {one.told}" for one in bad]
        elif bad:
            outcome.excused[name] += len(bad)


@contextmanager
def _shoppers(made: House, ledger: Ledger, options: argparse.Namespace) -> Iterator[None]:
    """Writers at work in a thread of their own."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def shop() -> None:
        await shopping(made.url("proxy"), ledger, options.writers, options.pause, stop)

    thread = threading.Thread(target=loop.run_until_complete, args=(shop(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(90)


def run(options: argparse.Namespace, legacy: str, core: str, folder: Path) -> int:
    """One ledger from end to end; 0 when the books are right."""
    whim = Random(options.seed)
    began_s = time.monotonic()
    with house(folder, legacy, core) as made:
        print(f"{legacy} and {core} are in step, {time.monotonic() - began_s:.0f} s", flush=True)
        ledger, outcome = Ledger(folder / "ledger.jsonl"), Outcome()
        made.slower = partial(_ease, ledger)
        with _shoppers(made, ledger, options):
            time.sleep(2)
            names = plan(options, (legacy, core), has_servers=bool(made.relays))
            try:
                play(made, ledger, names, whim, outcome)
            except (NotRight, TimeoutError) as exc:
                outcome.wrong.append(str(exc))
            time.sleep(2)
        outcome.wrong += _end(made, ledger)
        return _tell((legacy, core), ledger, outcome, time.monotonic() - began_s)


def _ease(ledger: Ledger) -> None:
    """As an operator waits for a quieter hour; what is proven here is no speed."""
    ledger.ease = min(_LONGEST_EASE, ledger.ease * 2)


def _end(made: House, ledger: Ledger) -> list[str]:
    """What is wrong when everybody has gone home and everything has come across."""
    made.revive()
    made.settle(quiet=True)
    wrong = list(verify(ledger.attempts, legacy_orders(made.legacy), core_orders(made.core)))
    if parked := made.parked():
        wrong.append(f"{parked} aggregates are parked")
    done = made.banyan("reconcile")
    if done.returncode:
        wrong.append(f"reconcile: {done.stdout[-800:]} {done.stderr[-400:]}")
    return wrong


def _tell(stores: tuple[str, str], ledger: Ledger, outcome: Outcome, took_s: float) -> int:
    ends = Counter(one.end.value for one in ledger.attempts)
    freezes = sorted(outcome.freezes_ms)
    summary = {
        "legacy": stores[0],
        "core": stores[1],
        "flips": sum(outcome.ends.values()),
        "took_s": round(took_s),
        "ends": dict(sorted(outcome.ends.items())),
        "attempts": dict(ends),
        "failed_by_flips": len(outcome.failed),
        "failed_beside_kills": dict(outcome.excused),
        "freeze_p50_ms": freezes[len(freezes) // 2] if freezes else None,
        "freeze_max_ms": freezes[-1] if freezes else None,
        "wrong": len(outcome.wrong),
    }
    print(json.dumps(summary))
    for sentence in (*outcome.failed[:20], *outcome.wrong[:40]):
        print(sentence)
    return 1 if outcome.wrong or outcome.failed or not ends[End.ACKNOWLEDGED] else 0


def main() -> int:
    """Parse, run, and keep the folder of a run that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.ledger", description=__doc__)
    parser.add_argument("--legacy", choices=("sqlite", "postgresql", "mariadb"), default="sqlite")
    parser.add_argument("--core", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--flips", type=int, default=100)
    parser.add_argument("--calm", type=int, default=4, help="flips without a fault, first")
    parser.add_argument("--only", default="", help="faults, by name, with commas between")
    parser.add_argument("--short", action="store_true", help="the telling faults once, on SQLite "
                        "and on MariaDB with PostgreSQL")  # fmt: skip
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between purchases")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    options = parser.parse_args()
    stores = [(options.legacy, options.core)]
    if options.short:
        stores = list(SHORT)
    return max(_one(options, *pair) for pair in stores)


def _one(options: argparse.Namespace, legacy: str, core: str) -> int:
    folder = Path(tempfile.mkdtemp(prefix="banyan-ledger-"))
    folder.chmod(0o755)
    status = run(options, legacy, core, folder)
    if status or options.keep:
        print(f"files: {folder}", flush=True)
    else:
        print("all books are right", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
