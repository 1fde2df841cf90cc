"""Evidence on a terminal, and as JSON for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.routing import RoutingTable, Side
from shadow_compare.core.evidence import DomainEvidence, Parity
from shadow_compare.core.words import headline, percent, statement


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


def store_urls(table: RoutingTable) -> dict[Side, str]:
    """Where each side is reached."""
    return {side: table.stores[side].url for side in Side}
