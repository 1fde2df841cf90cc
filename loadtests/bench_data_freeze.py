"""How long shoppers' writes wait while a domain flips there and back, under load.

Shoppers put books into their baskets through the proxy at a rate, each basket now and then; the
store behind it is a real oscar, then the core, then oscar again. What each step took is printed
with the freeze: it tells where the time goes.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from loadtests.bench_data_figures import Flip, Seen, percentile, read_flip, step_table
from loadtests.bench_data_house import House, house
from loadtests.bench_data_lag import Chosen, noted
from loadtests.bench_data_stores import Say
from loadtests.bench_processes import BenchError
from loadtests.bench_report import Goal

GOAL_P95_MS = 250.0
RATE = 100.0
_AT_ONCE, _BASKETS_EACH = 16, 25
_FIRST_BOOK, _BOOKS = 13, 20
"""Before it stand clothes, some of which are only sold in a size."""
_PATIENCE_S = 30.0
_TRIES = 10
_REFUSED, _ABORTED = 3, 5
_PASS_GATE = "last clean pass"  # noqa: S105 - no password
_FLIP = ("--yes", "--without-rehearsal", "the bench", "--json")


@dataclass
class Writes:
    """What the shoppers saw. Written by one thread, read by another.

    Attributes:
        took_ms: of writes that were done, with the moment of their end.
        refused: of others, by what came back.
    """

    rate: float
    done: list[tuple[float, float]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def rate_since(self, began_s: float) -> float:
        """Writes done a second."""
        return sum(at_s >= began_s for at_s, _ in self.done) / (time.monotonic() - began_s)


def run(folder: Path, environment: Mapping[str, str], say: Say, options: Chosen) -> Seen:
    """Flips on each legacy; one on which they come to no end says so."""
    seen = Seen()
    many, rate = (2, 10.0) if options.small else (options.flips, RATE)
    for legacy in options.legacies:
        with (
            noted(seen, f"freeze, {legacy}", say),
            house(folder / f"freeze-{legacy}", legacy, say, environment) as made,
        ):
            began_s = time.monotonic()
            with shopping(made.proxy, rate) as writes:
                time.sleep(2)
                found = [_flip(made, say) for _ in range(many)]
                achieved = writes.rate_since(began_s)
            _tell(seen, legacy, found, writes, achieved)
    return seen


def _flip(made: House, say: Say) -> Flip:
    """One flip to the other side, as an operator makes it: compared, and again after a red gate.

    Raises:
        BenchError: it is refused again and again.
    """
    side = "core" if made.owner() == "legacy" else "legacy"
    found, how = None, "--hot"
    for _ in range(_TRIES):
        made.stores.banyan("reconcile", "orders", how, codes=(0, 1))
        ran = made.stores.banyan("flip", "orders", "--to", side, *_FLIP,
                                 codes=(0, _REFUSED, _ABORTED))  # fmt: skip
        found = read_flip(ran.out.splitlines())
        froze = "" if found.freeze_ms is None else f", {found.freeze_ms:.0f} ms"
        why = f": {found.problem or '; '.join(found.red)}" if not found.is_committed else ""
        say(f"  to {side}: {found.ending}{froze}{why}")
        if ran.code != _REFUSED:
            return found
        # The first time that a side owns, only a whole pass can be clean.
        how = "--full" if any(one.startswith(_PASS_GATE) for one in found.red) else "--hot"
        time.sleep(1)
    raise BenchError(f"no flip to {side} in {_TRIES} tries: {found and found.red}")


def _tell(seen: Seen, legacy: str, flips: list[Flip], writes: Writes, achieved: float) -> None:
    done = [one for one in flips if one.is_committed and one.freeze_ms is not None]
    freezes = [one.freeze_ms for one in done if one.freeze_ms is not None]
    p50, p95 = percentile(freezes, 0.5), percentile(freezes, 0.95)
    steps = step_table(done)
    waits = [took_ms for _, took_ms in writes.done]
    refused = ", ".join(f"{count} x {what}" for what, count in writes.refused.most_common(4))
    froze = (
        f"freeze, {legacy}, {len(done)} of {len(flips)} flips, {achieved:.0f} of {writes.rate:.0f}"
        f" writes/s: p50 {p50:.0f} ms, p95 {p95:.0f} ms; a write took p50"
        f" {percentile(waits, 0.5):.0f} ms, p99 {percentile(waits, 0.99):.0f} ms;"
        f" not done: {refused or 'none'}"
    )
    took = ", ".join(f"{name} {a:.0f}/{b:.0f}" for name, (a, b) in steps.items())
    seen.told += [froze, f"  steps, p50/p95 in ms: {took}"]
    seen.figures[legacy] = {
        "flips": len(flips), "committed": len(done), "writes_per_s": achieved,
        "wanted_writes_per_s": writes.rate, "freezes_ms": freezes,
        "steps_ms": {name: {"p50": a, "p95": b} for name, (a, b) in steps.items()},
        "refused": dict(writes.refused),
    }  # fmt: skip
    name = f"freeze p95 of {len(done)} flips, {legacy}, {achieved:.0f} writes/s"
    seen.goals.append(Goal(name, p95, GOAL_P95_MS, "ms"))


@contextmanager
def shopping(base_url: str, rate: float) -> Iterator[Writes]:
    """Shoppers who write at a rate together, in a thread, while the block runs."""
    writes, loop, stop = Writes(rate), asyncio.new_event_loop(), threading.Event()

    def work() -> None:
        loop.run_until_complete(_shop(base_url, rate, writes, stop))
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield writes
    finally:
        stop.set()
        thread.join(_PATIENCE_S * 2)


async def _shop(base_url: str, rate: float, writes: Writes, stop: threading.Event) -> None:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for number in range(_AT_ONCE):
            shopper = _Shopper(client, base_url, number, writes)
            tasks.create_task(shopper.shop(rate / _AT_ONCE, stop))


class _Shopper:
    """Some sessions in turn, each of which puts a book into its basket."""

    def __init__(
        self, client: aiohttp.ClientSession, base_url: str, number: int, writes: Writes
    ) -> None:
        self._client, self._base, self._writes = client, base_url, writes
        product = _FIRST_BOOK + number % _BOOKS
        self._sent = {"url": f"{base_url}/api/products/{product}/", "quantity": 1}
        self._sessions = itertools.cycle(
            f"SID:ANON:127.0.0.1:b{number}x{basket}x" for basket in range(_BASKETS_EACH)
        )
        self._offset_s = number / _AT_ONCE

    async def shop(self, rate: float, stop: threading.Event) -> None:
        """Write at a rate; who waited long goes on from there."""
        await asyncio.sleep(self._offset_s / rate)
        while not stop.is_set():
            began_s = time.monotonic()
            await self._write()
            await asyncio.sleep(max(0.0, began_s + 1 / rate - time.monotonic()))

    async def _write(self) -> None:
        began_s, headers = time.monotonic(), {"Session-Id": next(self._sessions)}
        try:
            async with self._client.post(
                f"{self._base}/api/basket/add-product/", json=self._sent, headers=headers
            ) as answer:
                await answer.read()
                told = str(answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            told = type(exc).__name__
        ended_s = time.monotonic()
        if told == "200":
            self._writes.done.append((ended_s, (ended_s - began_s) * 1_000))
        else:
            self._writes.refused[told] += 1
