"""Evidence on a terminal, and as JSON for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.routing import RoutingTable, Side
from shadow_compare.core.evidence import DomainEvidence, Example, MismatchGroup, Parity
from shadow_compare.core.words import curl, headline, percent, statement


def parity_json(found: Sequence[DomainEvidence]) -> list[dict[str, Any]]:
    """Everything a program may ask of the evidence; times in seconds since 1970."""
    return [
        {
            "domain": one.domain,
            "epoch": one.epoch,
            "epoch_since_s": one.epoch_since_s,
            "overall": _parity_json(one.overall),
            "routes": [_parity_json(route) for route in one.routes],
            "unseen": list(one.unseen),
            "accounting": {**dataclasses.asdict(one.accounting), "lost": one.accounting.lost},
            "heartbeat_s": one.heartbeat_s,
        }
        for one in found
    ]


def _parity_json(parity: Parity) -> dict[str, Any]:
    return {
        **dataclasses.asdict(parity),
        "compared": parity.compared,
        "ratio_ppm": parity.ratio_ppm,
    }


def print_parity(console: Console, found: Sequence[DomainEvidence]) -> None:
    """One table over all domains and routes, then each domain's books."""
    table = _table("How equal old and new are")
    table.add_column("domain and route", overflow="fold", min_width=20)
    for name in ("compared", "equal", "at least", "unequal", "unread", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        _row(table, Text(one.domain, style="bold"), one.overall, f"{one.accounting.lost:,}")
        for route in one.routes:
            _row(table, Text(f"  {route.route}"), route, "")
        for name in one.unseen:
            table.add_row(Text(f"  {name}"), "0", "", "not seen", "", "", "")
    console.print(table)
    for one in found:
        console.print(Text(headline(one)))
        console.print(Text(f"  {statement(one.accounting)}", style="dim"))


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 2, 0, 0))


def _row(table: Table, name: Text, parity: Parity, lost: str) -> None:
    ratio_ppm = parity.ratio_ppm
    shares = ("", "too few") if ratio_ppm is None else (ratio_ppm, parity.lower_ppm)
    equal, at_least = (share if isinstance(share, str) else percent(share) for share in shares)
    unread = f"{parity.incomparable + parity.broken:,}"
    numbers = (equal, at_least, f"{parity.mismatched:,}", unread, lost)
    table.add_row(name, f"{parity.compared:,}", *numbers)


def groups_json(groups: Sequence[MismatchGroup]) -> list[dict[str, Any]]:
    """Groups as plain values."""
    return [dataclasses.asdict(group) for group in groups]


def print_groups(console: Console, groups: Sequence[MismatchGroup]) -> None:
    """The groups, greatest first."""
    if not groups:
        console.print("No mismatch in the current epoch.")
        return
    table = _table("Mismatches that look the same")
    table.add_column("fingerprint", no_wrap=True)
    table.add_column("what differs, and where", overflow="fold")
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("last (UTC)", no_wrap=True)
    for group in groups:
        table.add_row(
            Text(group.fingerprint),
            Text(f"{group.title}\n").append(f"{group.domain}: {group.route}", style="dim"),
            f"{group.count:,}",
            percent(group.share_ppm),
            _moment(group.last_seen_s)[5:],
        )
    console.print(table)
    console.print(Text(f"Look at one: banyan mismatches show {groups[0].fingerprint}", "dim"))


def example_json(
    group: MismatchGroup, examples: Sequence[Example], stores: Mapping[Side, str]
) -> dict[str, Any]:
    """One group with its examples, each with a command that asks again."""
    return {
        "group": dataclasses.asdict(group),
        "examples": [
            {
                **dataclasses.asdict(example),
                "curl": {side.value: curl(example, url) for side, url in stores.items()},
            }
            for example in examples
        ],
    }


def print_example(
    console: Console,
    group: MismatchGroup,
    examples: Sequence[Example],
    stores: Mapping[Side, str],
) -> None:
    """The newest example side by side, and how to ask again."""
    console.print(Text(group.title, style="bold"))
    told = f"{group.domain}: {group.route} · {group.count:,} times · {percent(group.share_ppm)}"
    console.print(Text(f"{told} of the route's comparisons"))
    if group.noise_ppm:
        told = (
            f"Asked twice, the live side differed from itself there in {percent(group.noise_ppm)}"
        )
        console.print(Text(f"{told} of the cases: a rule may be right."))
    if not group.current:
        console.print("This was seen under earlier rules or releases.")
    if not examples:
        return
    example = examples[0]
    when = _moment(example.at_s)
    console.print(Text(f"\n{example.method} {example.target} at {when} UTC ({example.request_id})"))
    table = Table(show_lines=True)
    table.add_column("place", overflow="fold")
    table.add_column(f"legacy ({example.legacy_status})", overflow="fold")
    table.add_column(f"core ({example.core_status})", overflow="fold")
    for leaf in example.leaves[:_ROWS]:
        table.add_row(Text(f"{leaf.path}\n{leaf.kind}"), _value(leaf.legacy), _value(leaf.core))
    console.print(table)
    if len(example.leaves) > _ROWS:
        console.print(f"… and {len(example.leaves) - _ROWS} more places (see --json)")
    console.print("\nAsk again:")
    for side, url in stores.items():
        console.print(Text(f"  {side.value}: {curl(example, url)}"), soft_wrap=True)


_ROWS = 20
_VALUE_CHARS = 400


def _value(text: str | None) -> Text:
    if text is None:
        return Text("absent", style="dim")
    return Text(text if len(text) <= _VALUE_CHARS else f"{text[:_VALUE_CHARS]}…")


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def store_urls(table: RoutingTable) -> dict[Side, str]:
    """Where each side is reached."""
    return {side: table.stores[side].url for side in Side}
