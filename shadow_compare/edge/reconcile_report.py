"""Passes, differences and repairs for people and for programs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from shadow_compare.core.drift_plan import RepairPlan
from shadow_compare.core.drift_record import Drift, DriftSample, stakes
from shadow_compare.core.reconcile_pass import PassRecord, Tally, remaining_s
from shadow_compare.core.stake import money
from shadow_compare.service.totals import TotalsCompared

_EVERY_S = 2.0
_SHOWN = 50


class PassLines:
    """Implements service.reconciling.PassProgress: a line on stderr every few seconds."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._began_s = self._told_s = now_s()
        self._done_before = 0
        self._record: PassRecord | None = None

    def begin(self, record: PassRecord) -> None:
        self._record = record
        self._began_s = self._told_s = self._now_s()
        self._done_before = record.tally.checked
        if record.tally.checked:
            _say(f"{record.domain}: going on behind {record.tally.checked:,} aggregates")

    def moved(self, tally: Tally) -> None:
        now_s = self._now_s()
        if self._record is None or now_s - self._told_s < _EVERY_S:
            return
        self._told_s = now_s
        expected = max(self._record.expected, tally.checked)
        done = tally.checked - self._done_before
        left_s = remaining_s(now_s - self._began_s, done, expected - self._done_before)
        left = "" if left_s is None else f", about {left_s:.0f} s left"
        _say(
            f"{self._record.domain}: {tally.checked:,} of {expected:,} aggregates,"
            f" {tally.different:,} differences{left}"
        )


def _say(line: str) -> None:
    sys.stderr.write(f"banyan: {line}\n")
    sys.stderr.flush()


def pass_json(record: PassRecord, open_drift: Sequence[Drift]) -> dict[str, Any]:
    """A pass that ended, with what is open of its domain."""
    tally = record.tally
    ended_s = record.ended_s or record.started_s
    return {
        "id": record.id,
        "kind": record.kind,
        "domain": record.domain,
        "owner": record.owner,
        "started": _moment(record.started_s),
        "ended": _moment(ended_s),
        "elapsed_s": round(ended_s - record.started_s, 3),
        "checked": tally.checked,
        "rows": tally.rows,
        "different": tally.different,
        "unsettled": tally.unsettled,
        "looked_again": tally.looked_again,
        "owner_digest": tally.owner.text,
        "other_digest": tally.other.text,
        "is_clean": record.is_clean,
        "open": dict(Counter(one.drift.value for one in open_drift)),
        "stake_minor": dict(stakes(open_drift)),
    }


def print_pass(console: Console, record: PassRecord, open_drift: Sequence[Drift]) -> None:
    """The end of a pass in a few lines."""
    tally, ended_s = record.tally, record.ended_s or record.started_s
    verdict = "equal" if record.is_clean else "NOT equal"
    console.print(
        f"{record.domain}: {verdict}. {tally.checked:,} aggregates of {tally.rows:,} rows,"
        f" {ended_s - record.started_s:.1f} s, {record.owner} is right"
    )
    if tally.unsettled:
        console.print(f"  {tally.unsettled:,} never stood still; --hot looks at them again")
    classes = Counter(one.drift.value for one in open_drift)
    for name, count in sorted(classes.items()):
        at_stake = _stake([one for one in open_drift if one.drift == name])
        console.print(f"  {count:,} {name}{at_stake}")


def drift_json(one: Drift) -> dict[str, Any]:
    """One difference."""
    return {
        "id": one.id,
        "domain": one.domain,
        "kind": one.kind,
        "key": one.key,
        "core_id": one.core_id,
        "owner": one.owner,
        "class": one.drift,
        "fields": list(one.fields),
        "stake_minor": None if one.stake is None else one.stake[0],
        "currency": None if one.stake is None else one.stake[1],
        "note": one.note,
        "first_seen": _moment(one.first_s),
        "last_seen": _moment(one.last_s),
        "state": one.state,
        "said_by": one.said_by,
        "reason": one.reason,
    }


def print_drifts(console: Console, found: Sequence[Drift]) -> None:
    """A table, the dearest first, and the sums."""
    if not found:
        console.print("no differences")
        return
    table = Table("id", "class", "what", "at stake", "fields", "last seen", box=None)
    for one in found[:_SHOWN]:
        stake = "" if one.stake is None else money(*one.stake)
        what = f"{one.kind} {one.key}"
        fields = ", ".join(one.fields)
        table.add_row(one.id, one.drift.value, what, stake, fields, _moment(one.last_s))
    console.print(table)
    more = "" if len(found) <= _SHOWN else f"; {len(found) - _SHOWN:,} more with --json"
    console.print(f"{len(found):,} differences{_stake(found)}{more}")


def print_drift(console: Console, one: Drift, samples: Sequence[DriftSample]) -> None:
    """One difference with what its fields held."""
    stake = "" if one.stake is None else f", {money(*one.stake)} at stake"
    console.print(f"{one.id} {one.drift.value}: {one.domain} {one.kind} {one.key}{stake}")
    console.print(f"  core id {one.core_id or 'unknown'}; {one.owner} is right; {one.state}")
    if one.note:
        console.print(f"  {one.note}")
    if one.said_by:
        console.print(f"  {one.said_by}: {one.reason}")
    console.print(f"  first seen {_moment(one.first_s)}, last seen {_moment(one.last_s)}")
    for sample in samples:
        console.print(f"  {sample.path}: {one.owner} {sample.owner}, other side {sample.other}")


def plan_json(plan: RepairPlan) -> dict[str, Any]:
    """A plan, and what stands against it."""
    return {
        "domain": plan.domain,
        "repairs": [drift_json(one) for one in plan.repairs],
        "beyond": [{"id": one.id, "why": why} for one, why in plan.beyond],
        "stake_minor": dict(plan.stake),
        "is_storm": plan.is_storm,
        "obstacles": list(plan.obstacles),
    }


def print_plan(console: Console, plan: RepairPlan) -> None:
    """What a repair would do."""
    console.print(f"{plan.domain}: {len(plan.repairs):,} to repair{_stake(plan.repairs)}")
    for one, why in plan.beyond[:_SHOWN]:
        console.print(f"  {one.id} {one.drift.value}: {why}")
    for obstacle in plan.obstacles:
        console.print(f"  stands against it: {obstacle}")


def totals_json(found: Sequence[TotalsCompared]) -> list[dict[str, Any]]:
    """Totals of both sides, what differs of them."""
    return [
        {
            "name": one.name,
            "lines": one.lines,
            "gaps": [
                {"of": list(gap.of), "legacy": gap.legacy, "core": gap.core} for gap in one.gaps
            ],
        }
        for one in found
    ]


def print_totals(console: Console, found: Sequence[TotalsCompared]) -> None:
    """A line for each kind of totals, and its gaps."""
    for one in found:
        verdict = "equal" if not one.gaps else f"{len(one.gaps):,} of them differ"
        console.print(f"{one.name}: {one.lines:,} lines, {verdict}")
        for gap in one.gaps[:_SHOWN]:
            console.print(f"  {gap.sentence}")


def _stake(found: Sequence[Drift]) -> str:
    sums: Mapping[str, int] = stakes(found)
    told = ", ".join(money(minor, currency) for currency, minor in sums.items())
    return f", {told} at stake" if told else ""


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
