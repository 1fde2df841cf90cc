"""Read what is stored, replay it, and tell what came of it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from proxy.routing import RoutingTable
from shadow_compare.core.groups import Kept
from shadow_compare.core.replay import (
    End,
    Recorded,
    Replayed,
    exit_code,
    from_example,
    from_pair,
    once_each,
    summary,
)
from shadow_compare.edge.asker import HttpAsker, Keys, Limits
from shadow_compare.edge.runner import WallClock
from shadow_compare.errors import NoSuchGroup
from shadow_compare.ports import EvidenceReader, ProofStore
from shadow_compare.service.replay import Replayer
from shadow_compare.service.rulebook import Rulebook
from shadow_compare.settings import secret_from_environment

MOST = 5_000


@dataclass(frozen=True, slots=True)
class Span:
    """A time range, seconds since 1970, `to_s` not included; of one domain or of all."""

    from_s: float
    to_s: float
    domain: str | None


async def stored_of_group(evidence: EvidenceReader, fingerprint: str) -> tuple[Recorded, ...]:
    """The examples of one group.

    Raises:
        NoSuchGroup: no group, or more than one, is called so.
        EvidenceUnavailable: safe to try again.
    """
    found = await evidence.group(fingerprint)
    if found is None:
        raise NoSuchGroup(f"no group, or more than one, begins with {fingerprint}")
    group, examples = found
    kept = (Kept(group.fingerprint, group.domain, group.route, one) for one in examples)
    return once_each(from_example(one) for one in kept)


async def stored_between(
    evidence: EvidenceReader, proof: ProofStore, span: Span, domains: Sequence[str]
) -> tuple[Recorded, ...]:
    """The examples and the recorded pairs of a span of time.

    Raises:
        EvidenceUnavailable: safe to try again.
    """
    kept = await evidence.examples(span.domain, span.from_s, span.to_s, limit=MOST)
    found = [from_example(one) for one in kept]
    for domain in domains:
        if span.domain in (None, domain):
            pairs = await proof.pairs(domain, limit=MOST)
            found += [
                from_pair(pair)
                for pair in pairs
                if span.from_s <= pair.frame.at_us / 1_000_000 < span.to_s
            ]
    return once_each(found)


async def replay(
    recorded: Sequence[Recorded],
    table: RoutingTable,
    limits: Limits,
    *,
    base: Path,
    speed: float | None,
    on_end: Callable[[Replayed], None],
) -> tuple[Replayed, ...]:
    """Ask both stores of the table. Both answers are new, so any key hides them alike.

    `base` is the folder that relative names of certificates start from.
    """
    clock = WallClock()
    keys = Keys(secrets.token_bytes(32), None)
    asker = HttpAsker(table, keys, limits, base=base, secret=secret_from_environment)
    try:
        rulebook = Rulebook(table, clock.now_s())
        replayer = Replayer(rulebook, asker, clock, speed=speed, on_end=on_end)
        return await replayer.replay(recorded)
    finally:
        await asker.close()


def progress_bar(total: int) -> tuple[Progress, Callable[[Replayed], None]]:
    """A bar on standard error, and what moves it on."""
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("asking both sides", total=total)
    return bar, lambda _: bar.advance(task)


def replay_json(replayed: Sequence[Replayed]) -> dict[str, Any]:
    """Everything for programs."""
    ends = Counter(one.end for one in replayed)
    return {
        "asked": sum(ends[end] for end in End if end is not End.UNASKED),
        "ends": {end.value: ends[end] for end in End},
        "exit_code": exit_code(replayed),
        "requests": [
            {
                "request_id": one.recorded.frame.request_id,
                "at_s": one.recorded.frame.at_us / 1_000_000,
                "method": one.recorded.frame.method,
                "target": one.recorded.frame.target,
                "domain": one.recorded.frame.domain,
                "route": one.recorded.frame.route,
                "was": one.recorded.fingerprint,
                "end": one.end.value,
                "now": one.fingerprint,
                "told": one.told,
            }
            for one in replayed
        ],
    }


def print_replay(console: Console, replayed: Sequence[Replayed]) -> None:
    """What is not equal, a line each, then all in one sentence."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    table.add_column("request", overflow="fold")
    table.add_column("now", no_wrap=True)
    table.add_column("why", overflow="fold")
    shown = [one for one in replayed if one.end not in (End.EQUAL, End.ACCEPTED)]
    for one in shown:
        frame = one.recorded.frame
        table.add_row(Text(f"{frame.method} {frame.target}"), one.end.value, Text(one.told))
    if shown:
        console.print(table)
    console.print(Text(summary(replayed)))
