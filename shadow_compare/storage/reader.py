"""Answers what gates, pages and the command line ask of the evidence."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from proxy.routing.model import Domain
from shadow_compare.core.epoch import Epoch, join, rules_hash
from shadow_compare.core.evidence import (
    Accounting,
    DomainEvidence,
    Example,
    Latency,
    MismatchGroup,
    TrendPoint,
)
from shadow_compare.core.groups import GroupQuery, GroupStory, Kept
from shadow_compare.core.latency import quantile_ms
from shadow_compare.core.ledger import Kind, Line, accounting
from shadow_compare.core.parity import (
    DEFAULT_CONFIDENCE_BP,
    Counts,
    parity,
    strata_worst_first,
    trend,
    worst_first,
)
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.storage import tables
from shadow_compare.storage.engine import reader_engine, sqlite_file
from shadow_compare.storage.groups_reader import (
    examples_between,
    find_groups,
    one_group,
    story_of,
)
from shadow_compare.storage.samples import read_strata
from shadow_compare.storage.schema import current_revision, head_revision
from shadow_compare.storage.tally import OUTCOME_COLUMNS

_HOUR_S = 3600


class SqlEvidenceReader:
    """Implements ports.EvidenceReader over SQLite or PostgreSQL.

    It never writes and never creates a file: a store that is not there yet is empty
    evidence. Safe to share between tasks of one event loop.
    """

    def __init__(self, url: URL, now_s: Callable[[], float]) -> None:
        self._url = url
        self._file = sqlite_file(url)
        self._file_id: tuple[int, int] | None = None
        self._now_s = now_s
        self._engine: AsyncEngine | None = None
        self._checked = False
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def domain(self, domain: Domain) -> DomainEvidence:
        gate = domain.parity_gate
        confidence_bp = gate.confidence_bp if gate else DEFAULT_CONFIDENCE_BP
        async with self._open() as connection:
            if connection is None:
                return _nothing(domain, confidence_bp)
            today = datetime.fromtimestamp(self._now_s(), UTC).date()
            epoch = await _epoch(connection, domain.name, rules_hash(domain, today))
            routes = await _totals(connection, domain.name, epoch.key) if epoch else {}
            books = await _accounting(connection, domain.name)
            strata = await read_strata(connection, domain.name, epoch.key) if epoch else {}
            now = await _now(connection, domain.name)
        known = {route: counts for route, counts in routes.items() if counts.judged}
        return DomainEvidence(
            domain=domain.name,
            epoch=epoch.key if epoch else "",
            epoch_since_s=epoch.since_s if epoch else None,
            overall=parity(None, sum(known.values(), Counts()), confidence_bp),
            routes=worst_first(known, confidence_bp),
            unseen=tuple(route.name for route in domain.routes if route.name not in known),
            accounting=books,
            heartbeat_s=now.heartbeat_s if now else None,
            strata=strata_worst_first(strata, confidence_bp),
            carried=now.carried if now and epoch and now.epoch == epoch.key else 0,
            in_force_since_s=now.in_force_since_s if now else None,
        )

    async def groups(
        self, domain: str | None = None, *, current_only: bool = True, limit: int = 50
    ) -> Sequence[MismatchGroup]:
        query = GroupQuery(domain=domain, current_only=current_only, limit=limit)
        return await self.find(query)

    async def find(self, query: GroupQuery) -> Sequence[MismatchGroup]:
        async with self._open() as connection:
            if connection is None:
                return ()
            return await find_groups(connection, query, self._now_s())

    async def group(self, fingerprint: str) -> tuple[MismatchGroup, Sequence[Example]] | None:
        async with self._open() as connection:
            if connection is None:
                return None
            return await one_group(connection, fingerprint, self._now_s())

    async def story(self, fingerprint: str) -> GroupStory:
        async with self._open() as connection:
            if connection is None:
                return GroupStory()
            return await story_of(connection, fingerprint, self._now_s())

    async def examples(
        self, domain: str | None, from_s: float, to_s: float, *, limit: int
    ) -> Sequence[Kept]:
        async with self._open() as connection:
            if connection is None:
                return ()
            return await examples_between(connection, domain, (from_s, to_s), limit)

    async def trend(self, domain: str, *, points: int = 60) -> Sequence[TrendPoint]:
        tallies = tables.tallies.c
        sums = [sa.func.sum(tallies[name]).label(name) for name in _SUMMED]
        latest = (
            sa.select(tallies.at_s, tallies.epoch, *sums)
            .where(tallies.domain == domain)
            .group_by(tallies.at_s, tallies.epoch)
            .having(sa.func.sum(tallies.matched + tallies.accepted + tallies.mismatched) > 0)
            .order_by(tallies.at_s.desc())
            .limit(points)
        )
        async with self._open() as connection:
            if connection is None:
                return ()
            rows = (await connection.execute(latest)).all()
            totals = await _epoch_totals(connection, domain)
        intervals = [(row.at_s, row.epoch, _counts(row)) for row in reversed(rows)]
        return trend(intervals, totals, DEFAULT_CONFIDENCE_BP)

    async def latency(self, domain: str) -> Sequence[Latency]:
        answers = tables.latencies.c
        last = sa.select(sa.func.max(answers.at_s)).where(answers.domain == domain)
        query = (
            sa.select(
                answers.side, answers.role, answers.bucket, sa.func.sum(answers.answers).label("n")
            )
            .where(answers.domain == domain, answers.at_s > last.scalar_subquery() - _HOUR_S)
            .group_by(answers.side, answers.role, answers.bucket)
        )
        async with self._open() as connection:
            rows = [] if connection is None else (await connection.execute(query)).all()
        series: dict[tuple[str, str], dict[int, int]] = {}
        for row in rows:
            series.setdefault((row.side, row.role), {})[row.bucket] = int(row.n)
        return tuple(
            _latency(side, role, counts) for (side, role), counts in sorted(series.items())
        )

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[AsyncConnection | None]:
        """A connection, or None while there is no evidence."""
        try:
            engine = await self._ready_engine()
            if engine is None:
                yield None
                return
            async with engine.connect() as connection:
                yield connection if await self._holds_evidence(connection) else None
        except (SQLAlchemyError, OSError) as exc:
            self._checked = False
            raise EvidenceUnavailable(f"the evidence store did not answer: {exc}") from exc

    async def _ready_engine(self) -> AsyncEngine | None:
        async with self._opening:
            if self._file is not None and not await self._same_file():
                await self.close()
                self._checked = False
            if self._file is not None and self._file_id is None:
                return None
            if self._engine is None:
                self._engine = reader_engine(self._url)
            return self._engine

    async def _same_file(self) -> bool:
        """Whether the file is the one that the connections are open on.

        Someone who starts over deletes the file; open connections would go on answering
        from the deleted one.
        """
        file = self._file
        if file is None:
            return True
        try:
            status = await asyncio.to_thread(file.stat)
        except FileNotFoundError:
            found = None
        else:
            found = (status.st_dev, status.st_ino) if status.st_size else None
        same = found == self._file_id
        self._file_id = found
        return same

    async def _holds_evidence(self, connection: AsyncConnection) -> bool:
        if self._checked:
            return True
        revision = await connection.run_sync(current_revision)
        if revision is None:
            return False
        if revision != head_revision():
            raise EvidenceUnavailable(
                f"the evidence is at revision {revision}, this release reads {head_revision()};"
                " start the comparer of the newer release once to upgrade it"
            )
        self._checked = True
        return True


async def _epoch(connection: AsyncConnection, domain: str, rules: str) -> Epoch | None:
    """The epoch with these rules between the stores that are compared now."""
    epochs, domains = tables.epochs.c, tables.domains.c
    now = (
        sa.select(epochs.stores)
        .join(tables.domains, (domains.domain == epochs.domain) & (domains.epoch == epochs.key))
        .where(epochs.domain == domain)
    )
    stores = (await connection.execute(now)).scalar()
    if stores is None:
        return None
    key = join(domain, rules, stores)
    query = sa.select(epochs.since_s).where(epochs.domain == domain, epochs.key == key)
    since_s = (await connection.execute(query)).scalar()
    return None if since_s is None else Epoch(domain, key, rules, stores, since_s)


async def _totals(connection: AsyncConnection, domain: str, epoch: str) -> dict[str, Counts]:
    totals = tables.totals.c
    query = sa.select(tables.totals).where(totals.domain == domain, totals.epoch == epoch)
    return {row.route: _counts(row) for row in (await connection.execute(query)).all()}


async def _epoch_totals(connection: AsyncConnection, domain: str) -> dict[str, Counts]:
    totals = tables.totals.c
    sums = [sa.func.sum(totals[name]).label(name) for name in _SUMMED]
    query = sa.select(totals.epoch, *sums).where(totals.domain == domain).group_by(totals.epoch)
    return {row.epoch: _counts(row) for row in (await connection.execute(query)).all()}


async def _accounting(connection: AsyncConnection, domain: str) -> Accounting:
    ledger = tables.ledger.c
    query = (
        sa.select(ledger.kind, ledger.reason, sa.func.sum(ledger.exchanges).label("n"))
        .where(ledger.domain == domain)
        .group_by(ledger.kind, ledger.reason)
    )
    rows = (await connection.execute(query)).all()
    return accounting((Line(domain, "", Kind(row.kind), row.reason), int(row.n)) for row in rows)


async def _now(connection: AsyncConnection, domain: str) -> sa.Row[Any] | None:
    query = sa.select(tables.domains).where(tables.domains.c.domain == domain)
    return (await connection.execute(query)).first()


def _counts(row: sa.Row[Any]) -> Counts:
    return Counts(**{name: int(value) for name, value in row._mapping.items() if name in _COUNTED})


_COUNTED = {field.name for field in dataclasses.fields(Counts)}
_SUMMED = (*OUTCOME_COLUMNS, "samples", "unequal")


def _latency(side: str, role: str, counts: dict[int, int]) -> Latency:
    return Latency(
        side=side,
        role=role,
        count=sum(counts.values()),
        p50_ms=quantile_ms(counts, 0.50),
        p95_ms=quantile_ms(counts, 0.95),
        p99_ms=quantile_ms(counts, 0.99),
    )


def _nothing(domain: Domain, confidence_bp: int) -> DomainEvidence:
    return DomainEvidence(
        domain=domain.name,
        epoch="",
        epoch_since_s=None,
        overall=parity(None, Counts(), confidence_bp),
        routes=(),
        unseen=tuple(route.name for route in domain.routes),
        accounting=Accounting(0, 0, 0),
        heartbeat_s=None,
    )
