"""Figures of the data half's bench: what was seen, what it should be, and what programs said."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtests.bench_processes import BenchError
from loadtests.bench_report import Goal

PARTS = ("backfill", "reconcile", "projection", "lag", "freeze", "rows")
MEMORY_GOAL_MIB = 300.0
"""That a process which compares may hold at once, however much it compares."""
_LETTERS = dict(zip("abcdef", PARTS, strict=True))


@dataclass(slots=True)
class Seen:
    """What a part of the bench showed.

    Attributes:
        goals: figures beside their bounds.
        told: sentences of what else was seen, and of what did not run.
        figures: everything measured, for programs.
    """

    goals: list[Goal] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


def parts_of(text: str) -> tuple[str, ...]:
    """Names of parts, separated by commas, in the order in which they run; "" is all.

    Raises:
        BenchError: there is no such part.
    """
    asked = [one.strip() for one in text.split(",") if one.strip()]
    named = {_LETTERS.get(one, one) for one in asked}
    if unknown := sorted(named - set(PARTS)):
        raise BenchError(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return tuple(one for one in PARTS if not named or one in named)


def percentile(values: Iterable[float], share: float) -> float:
    """The least value that so large a share of the values does not exceed; NaN of none."""
    found = sorted(values)
    if not found:
        return math.nan
    return found[max(0, math.ceil(share * len(found)) - 1)]


@dataclass(frozen=True, slots=True)
class Flip:
    """What `banyan flip --json` said.

    Attributes:
        steps_ms: what each step took; of one that ran twice, both together.
        freeze_ms: how long writes waited; None when they never did.
        red: gates that kept it from beginning.
    """

    ending: str
    freeze_ms: float | None
    problem: str
    steps_ms: Mapping[str, float]
    red: tuple[str, ...]

    @property
    def is_committed(self) -> bool:
        """Whether the domain changed hands."""
        return self.ending == "committed"


def read_flip(lines: Iterable[str]) -> Flip:
    """One flip of its JSON lines; lines that are none of it are passed over."""
    steps: dict[str, float] = {}
    red: list[str] = []
    ending, problem, freeze_ms = "nothing", "", None
    for line in lines:
        told = _object(line)
        if "step" in told:
            steps[told["step"]] = steps.get(told["step"], 0.0) + float(told["took_ms"])
        elif "gate" in told and not told.get("is_green", True):
            red.append(f"{told['gate']}: {told.get('told', '')}")
        elif "ending" in told:
            ending, problem = str(told["ending"]), str(told.get("problem") or "")
            freeze_ms = told.get("freeze_ms")
    return Flip(ending, freeze_ms, problem, steps, tuple(red))


def step_table(flips: Sequence[Flip]) -> dict[str, tuple[float, float]]:
    """p50 and p95 of each step in ms, in the order in which steps ran first."""
    names = dict.fromkeys(name for one in flips for name in one.steps_ms)
    found = {}
    for name in names:
        took = [one.steps_ms[name] for one in flips if name in one.steps_ms]
        found[name] = percentile(took, 0.5), percentile(took, 0.95)
    return found


def read_namidiff(lines: Iterable[str]) -> frozenset[int]:
    """Keys that differ, of what `namidiff --json` printed: ["+" or "-", [key, value, …]].

    Raises:
        BenchError: a line is not of that form.
    """
    found = set()
    for line in lines:
        if not line.strip():
            continue
        try:
            _, row = json.loads(line)
            found.add(int(row[0]))
        except (ValueError, IndexError, TypeError) as exc:
            raise BenchError(f"namidiff said {line.strip()[:200]!r}") from exc
    return frozenset(found)


def values_of(text: str) -> list[dict[str, Any]]:
    """JSON objects that stand one after the other, over as many lines as they like."""
    found, decoder, rest = [], json.JSONDecoder(), text.strip()
    while rest:
        one, end = decoder.raw_decode(rest)
        found.append(one)
        rest = rest[end:].strip()
    return found


def _object(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def goal_rows(goals: Iterable[Goal]) -> list[tuple[str, str, str, str]]:
    """Figure, goal, seen and verdict of each, as texts."""
    rows = []
    for one in goals:
        sign = "at least" if one.is_floor else "at most"
        seen = "-" if math.isnan(one.value) else f"{_number(one.value)} {one.unit}"
        why = f" ({one.why_unknown})" if one.why_unknown else ""
        rows.append((one.name, f"{sign} {_number(one.bound)} {one.unit}", seen,
                     f"{one.verdict}{why}"))  # fmt: skip
    return rows


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.1f}"


def rows_seen(told: Mapping[str, Any]) -> Seen:
    """Of what `loadtests.bench_reconcile` printed."""
    rows, took_s = int(told["rows"]), float(told["elapsed_s"])
    sentence = (
        f"rows: {rows:,} on both sides compared in {took_s:,.0f} s, {told['cpu_s']:,} s of CPU,"
        f" {told['rows_per_s']:,} a second with {told['workers']} workers of one process; the three"
        " seeded differences found"
    )
    name = f"peak memory of {rows:,} rows compared"
    goal = Goal(name, float(told["peak_mib"]), MEMORY_GOAL_MIB, "MB")
    return Seen([goal], [sentence], dict(told))


def document(seen: Mapping[str, Seen]) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        name: {
            "goals": [goal.as_json() for goal in one.goals],
            "told": one.told,
            "figures": one.figures,
        }
        for name, one in seen.items()
    }
