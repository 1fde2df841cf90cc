"""Recorded pairs, uses of rules and drift of fields, read and written by commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.drift import Drift
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.rule_use import RuleUse
from shadow_compare.core.text import storable
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.storage import tables
from shadow_compare.storage.engine import reader_engine, sqlite_file, writer_engine
from shadow_compare.storage.pair_packing import unpack_pair
from shadow_compare.storage.proof_tables import drifts as drift_table
from shadow_compare.storage.proof_tables import recorded_pairs
from shadow_compare.storage.rule_uses import read_rule_uses
from shadow_compare.storage.schema import current_revision, head_revision
from shadow_compare.storage.upsert import put

_drift_decoder = msgspec.json.Decoder(Drift)


class SqlProofStore:
    """Implements ports.ProofStore over SQLite or PostgreSQL. Belongs to one event loop."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._reader = reader_engine(url)
        self._writer = writer_engine(url)

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()
        await self._writer.dispose()

    async def pairs(self, domain: str, *, limit: int = 1_000) -> Sequence[RecordedPair]:
        pairs = recorded_pairs.c
        share = sa.func.row_number().over(
            partition_by=(pairs.route, pairs.status_class), order_by=pairs.draw
        )
        ranked = (
            sa.select(pairs.pair, share.label("nth"), pairs.draw)
            .where(pairs.domain == domain, pairs.stores == _stores_of(domain))
            .subquery()
        )
        query = sa.select(ranked.c.pair).order_by(ranked.c.nth, ranked.c.draw).limit(limit)
        async with self._open() as connection:
            rows = (await connection.execute(query)).all()
        found = (unpack_pair(row.pair) for row in rows)
        return tuple(pair for pair in found if pair is not None)

    async def uses(self, domain: str) -> Mapping[str, RuleUse]:
        async with self._open() as connection:
            return await read_rule_uses(connection, domain)

    async def drifts(self, domain: str) -> Sequence[Drift]:
        kept = drift_table.c
        query = (
            sa.select(kept.drift)
            .where(kept.domain == domain, kept.stores == _stores_of(domain))
            .order_by(kept.side, kept.route, kept.pattern)
        )
        async with self._open() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(_drift_decoder.decode(row.drift) for row in rows)

    async def put_drifts(self, domain: str, drifts: Sequence[Drift], at_s: float) -> None:
        await self._check_file()
        try:
            async with self._writer.begin() as connection:
                await _check(connection)
                stores = (await connection.execute(sa.select(_stores_of(domain)))).scalar()
                if stores is None:
                    raise EvidenceUnavailable(f"nothing was ever compared of domain {domain}")
                await _replace(connection, (domain, stores), drifts, at_s)
        except (SQLAlchemyError, OSError) as exc:
            raise EvidenceUnavailable(f"cannot store the drift: {exc}") from exc

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[AsyncConnection]:
        await self._check_file()
        try:
            async with self._reader.connect() as connection:
                await _check(connection)
                yield connection
        except (SQLAlchemyError, OSError) as exc:
            raise EvidenceUnavailable(f"the evidence store did not answer: {exc}") from exc

    async def _check_file(self) -> None:
        file = sqlite_file(self._url)
        if file is not None and not await asyncio.to_thread(file.exists):
            raise EvidenceUnavailable(f"there is no evidence at {file}; a comparer makes it")


def _stores_of(domain: str) -> sa.ScalarSelect[str]:
    """The releases that the domain is compared between now."""
    epochs, domains = tables.epochs.c, tables.domains.c
    return (
        sa.select(epochs.stores)
        .join(tables.domains, (domains.domain == epochs.domain) & (domains.epoch == epochs.key))
        .where(epochs.domain == domain)
        .scalar_subquery()
    )


async def _check(connection: AsyncConnection) -> None:
    found = await connection.run_sync(current_revision)
    if found != head_revision():
        raise EvidenceUnavailable(
            f"the evidence is at revision {found}, this release reads {head_revision()};"
            " start the comparer of the newer release once to upgrade it"
        )


async def _replace(
    connection: AsyncConnection, key: tuple[str, str], drifts: Sequence[Drift], at_s: float
) -> None:
    domain, stores = key
    kept = drift_table.c
    for side, route in sorted({(one.side, one.route) for one in drifts}):
        same = sa.and_(
            kept.domain == domain,
            kept.stores == stores,
            kept.side == side,
            kept.route == storable(route),
        )
        await connection.execute(sa.delete(drift_table).where(same))
    rows = [
        {
            "domain": domain,
            "stores": stores,
            "side": one.side,
            "route": storable(one.route),
            "pattern": storable(one.pattern),
            "at_s": at_s,
            "drift": msgspec.json.encode(one),
        }
        for one in drifts
    ]
    await put(connection, drift_table, rows)
