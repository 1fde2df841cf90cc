"""Proofs of rules on a terminal, and as JSON for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shadow_compare.core.calibration import Justification, Proposal, Standing
from shadow_compare.core.drift import SURVEYED, Drift
from shadow_compare.core.field_coverage import RouteCoverage
from shadow_compare.core.proof import RouteProof
from shadow_compare.core.rule_use import Unused
from shadow_compare.core.words import percent
from shadow_compare.service.calibrating import Survey

_COLOURS = {
    Standing.JUSTIFIED: "green",
    Standing.SYSTEMATIC: "green",
    Standing.UNPROVEN: "yellow",
    Standing.REFUSED: "red",
}


def plain(value: Any) -> Any:
    """A value of ours as plain JSON values; numbers stay exact, as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | int | float | bool | None):
        return value
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def print_proof(console: Console, domain: str, proofs: Sequence[RouteProof]) -> None:
    """What each route's rules would miss, and why."""
    for proof in proofs:
        seeded = sum(kind.seeded for kind in proof.kinds)
        caught = sum(kind.caught for kind in proof.kinds)
        console.print(Text(f"{domain}: {proof.route}", style="bold"))
        if not proof.pairs:
            unread = f" ({proof.unread} cannot be judged)" if proof.unread else ""
            console.print(f"  no recorded pair to prove anything on{unread}")
            continue
        kinds = sum(bool(kind.seeded) for kind in proof.kinds)
        told = f"  {seeded:,} defects of {kinds} kinds in {proof.pairs:,} pairs, {caught:,} caught"
        console.print(told)
        if proof.missed:
            console.print(_missed(proof))
        if proof.nowhere:
            console.print(Text(f"  no place for: {', '.join(proof.nowhere)}", style="dim"))


def _missed(proof: RouteProof) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for name in ("missed", "where", "because of"):
        table.add_column(name, overflow="fold")
    for kind in proof.missed:
        style = "red" if kind.is_critical else ""
        for one in kind.missed:
            why = Text(", ".join(one.culprits))
            table.add_row(Text(f"{kind.kind}\n{kind.told}", style=style), Text(one.pattern), why)
    return table


def print_coverage(console: Console, domain: str, found: Sequence[RouteCoverage]) -> None:
    """Every field with how often it was compared."""
    for route in found:
        share = route.covered_ppm
        told = "nothing to look at" if share is None else f"{percent(share)} of the fields compared"
        console.print(Text(f"{domain}: {route.route}", style="bold"))
        console.print(f"  {told}, {route.pairs:,} pairs")
        for reason, count in sorted(route.unread.items()):
            console.print(Text(f"  {count:,} pairs not compared: {reason}", style="dim"))
        if not route.fields:
            continue
        table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
        table.add_column("field", overflow="fold")
        for name in ("compared", "accepted", "not looked at"):
            table.add_column(name, justify="right")
        table.add_column("by rule", overflow="fold")
        for field in route.fields:
            style = "" if field.compared else "red"
            numbers = (f"{n:,}" for n in (field.compared, field.accepted, field.unseen))
            table.add_row(Text(field.pattern, style=style), *numbers, Text(", ".join(field.rules)))
        console.print(table)


def print_unused(console: Console, domain: str, found: Sequence[Unused], days: int) -> None:
    """Rules that nobody needed."""
    for one in found:
        idle = (
            "no comparer has judged by it yet"
            if one.idle_days is None
            else f"accepted nothing for {one.idle_days} days"
        )
        console.print(Text(f"{domain}: {one.rule.name} ({one.rule.owner}): {idle}"))
    if not found:
        console.print(Text(f"{domain}: every rule was of use in the last {days} days"))


def print_standings(console: Console, domain: str, found: Sequence[Justification]) -> None:
    """What drift says of each rule."""
    for one in found:
        line = Text(f"{domain}: ").append(one.standing.value, style=_COLOURS[one.standing])
        console.print(line.append(f"  {one.rule.name}: {one.why}"))
    if not found:
        console.print(Text(f"{domain}: there is no rule in force"))


def print_surveys(console: Console, found: Sequence[Survey]) -> None:
    """How many requests each side was asked twice, and how many fields moved."""
    for one in found:
        moved = sum(drift.pattern != SURVEYED for drift in one.drifts)
        told = f"{one.side}: {one.asked:,} requests asked twice, {moved:,} fields moved"
        lost = ", ".join(f"{count:,} {why}" for why, count in sorted(one.failed.items()))
        console.print(Text(f"{told}; not compared: {lost}" if lost else told))


def print_proposals(
    console: Console,
    found: Sequence[Proposal],
    unruled: Sequence[Drift],
    paths: Mapping[str, str],
) -> None:
    """The proposed rules as they stand in a routing file, owner and last day left open."""
    if not found:
        console.print("No field moved by itself: no rule is needed for noise.")
    else:
        console.print(Text(as_yaml(found, paths)), soft_wrap=True)
    for one in unruled:
        told = (
            f"{one.route}: {one.pattern} moved in {one.drifted} of {one.pairs} pairs on {one.side}"
        )
        console.print(Text(f"{told}; no rule can accept that, only not comparing it", "yellow"))


def as_yaml(found: Sequence[Proposal], paths: Mapping[str, str]) -> str:
    """Rules for `compare.rules`. A file with them loads once owner and expires are filled in.

    `paths` is route name to path template.
    """
    lines = ["rules:"]
    for one in found:
        lines.append(f"  # {one.evidence}; on {', '.join(one.routes)}")
        lines += [
            f"  # e.g. {_shown(ours)} against {_shown(other)}" for ours, other in one.samples[:2]
        ]
        if one.is_last_resort:
            lines.append("  # Nothing states what moves here: this rule blinds the field. Somebody")
            lines.append("  # has to own that, or the field has to stop moving.")
        lines.append(f"  - path: {_quoted(one.path)}")
        lines.append(f"    accept: {one.accept.value}")
        if one.bound is not None:
            lines.append(f"    within: {one.bound}")
        lines.append("    owner:    # who answers for it")
        lines.append(f"    reason: {_quoted(one.evidence)}")
        lines.append("    expires:  # its last day, e.g. 2027-06-30")
        if one.routes:
            lines.append(f"    routes: [{', '.join(_quoted(paths[name]) for name in one.routes)}]")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _shown(text: str | None) -> str:
    shown = "nothing" if text is None else text
    return (shown if len(shown) <= 60 else f"{shown[:60]}…").replace("\n", " ")
