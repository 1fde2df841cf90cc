"""A load test that was run: what each side was asked and how it answered."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from cutover.core.hashed import Altered, opened, sealed

KIND, VERSION = "result of a load test", 1
#: Of the press's buckets of times: each is so much wider than the one before.
GROWTH = 1.02
REACHED = 0.95
_MOST_CPU, _MOST_LAG_MS = 0.85, 50.0
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


class NotARun(ValueError):
    """A document is no result of a load test, or was altered."""


class State(StrEnum):
    """done: it ran to its end. aborted: it did not, and is no evidence."""

    DONE = "done"
    ABORTED = "aborted"


class Figures(msgspec.Struct, frozen=True):
    """Of one route, or of all.

    Attributes:
        refused: answers with a status from 400 to 499.
        errors: kind to count: a status from 500 on, or what became of the connection.
        times_ms: p50, p90, p95, p99 and max, from the moment a request was due; quantiles are
            upper bounds within 2 %.
    """

    requests: int
    refused: int
    errors: dict[str, int]
    times_ms: dict[str, float]

    @property
    def failed(self) -> int:
        """Requests without an answer, or with a status from 500 on."""
        return sum(self.errors.values())

    def failed_ppm(self) -> int:
        """Share of failed and of refused requests: a quick 404 is no quick answer."""
        return (self.failed + self.refused) * 1_000_000 // max(self.requests, 1)


class SideRun(msgspec.Struct, frozen=True):
    """One side under load.

    Attributes:
        side: legacy, core, or proxy: whichever side it chose.
        way: where the requests went, a few words.
        asked: requests that were due.
        late: those of them for which no visitor of the load generator was free in time.
        cpu: share of a processor that the busiest press took.
        lag_ms: by how much the latest press was late by itself, p95.
        seconds: per second requests, errors, p50 and p99 in milliseconds.
        served: answers by the side that the proxy names.
        proxy: what the proxy told meanwhile, by name.
        doubts: why its figures say nothing of the store, a sentence each.
    """

    side: str
    way: str
    asked: int
    duration_s: float
    late: int
    cpu: float
    lag_ms: float
    total: Figures
    routes: dict[str, Figures]
    seconds: list[list[float]]
    served: dict[str, int] = msgspec.field(default_factory=dict)
    proxy: dict[str, float] = msgspec.field(default_factory=dict)
    doubts: list[str] = msgspec.field(default_factory=list)

    @property
    def rate_asked(self) -> float:
        """Requests per second that were due."""
        return self.asked / max(self.duration_s, 0.001)

    @property
    def rate_reached(self) -> float:
        """Requests per second that were made."""
        return self.total.requests / max(self.duration_s, 0.001)

    @property
    def reached(self) -> bool:
        """Whether nearly all that were due were made."""
        return self.total.requests >= REACHED * self.asked


class LoadRun(msgspec.Struct, frozen=True):
    """A load test.

    Attributes:
        at_s, ended_s: seconds since the epoch.
        base_per_s: what the profile multiplies; `by_hand` when somebody named it.
        traffic: hash of the profile of traffic.
        revision: of the table; "" where nothing was in force.
        stores, releases: of each side, as that table has them; "" for no release.
        why: it was aborted.
    """

    id: str
    domain: str
    profile: str
    state: State
    at_s: float
    ended_s: float
    base_per_s: float
    by_hand: bool
    traffic: str
    revision: str
    stores: dict[str, str]
    releases: dict[str, str]
    by: str
    sides: list[SideRun]
    why: str = ""

    def side(self, name: str) -> SideRun | None:
        """What one side did."""
        return next((one for one in self.sides if one.side == name), None)


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    buckets: Counter[int] = field(default_factory=Counter)
    max_ms: float = 0.0

    def add(self, part: Mapping[str, Any]) -> None:
        self.requests += int(part["requests"])
        self.refused += int(part["refused"])
        self.errors.update({str(kind): int(n) for kind, n in part["errors"].items()})
        self.buckets.update({int(bucket): int(n) for bucket, n in part["buckets"].items()})
        self.max_ms = max(self.max_ms, float(part["max_ms"]))

    def figures(self) -> Figures:
        times = {name: self._quantile(share) for name, share in _QUANTILES.items()}
        return Figures(
            self.requests, self.refused, dict(self.errors), {**times, "max": self.max_ms}
        )

    def _quantile(self, share: float) -> float:
        wanted, seen = math.ceil(share * self.buckets.total()), 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return round(min(GROWTH**bucket, self.max_ms), 3)
        return 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """How a side is asked.

    Attributes:
        must_be: the side that the proxy must name in each answer; "" where nobody names one.
    """

    side: str
    words: str
    must_be: str = ""


def merged(
    way: Way, parts: Sequence[Mapping[str, Any]], duration_s: float, proxy: Mapping[str, float]
) -> SideRun:
    """What several presses saw, as one side's run.

    Raises:
        NotARun: a part is no press's result.
    """
    total = _Sum()
    routes: defaultdict[str, _Sum] = defaultdict(_Sum)
    served: Counter[str] = Counter()
    try:
        for part in parts:
            served.update({str(side): int(n) for side, n in part["sides"].items()})
            for name, route in part["routes"].items():
                total.add(route)
                routes[str(name)].add(route)
        asked, late = (sum(int(part[name]) for part in parts) for name in ("asked", "late"))
        cpu, lag = (max(float(part[name]) for part in parts) for name in ("cpu", "lag_p95_ms"))
        seconds = _seconds([part["seconds"] for part in parts])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise NotARun("the load generator wrote no result") from exc
    run = SideRun(
        side=way.side,
        way=way.words,
        asked=asked,
        duration_s=duration_s,
        late=late,
        cpu=cpu,
        lag_ms=lag,
        total=total.figures(),
        routes={name: routes[name].figures() for name in sorted(routes)},
        seconds=seconds,
        served=dict(served),
        proxy=dict(proxy),
    )
    return msgspec.structs.replace(run, doubts=_doubts(run, way))


def _seconds(parts: Sequence[Mapping[str, Sequence[float]]]) -> list[list[float]]:
    """Of all presses; quantiles of several are not added but the worst of them is taken."""
    last = max((int(at) for part in parts for at in part), default=-1)
    rows = [[0.0, 0.0, 0.0, 0.0] for _ in range(last + 1)]
    for part in parts:
        for at, told in part.items():
            row = rows[int(at)]
            row[0], row[1] = row[0] + told[0], row[1] + told[1]
            row[2], row[3] = max(row[2], told[2]), max(row[3], told[3])
    return rows


def _doubts(run: SideRun, way: Way) -> list[str]:
    found = []
    if run.total.failed == run.total.requests > 0:
        found.append("not one request was answered; see that the store is there and trusted")
    if run.cpu >= _MOST_CPU:
        found.append(
            f"the load generator took {run.cpu:.0%} of a processor, so it may have measured"
            " itself; say --workers with a larger number"
        )
    if run.lag_ms >= _MOST_LAG_MS:
        found.append(
            f"the load generator itself was late by {run.lag_ms:.0f} ms; run it on a machine"
            " that has less to do"
        )
    strangers = sum(n for side, n in run.served.items() if side != way.must_be)
    if way.must_be and strangers:
        found.append(
            f"{strangers:,} answers came from another side than {way.must_be}; run it again when"
            " no stage or switch changes"
        )
    if not run.total.requests:
        found.append("nothing was asked; name a higher --rate, or a longer --duration")
    return found


def run_to_json(run: LoadRun) -> bytes:
    """The document that is kept, with a hash of all that stands in it."""
    return sealed(KIND, VERSION, msgspec.to_builtins(run))


def run_from_json(content: bytes) -> LoadRun:
    """Read a document.

    Raises:
        NotARun: it is none, it was altered, or a newer Banyan wrote it.
    """
    try:
        return msgspec.convert(opened(KIND, VERSION, content), LoadRun)
    except Altered as exc:
        raise NotARun(str(exc)) from exc
    except msgspec.ValidationError as exc:
        raise NotARun(f"it is no {KIND}") from exc


@dataclass(frozen=True, slots=True)
class Ratio:
    """The core beside legacy. None where legacy's figure is 0."""

    p50: float | None
    p99: float | None
    errors_ppm: int


def ratio(core: Figures, legacy: Figures) -> Ratio:
    """How many times as long, and how many more failures."""

    def times(name: str) -> float | None:
        base = legacy.times_ms.get(name, 0.0)
        return round(core.times_ms.get(name, 0.0) / base, 3) if base else None

    return Ratio(times("p50"), times("p99"), core.failed_ppm() - legacy.failed_ppm())


def comparison(run: LoadRun) -> dict[str, dict[str, Any]]:
    """Route to its ratios, "" for all; empty where not both sides were asked."""
    core, legacy = run.side("core"), run.side("legacy")
    if core is None or legacy is None:
        return {}
    both = {"": (core.total, legacy.total)}
    both |= {
        name: (core.routes[name], legacy.routes[name])
        for name in sorted(core.routes.keys() & legacy.routes.keys())
    }
    return {name: asdict(ratio(*pair)) for name, pair in both.items()}
