"""What reconciliation found, for those who look often: counted in the database, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import Drift, DriftSample, DriftState
from shadow_compare.core.reconcile_pass import PassKind, PassRecord
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.storage.engine import reader_engine, sqlite_file
from shadow_compare.storage.reconcile_packing import unpack_drift, unpack_pass
from shadow_compare.storage.reconcile_tables import drifts, passes, samples


@dataclass(frozen=True, slots=True)
class DriftCount:
    """Open differences of one class in one domain.

    Attributes:
        stakes: money at stake in minor units by currency.
    """

    drift: DriftClass
    count: int
    stakes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DriftStanding:
    """What is known of all domains.

    Attributes:
        counts: of open differences, by domain, those with the most first.
        whole: by domain and owner, the newest pass over everything that came to its end.
        clean: likewise the newest clean pass.
        running: by domain, the pass that has not ended.
    """

    counts: Mapping[str, tuple[DriftCount, ...]] = field(default_factory=dict)
    whole: Mapping[tuple[str, str], PassRecord] = field(default_factory=dict)
    clean: Mapping[tuple[str, str], PassRecord] = field(default_factory=dict)
    running: Mapping[str, PassRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DriftSheet:
    """A page of differences, the dearest first.

    Attributes:
        total: of all pages.
    """

    total: int = 0
    entries: tuple[tuple[Drift, tuple[DriftSample, ...]], ...] = ()


class SqlDriftReader:
    """It never writes and never creates a file: what is not there yet is nothing found.

    Raises: EvidenceUnavailable, from any call.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._file = sqlite_file(url)
        self._engine: AsyncEngine | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def standing(self) -> DriftStanding:
        """How all domains stand."""
        async with self._reading() as connection:
            if connection is None:
                return DriftStanding()
            is_over = (passes.c.ended_s.is_not(None), passes.c.problem == "")
            is_whole = passes.c.kind != PassKind.HOT
            running = await _newest(connection, passes.c.ended_s.is_(None))
            return DriftStanding(
                counts=await _counts(connection),
                whole=await _newest(connection, *is_over, is_whole),
                clean=await _newest(connection, *is_over, passes.c.is_clean),
                running={domain: record for (domain, _), record in running.items()},
            )

    async def sheet(
        self, domain: str, drift: DriftClass | None, *, offset: int, limit: int
    ) -> DriftSheet:
        """Open differences of a domain, of one class or of all."""
        wanted = [drifts.c.domain == domain, drifts.c.state == DriftState.OPEN]
        if drift is not None:
            wanted.append(drifts.c.drift == drift)
        async with self._reading() as connection:
            if connection is None:
                return DriftSheet()
            counted = sa.select(sa.func.count()).select_from(drifts).where(*wanted)
            total = int((await connection.execute(counted)).scalar_one())
            dearest = sa.func.coalesce(drifts.c.stake_minor, -1).desc()
            order = (dearest, drifts.c.kind, drifts.c.key)
            # Sorted are ids alone: whole rows of a hundred thousand would be carried along.
            ids = sa.select(drifts.c.id).where(*wanted).order_by(*order).offset(offset)
            found = list((await connection.execute(ids.limit(limit))).scalars())
            page = sa.select(drifts).where(drifts.c.id.in_(found)).order_by(*order)
            rows = (await connection.execute(page)).all()
            held = await _samples(connection, [row.id for row in rows])
        return DriftSheet(
            total, tuple((unpack_drift(row), tuple(held.get(row.id, ()))) for row in rows)
        )

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection | None]:
        """A connection; None while nothing was ever reconciled."""
        if self._file is not None and not self._file.is_file():
            yield None
            return
        if self._engine is None:
            self._engine = reader_engine(self._url)
        try:
            async with self._engine.connect() as connection:
                is_there = await connection.run_sync(
                    lambda plain: sa.inspect(plain).has_table(samples.name)
                )
                yield connection if is_there else None
        except (SQLAlchemyError, OSError) as exc:
            said = str(getattr(exc, "orig", None) or exc)
            raise EvidenceUnavailable((said.splitlines() or [type(exc).__name__])[0]) from exc


async def _counts(connection: AsyncConnection) -> dict[str, tuple[DriftCount, ...]]:
    known = drifts.c
    place = (known.domain, known.drift, known.currency)
    asked = sa.select(
        *place, sa.func.count().label("many"), sa.func.sum(known.stake_minor).label("stake")
    )
    found = await connection.execute(asked.where(known.state == DriftState.OPEN).group_by(*place))
    many: dict[tuple[str, str], int] = {}
    stakes: dict[tuple[str, str], dict[str, int]] = {}
    for row in found:
        key = row.domain, row.drift
        many[key] = many.get(key, 0) + row.many
        if row.currency and row.stake is not None:
            stakes.setdefault(key, {})[row.currency] = int(row.stake)
    by_domain: dict[str, list[DriftCount]] = {}
    for (domain, drift), count in sorted(many.items(), key=lambda one: (-one[1], one[0])):
        money = dict(sorted(stakes.get((domain, drift), {}).items()))
        by_domain.setdefault(domain, []).append(DriftCount(DriftClass(drift), count, money))
    return {domain: tuple(counts) for domain, counts in by_domain.items()}


async def _newest(
    connection: AsyncConnection, *wanted: sa.ColumnElement[bool]
) -> dict[tuple[str, str], PassRecord]:
    last = (
        sa.select(
            passes.c.domain, passes.c.owner, sa.func.max(passes.c.started_s).label("started_s")
        )
        .where(*wanted)
        .group_by(passes.c.domain, passes.c.owner)
        .subquery()
    )
    same = sa.and_(
        passes.c.domain == last.c.domain,
        passes.c.owner == last.c.owner,
        passes.c.started_s == last.c.started_s,
        *wanted,
    )
    found = await connection.execute(sa.select(passes).join(last, same))
    return {(row.domain, row.owner): unpack_pass(row) for row in found}


async def _samples(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[DriftSample]]:
    if not ids:
        return {}
    asked = sa.select(samples).where(samples.c.drift_id.in_(ids))
    held: dict[str, list[DriftSample]] = {}
    for row in await connection.execute(asked.order_by(samples.c.drift_id, samples.c.n)):
        held.setdefault(row.drift_id, []).append(DriftSample(row.path, row.owner, row.other))
    return held
