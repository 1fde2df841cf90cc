"""Figures, goals and the tables of the bench. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from loadtests.bench_loads import Said


@dataclass(slots=True)
class Row:
    """One figure's rounds.

    Attributes:
        name: whose processes were counted.
        costs_us: CPU time per request, one of each round.
    """

    name: str
    costs_us: list[float] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)

    @property
    def cost_us(self) -> float:
        """CPU time per request of the median round."""
        return statistics.median(self.costs_us)

    @property
    def rate(self) -> float:
        """Requests per second of the median round."""
        return statistics.median(one.rate for one in self.said)

    @property
    def p99_ms(self) -> float:
        """99 % of the answers of the median round came within this."""
        return statistics.median(one.p99_ms for one in self.said)


class Verdict(StrEnum):
    """Whether a goal is met. `unknown`: this machine cannot tell."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "FAIL"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure beside what it should be.

    Attributes:
        is_floor: the figure should be at least the bound, not at most.
        why_unknown: why this machine cannot tell; empty when it can.
    """

    name: str
    value: float
    bound: float
    unit: str = "x"
    is_floor: bool = False
    why_unknown: str = ""

    @property
    def verdict(self) -> Verdict:
        """Met or not."""
        if self.why_unknown or math.isnan(self.value):
            return Verdict.UNKNOWN
        is_met = self.value >= self.bound if self.is_floor else self.value <= self.bound
        return Verdict.PASS if is_met else Verdict.FAIL

    def line(self) -> str:
        """For people."""
        sign = ">=" if self.is_floor else "<="
        said = f"{self.name:62}{self.value:9.2f} {self.unit:3}{sign} {self.bound:<7g}"
        return f"{said} {self.verdict}{f' ({self.why_unknown})' if self.why_unknown else ''}"

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "name": self.name,
            "value": None if math.isnan(self.value) else round(self.value, 3),
            "unit": self.unit,
            "bound": self.bound,
            "at": "least" if self.is_floor else "most",
            "verdict": str(self.verdict),
        }


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios: what slowed one round down slowed both sides."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if b > 0]
    return statistics.median(a / b for a, b in pairs) if pairs else math.nan


_COST_GOALS = (
    ("banyan", "envoy", 0.50),
    ("banyan", "nginx", 2.0),
    ("banyan capture", "nginx mirror", 0.45),
    ("banyan capture, its reader too", "nginx mirror", 0.45),
)


def cost_goals(load: str, rows: Iterable[Row]) -> list[Goal]:
    """The goals of CPU time per request that the rows can answer."""
    by_name = {row.name: row for row in rows}
    return [
        Goal(
            f"{load}: {ours} to {peer}",
            paired_ratio(by_name[ours].costs_us, by_name[peer].costs_us),
            bound,
        )
        for ours, peer, bound in _COST_GOALS
        if ours in by_name and peer in by_name
    ]


def route_goals(few: Row, wide: Row, wide_all: Row) -> list[Goal]:
    """5,000 routes against 5: the same requests, then requests for all of the routes."""
    return [
        Goal(
            f"5,000 routes to 5, CPU per request, {what}",
            paired_ratio(row.costs_us, few.costs_us),
            1.05,
        )
        for row, what in ((wide_all, "all asked for"), (wide, "5 asked for"))
    ]


def worker_goals(one: Row, two: Row, cores: int) -> list[Goal]:
    """Two workers against one.

    Two workers, the stores and the generator need four cores to run side by side. With
    fewer, what two workers would reach on free cores still follows from what a request
    costs: twice the CPU time, by the cost's growth.
    """
    growth = paired_ratio(two.costs_us, one.costs_us)
    rates = [[said.rate for said in row.said] for row in (two, one)]
    too_few = "" if cores >= 4 else f"{cores} cores for generator, stores and workers"
    return [
        Goal("two workers to one, throughput", paired_ratio(*rates), 1.8, "x", True, too_few),
        Goal("two workers to one, by CPU per request (2 / growth)", 2 / growth, 1.8, "x", True),
    ]


def cost_table(rows: Sequence[Row]) -> list[str]:
    """Rows of one load, with their ratios to nginx and Envoy."""
    by_name = {row.name: row for row in rows}
    peers = [name for name in ("nginx", "nginx mirror", "envoy") if name in by_name]
    head = "".join(f"{'x ' + name:>15}" for name in peers)
    lines = [f"{'':34}{'CPU us/request':>15}{'requests/s':>12}{'p99 ms':>9}{head}"]
    for row in rows:
        ratios = "".join(
            f"{paired_ratio(row.costs_us, by_name[name].costs_us):15.2f}" for name in peers
        )
        lines.append(f"{row.name:34}{row.cost_us:15.1f}{row.rate:12.0f}{row.p99_ms:9.2f}{ratios}")
    return lines


@dataclass(slots=True)
class Latency:
    """Answer times at a fixed rate, one of each round."""

    name: str
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)


def added_ms(way: Latency, direct: Latency) -> tuple[float, float]:
    """What a proxy adds to (p50, p99): the median over the rounds."""
    pairs = ((way.p50_ms, direct.p50_ms), (way.p99_ms, direct.p99_ms))
    p50, p99 = (statistics.median(a - b for a, b in zip(*one, strict=True)) for one in pairs)
    return p50, p99


def latency_table(direct: Latency, ways: Sequence[Latency]) -> list[str]:
    """Answer times, and what each way adds to going direct."""
    lines = [f"{'':34}{'p50 ms':>9}{'p99 ms':>9}{'added p50':>11}{'added p99':>11}"]
    for way in (direct, *ways):
        p50, p99 = statistics.median(way.p50_ms), statistics.median(way.p99_ms)
        more = "".join(f"{ms:11.3f}" for ms in added_ms(way, direct)) if way is not direct else ""
        lines.append(f"{way.name:34}{p50:9.3f}{p99:9.3f}{more}")
    return lines
