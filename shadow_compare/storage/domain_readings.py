"""What gates and pages ask of domains, read of all of them together.

A statement costs its way there and back whatever it brings, so each of these asks for every
domain that is wanted at once. One domain is asked for by the same statements: what a gate
reads of it is what a page of all shows.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.routing.model import Domain
from shadow_compare.core.epoch import join, rules_hash
from shadow_compare.core.evidence import (
    Accounting,
    DomainEvidence,
    DomainReading,
    Latency,
    TrendPoint,
)
from shadow_compare.core.latency import quantile_ms
from shadow_compare.core.ledger import Kind, Line, accounting
from shadow_compare.core.parity import (
    DEFAULT_CONFIDENCE_BP,
    Counts,
    StratumCounts,
    parity,
    strata_worst_first,
    trend,
    worst_first,
)
from shadow_compare.core.sampling import Stratum
from shadow_compare.storage import tables
from shadow_compare.storage.groups_reader import largest_groups
from shadow_compare.storage.samples import read_strata
from shadow_compare.storage.tally import OUTCOME_COLUMNS

_HOUR_S = 3600


class Most(NamedTuple):
    """How many points of a trend and how many groups are given of one domain."""

    points: int
    groups: int


class _Now(NamedTuple):
    """The epoch that a domain's rules and releases are in, and what stands beside it."""

    epoch: str
    since_s: float | None
    heartbeat_s: float | None
    carried: int
    in_force_since_s: float | None


_NOWHERE = _Now("", None, None, 0, None)
_NO_BOOKS = Accounting(0, 0, 0)


async def read_domains(
    connection: AsyncConnection, domains: Sequence[Domain], most: Most, now_s: float
) -> dict[str, DomainReading]:
    """All that is shown of each domain, by name."""
    names = [domain.name for domain in domains]
    evidence = await read_evidence(connection, domains, now_s)
    trends = await _trends(connection, names, most.points) if most.points else {}
    latencies = await _latencies(connection, names)
    groups = await largest_groups(connection, names, most.groups, now_s) if most.groups else {}
    return {
        name: DomainReading(
            evidence[name],
            trends.get(name, ()),
            latencies.get(name, ()),
            groups.get(name, ()),
        )
        for name in names
    }


async def read_evidence(
    connection: AsyncConnection, domains: Sequence[Domain], now_s: float
) -> dict[str, DomainEvidence]:
    """The evidence of the epoch that each domain's rules and releases are in, by name."""
    names = [domain.name for domain in domains]
    now = await _now(connection, domains, now_s)
    epochs = {(name, one.epoch) for name, one in now.items() if one.epoch}
    totals = await _totals(connection, epochs)
    books = await _accountings(connection, names)
    strata = await read_strata(connection, epochs)

    def told() -> dict[str, DomainEvidence]:
        return {
            one.name: _evidence(
                one,
                now.get(one.name) or _NOWHERE,
                totals.get(one.name, {}),
                books.get(one.name) or _NO_BOOKS,
                strata.get(one.name, {}),
            )
            for one in domains
        }

    # Bounds take their time, and the first of a process loads what they are computed by.
    return await asyncio.to_thread(told)


def nothing(domain: Domain) -> DomainReading:
    """What is shown of a domain while there is no evidence at all."""
    return DomainReading(_evidence(domain, _NOWHERE, {}, _NO_BOOKS, {}))


def _evidence(
    domain: Domain,
    now: _Now,
    routes: Mapping[str, Counts],
    books: Accounting,
    strata: Mapping[Stratum, StratumCounts],
) -> DomainEvidence:
    gate = domain.parity_gate
    confidence_bp = gate.confidence_bp if gate else DEFAULT_CONFIDENCE_BP
    known = {route: counts for route, counts in routes.items() if counts.judged}
    return DomainEvidence(
        domain=domain.name,
        epoch=now.epoch,
        epoch_since_s=now.since_s,
        overall=parity(None, sum(known.values(), Counts()), confidence_bp),
        routes=worst_first(known, confidence_bp),
        unseen=tuple(route.name for route in domain.routes if route.name not in known),
        accounting=books,
        heartbeat_s=now.heartbeat_s,
        strata=strata_worst_first(strata, confidence_bp),
        carried=now.carried,
        in_force_since_s=now.in_force_since_s,
    )


async def _now(
    connection: AsyncConnection, domains: Sequence[Domain], now_s: float
) -> dict[str, _Now]:
    """By domain: the epoch with its rules between the stores that are compared now."""
    today = datetime.fromtimestamp(now_s, UTC).date()
    here, epochs = tables.domains, tables.epochs
    same = (epochs.c.domain == here.c.domain) & (epochs.c.key == here.c.epoch)
    standing = (
        sa.select(here, epochs.c.stores)
        .join_from(here, epochs, same, isouter=True)
        .where(here.c.domain.in_([domain.name for domain in domains]))
    )
    found = {row.domain: row for row in (await connection.execute(standing)).all()}
    keys = {
        domain.name: join(domain.name, rules_hash(domain, today), found[domain.name].stores)
        for domain in domains
        if domain.name in found and found[domain.name].stores is not None
    }
    begun = sa.select(epochs.c.domain, epochs.c.since_s).where(
        sa.tuple_(epochs.c.domain, epochs.c.key).in_(sorted(keys.items()))
    )
    since = {row.domain: row.since_s for row in (await connection.execute(begun)).all()}
    now = {}
    for name, row in found.items():
        key = keys[name] if name in since else ""
        carried = row.carried if key and row.epoch == key else 0
        now[name] = _Now(key, since.get(name), row.heartbeat_s, carried, row.in_force_since_s)
    return now


async def _totals(
    connection: AsyncConnection, epochs: set[tuple[str, str]]
) -> dict[str, dict[str, Counts]]:
    """By domain and route, of one epoch of each domain."""
    totals = tables.totals
    query = sa.select(totals).where(sa.tuple_(totals.c.domain, totals.c.epoch).in_(sorted(epochs)))
    found: dict[str, dict[str, Counts]] = defaultdict(dict)
    for row in (await connection.execute(query)).all():
        found[row.domain][row.route] = _counts(row)
    return found


async def _accountings(connection: AsyncConnection, names: Sequence[str]) -> dict[str, Accounting]:
    ledger = tables.ledger.c
    query = (
        sa.select(
            ledger.domain, ledger.kind, ledger.reason, sa.func.sum(ledger.exchanges).label("n")
        )
        .where(ledger.domain.in_(names))
        .group_by(ledger.domain, ledger.kind, ledger.reason)
    )
    lines: dict[str, list[tuple[Line, int]]] = defaultdict(list)
    for row in (await connection.execute(query)).all():
        line = Line(row.domain, "", Kind(row.kind), row.reason)
        lines[row.domain].append((line, int(row.n)))
    return {name: accounting(found) for name, found in lines.items()}


async def _trends(
    connection: AsyncConnection, names: Sequence[str], points: int
) -> dict[str, tuple[TrendPoint, ...]]:
    """The trend of each domain, oldest first; of a long one the latest points."""
    tallies, before = tables.tallies, tables.tallies.alias("before")
    # A month holds millions of intervals: where the latest begin is looked up from the end.
    first = (
        sa.select(before.c.at_s)
        .where(before.c.domain == tables.domains.c.domain, _compared(before) > 0)
        .distinct()
        .order_by(before.c.at_s.desc())
        .limit(1)
        .offset(points - 1)
        .correlate(tables.domains)
        .scalar_subquery()
    )
    latest = _of_each(
        connection.dialect.name,
        names,
        tallies,
        tallies.c.at_s >= sa.func.coalesce(first, 0),
        ([tallies.c.at_s, tallies.c.epoch], _sums(tallies)),
    )
    rows = (await connection.execute(latest)).all()
    sums = await _epoch_totals(connection, sorted({row.domain for row in rows}))

    def told() -> dict[str, tuple[TrendPoint, ...]]:
        intervals: dict[str, list[tuple[int, str, Counts]]] = defaultdict(list)
        for domain, at_s, epoch, *summed in rows:
            counts = _summed(summed)
            if counts.compared:
                intervals[domain].append((at_s, epoch, counts))
        return {
            name: trend(
                sorted(found, key=itemgetter(0, 1))[-points:], sums[name], DEFAULT_CONFIDENCE_BP
            )
            for name, found in intervals.items()
        }

    # Thousands of points, with a bound for each: others would wait for it.
    return await asyncio.to_thread(told)


def _of_each(
    dialect: str,
    names: Sequence[str],
    table: sa.Table,
    is_wanted: sa.ColumnElement[bool],
    columns: tuple[Sequence[sa.ColumnElement[Any]], Sequence[sa.ColumnElement[Any]]],
) -> sa.Select[Any]:
    """Rows of each domain, found from one place of its index on.

    SQLite walks each domain's index as it stands here. PostgreSQL would make one join of it
    that reads the rows of all times, unless it is told to go from domain to domain; SQLite
    knows no such word.

    Args:
        dialect: of the database.
        names: of the domains.
        table: whose rows they are.
        is_wanted: which of a domain's rows; may look at `tables.domains`.
        columns: what is grouped by, and what is told of a group.
    """
    here, (key, told) = tables.domains, columns
    is_theirs = (table.c.domain == here.c.domain) & is_wanted
    if dialect == "postgresql":
        grouped = sa.select(*key, *told).where(is_theirs).group_by(*key).correlate(here)
        each = grouped.lateral("each")
        query = sa.select(here.c.domain, *each.c).join_from(here, each, sa.true())
    else:
        query = sa.select(here.c.domain, *key, *told).join_from(here, table, is_theirs)
        query = query.group_by(here.c.domain, *key)
    return query.where(here.c.domain.in_(names))


async def _epoch_totals(
    connection: AsyncConnection, names: Sequence[str]
) -> dict[str, dict[str, Counts]]:
    totals = tables.totals.c
    query = (
        sa.select(totals.domain, totals.epoch, *_sums(tables.totals))
        .where(totals.domain.in_(names))
        .group_by(totals.domain, totals.epoch)
    )
    found: dict[str, dict[str, Counts]] = defaultdict(dict)
    for domain, epoch, *summed in (await connection.execute(query)).all():
        found[domain][epoch] = _summed(summed)
    return found


async def _latencies(
    connection: AsyncConnection, names: Sequence[str]
) -> dict[str, tuple[Latency, ...]]:
    """Answer times per side and role over each domain's last hour with data."""
    answers, other = tables.latencies, tables.latencies.alias("other")
    last = (
        sa.select(sa.func.max(other.c.at_s))
        .where(other.c.domain == tables.domains.c.domain)
        .correlate(tables.domains)
        .scalar_subquery()
    )
    query = _of_each(
        connection.dialect.name,
        names,
        answers,
        answers.c.at_s > last - _HOUR_S,
        (
            [answers.c.side, answers.c.role, answers.c.bucket],
            [sa.func.sum(answers.c.answers).label("n")],
        ),
    )
    series: dict[str, dict[tuple[str, str], dict[int, int]]] = defaultdict(dict)
    for row in (await connection.execute(query)).all():
        series[row.domain].setdefault((row.side, row.role), {})[row.bucket] = int(row.n)
    return {
        name: tuple(_latency(side, role, counts) for (side, role), counts in sorted(found.items()))
        for name, found in series.items()
    }


def _latency(side: str, role: str, counts: dict[int, int]) -> Latency:
    return Latency(
        side=side,
        role=role,
        count=sum(counts.values()),
        p50_ms=quantile_ms(counts, 0.50),
        p95_ms=quantile_ms(counts, 0.95),
        p99_ms=quantile_ms(counts, 0.99),
    )


_COUNTED = {field.name for field in dataclasses.fields(Counts)}
_SUMMED = (*OUTCOME_COLUMNS, "samples", "unequal")


def _sums(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    return [sa.func.sum(table.c[name]).label(name) for name in _SUMMED]


def _compared(table: sa.FromClause) -> sa.ColumnElement[Any]:
    return table.c.matched + table.c.accepted + table.c.mismatched


def _summed(values: Sequence[Any]) -> Counts:
    """Counts of the values of `_sums`, which PostgreSQL gives as decimals."""
    return Counts(**dict(zip(_SUMMED, map(int, values), strict=True)))


def _counts(row: sa.Row[Any]) -> Counts:
    return Counts(**{name: int(value) for name, value in row._mapping.items() if name in _COUNTED})
