"""What a soak found, and whether it is good. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

P99_BOUND = 1.10


class Calm(StrEnum):
    """Whether a shadow's trouble was felt.

    noise: more than 10 % slower than without shadow, and still no slower than the slowest
    turn without shadow: this machine cannot tell.
    """

    PASS = "pass"  # noqa: S105 - no password
    NOISE = "noise"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of load on one proxy."""

    asked: int
    p50_ms: float
    p99_ms: float
    errors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes at the start and at the end. 0 where there was no such process."""

    start: int
    end: int

    @property
    def is_steady(self) -> bool:
        """Whether it did not grow, but for what an allocator keeps."""
        return self.end <= 1.1 * self.start + 8_000_000

    @property
    def said(self) -> str:
        """In MB, for people."""
        return f"{self.start / 1e6:.0f} -> {self.end / 1e6:.0f}" if self.end else "-"


@dataclass(slots=True)
class Found:
    """What one scene gave.

    Attributes:
        alone: turns on the proxy without shadow.
        shadowed: turns on the proxy whose shadow is in trouble, each after one alone.
        mirrored_asked: requests that the shadowing proxy must have mirrored.
        shadow: its counts once all was quiet: `mirrored`, `spooled`, `dropped`, and
            `dropped REASON`.
        in_memory: captures that still waited to be written then.
        deaths: workers that died, though nobody killed one.
        kills: comparers that were killed.
    """

    scene: str
    alone: list[Turn] = field(default_factory=list)
    shadowed: list[Turn] = field(default_factory=list)
    mirrored_asked: int = 0
    shadow: Mapping[str, int] = field(default_factory=dict)
    in_memory: int = 0
    deaths: int = 0
    kills: int = 0
    worker: Memory = Memory(0, 0)
    comparer: Memory = Memory(0, 0)

    @property
    def errors(self) -> Counter[str]:
        """All requests without a good answer, by what went wrong."""
        found: Counter[str] = Counter()
        for turn in (*self.alone, *self.shadowed):
            found.update(turn.errors)
        return found

    @property
    def p99_ratio(self) -> float:
        """p99 with the shadow in trouble to p99 without shadow: the median over the turns."""
        pairs = zip(self.shadowed, self.alone, strict=True)
        return statistics.median(bad.p99_ms / good.p99_ms for bad, good in pairs)

    @property
    def calm(self) -> Calm:
        """Whether shoppers felt anything."""
        if self.p99_ratio <= P99_BOUND:
            return Calm.PASS
        slowest_ms = max(turn.p99_ms for turn in self.alone)
        return Calm.NOISE if _p99_ms(self.shadowed) <= slowest_ms else Calm.FAIL

    def problems(self) -> list[str]:
        """What must never be: errors, deaths, growth, books that do not add up."""
        found = [f"{count} x {what}" for what, count in self.errors.items()]
        for who, memory in (("worker", self.worker), ("comparer", self.comparer)):
            if not memory.is_steady:
                found.append(f"the {who} grew: {memory.said} MB")
        if self.deaths:
            found.append(f"{self.deaths} workers died")
        mirrored, spooled, dropped = (
            self.shadow.get(key, 0) for key in ("mirrored", "spooled", "dropped")
        )
        if mirrored != spooled + dropped + self.in_memory:
            found.append(
                f"mirrored {mirrored} is not spooled {spooled} + dropped {dropped} "
                f"+ in memory {self.in_memory}"
            )
        if mirrored != self.mirrored_asked:
            found.append(f"{self.mirrored_asked} exchanges, and {mirrored} counted as mirrored")
        return found

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "p99_ms_alone": [round(turn.p99_ms, 3) for turn in self.alone],
            "p99_ms": [round(turn.p99_ms, 3) for turn in self.shadowed],
            "p99_ratio": round(self.p99_ratio, 3),
            "calm": str(self.calm),
            "requests": sum(turn.asked for turn in (*self.alone, *self.shadowed)),
            "shadow": dict(self.shadow),
            "kills": self.kills,
            "worker_rss": [self.worker.start, self.worker.end],
            "comparer_rss": [self.comparer.start, self.comparer.end],
            "problems": self.problems(),
        }


def _p99_ms(turns: Sequence[Turn]) -> float:
    return statistics.median(turn.p99_ms for turn in turns)


def _p50_ms(turns: Sequence[Turn]) -> float:
    return statistics.median(turn.p50_ms for turn in turns)


HEADER = (
    f"{'':20}{'p50 ms alone':>13}{'shadow':>8}{'p99 ms alone':>14}{'shadow':>8}{'ratio':>7}"
    f"  {'calm':6}{'errors':>7}{'mirrored':>9}{'spooled':>8}{'dropped':>8}"
    f"{'worker MB':>12}{'comparer MB':>13}{'kills':>7}"
)


def line(found: Found) -> str:
    """One scene for people."""
    counts = "".join(
        f"{found.shadow.get(key, 0):{width}}"
        for key, width in (("mirrored", 9), ("spooled", 8), ("dropped", 8))
    )
    return (
        f"{found.scene:20}{_p50_ms(found.alone):13.2f}{_p50_ms(found.shadowed):8.2f}"
        f"{_p99_ms(found.alone):14.2f}{_p99_ms(found.shadowed):8.2f}{found.p99_ratio:7.2f}"
        f"  {found.calm:6}{found.errors.total():7}{counts}"
        f"{found.worker.said:>12}{found.comparer.said:>13}{found.kills:7}"
    )
