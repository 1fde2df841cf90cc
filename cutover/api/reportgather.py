"""Reads all that a report is made of, and makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from cutover.api.datagather import DataGatherer
from cutover.api.gather import Gatherer
from cutover.api.readings import History, Reading
from cutover.api.reportview import Report, ReportFacts, report
from cutover.core.delivery import Window, moves_of
from cutover.core.window import window_of
from cutover.errors import UnknownDomain
from proxy.routing.values import nearest

WEEK = "7d"
MOST_FLIPS = 200


async def make_report(
    gatherer: Gatherer,
    data: DataGatherer | None,
    clock_s: Callable[[], float],
    *,
    since: str = "",
    domain: str = "",
) -> Report:
    """Read every source within its deadline, and decide what the report says.

    Args:
        gatherer: of the room's first page.
        data: None where no core's database is known.
        clock_s: seconds since the epoch.
        since: see `window_of`; by default a week, of one domain its whole way.
        domain: the only one to speak of; "" for all.

    Raises:
        NoSuchTime: `since` names none.
        UnknownDomain: the table in force has no such domain.
    """
    now = datetime.fromtimestamp(clock_s(), UTC)
    asked = window_of(since or WEEK, now)
    facts = await gatherer.overview()
    table = facts.table.value
    names = [one.name for one in table.domains] if table else []
    if domain and table is not None and domain not in names:
        meant = nearest(domain, names)
        hint = f"did you mean {meant}?" if meant else f"it has: {', '.join(names) or 'none'}"
        raise UnknownDomain(f"the table in force has no domain {domain}; {hint}")
    history = await gatherer.history()
    window = asked if since or not domain else _whole_way(history.value, domain, asked)
    known = ReportFacts(
        facts=facts,
        history=history,
        data=None if data is None else await data.facts(),
        flips=Reading(()) if data is None else await data.flips(window.since, MOST_FLIPS),
        window=window,
        domain=domain,
    )
    # Of 200 domains and a year it takes tenths of a second, which others would wait for.
    return await asyncio.to_thread(report, known)


def _whole_way(history: History | None, domain: str, otherwise: Window) -> Window:
    """From a domain's first line in the ledger."""
    for one in history.told if history else ():
        if any(move.domain == domain for move in moves_of(one)):
            return Window(min(one.at, otherwise.until), otherwise.until)
    return otherwise
