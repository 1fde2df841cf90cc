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
from shadow_compare.core.evidence import DomainEvidence, Parity, StratumParity
from shadow_compare.core.words import asides, headline, percent, statement, stratum_words


def parity_json(found: Sequence[DomainEvidence]) -> list[dict[str, Any]]:
    """Everything a program may ask of the evidence; times in seconds since 1970."""
    return [
        {
            "domain": one.domain,
            "epoch": one.epoch,
            "epoch_since_s": one.epoch_since_s,
            "overall": _parity_json(one.overall),
            "routes": [_parity_json(route) for route in one.routes],
            "strata": [_stratum_json(stratum) for stratum in one.strata],
            "unseen": list(one.unseen),
            "carried": one.carried,
            "in_force_since_s": one.in_force_since_s,
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


def _stratum_json(found: StratumParity) -> dict[str, Any]:
    figures = dataclasses.asdict(found)
    return {**found.stratum._asdict(), **{k: v for k, v in figures.items() if k != "stratum"}}


def print_parity(console: Console, found: Sequence[DomainEvidence]) -> None:
    """One table over all domains and routes, then each domain's books."""
    table = _table("How equal old and new are")
    table.add_column("domain and route", overflow="fold", min_width=20)
    for name in ("samples", "at least", "fixed n", "compared", "equal", "unread", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        _row(table, Text(one.domain, style="bold"), one.overall, f"{one.accounting.lost:,}")
        for route in one.routes:
            _row(table, Text(f"  {route.route}"), route, "")
        for name in one.unseen:
            table.add_row(Text(f"  {name}"), "0", "not seen", "", "0", "", "", "")
    console.print(table)
    for one in found:
        console.print(Text(headline(one)))
        for line in (*asides(one), statement(one.accounting)):
            console.print(Text(f"  {line}", style="dim"))


def print_strata(console: Console, found: Sequence[DomainEvidence]) -> None:
    """Every stratum, the worst first, with both bounds."""
    for one in found:
        table = _table(f"{one.domain}: strata, the worst first")
        table.add_column("route, whom it was for, legacy's status", overflow="fold", min_width=20)
        for name in ("samples", "unequal", "at least", "at most", "fixed n", "compared"):
            table.add_column(name, justify="right", no_wrap=True)
        for stratum in one.strata:
            table.add_row(
                Text(stratum_words(stratum.stratum)),
                f"{stratum.samples:,}",
                f"{stratum.unequal:,}",
                percent(stratum.lower_ppm),
                percent(stratum.upper_ppm),
                percent(stratum.exact_ppm),
                f"{stratum.compared:,}",
            )
        console.print(table if one.strata else Text(headline(one)))
        if one.unseen:
            console.print(Text(f"  never compared: {', '.join(one.unseen)}"))


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 2, 0, 0))


def _row(table: Table, name: Text, parity: Parity, lost: str) -> None:
    ratio_ppm = parity.ratio_ppm
    bounds = ("too few", "")
    if parity.samples:
        bounds = percent(parity.lower_ppm), percent(parity.exact_ppm)
    table.add_row(
        name,
        f"{parity.samples:,}",
        *bounds,
        f"{parity.compared:,}",
        "" if ratio_ppm is None else percent(ratio_ppm),
        f"{parity.incomparable + parity.broken:,}",
        lost,
    )


def store_urls(table: RoutingTable) -> dict[Side, str]:
    """Where each side is reached."""
    return {side: table.stores[side].url for side in Side}
