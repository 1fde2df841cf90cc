"""Keep a fair, bounded draw of the exchanges that were compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.routing.model import Side
from shadow_compare.core.batch import Batch
from shadow_compare.core.pairs import (
    Held,
    RecordedPair,
    bar,
    draw_of,
    status_class,
    surplus,
)
from shadow_compare.core.text import storable
from shadow_compare.storage.pair_packing import pack_pair
from shadow_compare.storage.proof_tables import recorded_pairs
from shadow_compare.storage.upsert import put

Stratum = tuple[str, str, str, str]


class PairKeeper:
    """Decides from memory which pairs are worth a write, so that most batches cost none.

    A reservoir of the lowest draws fills once and then changes as rarely as the logarithm
    of the traffic. What is remembered is only a bar per stratum; it is read anew from the
    database after a restart, and a bar that another comparer has lowered meanwhile costs a
    write that is undone in the same transaction.
    """

    def __init__(self) -> None:
        self._bars: dict[Stratum, int | None] = {}

    async def store(self, connection: AsyncConnection, batch: Batch) -> None:
        """Add the batch's pairs that belong among the kept ones."""
        stores = {epoch.domain: epoch.stores for epoch in batch.epochs}
        wanted: dict[Stratum, dict[int, RecordedPair]] = {}
        for one in batch.judged:
            if one.pair is None or one.domain not in stores:
                continue
            stratum = _stratum(one.pair, stores[one.domain])
            draw = draw_of(one.run, one.seq)
            highest = self._bars.get(stratum)
            if highest is None or draw < highest:
                wanted.setdefault(stratum, {})[draw] = one.pair
        for stratum in sorted(wanted):
            await self._store_stratum(connection, stratum, wanted[stratum])

    async def _store_stratum(
        self, connection: AsyncConnection, stratum: Stratum, found: Mapping[int, RecordedPair]
    ) -> None:
        held = {one.draw: one for one in await _held(connection, stratum)}
        rows = {draw: _row(stratum, draw, found[draw]) for draw in found.keys() - held.keys()}
        for draw, row in rows.items():
            held[draw] = Held(draw, row["size_bytes"])
        let_go = set(surplus(held.values(), strata=await _strata(connection, stratum)))
        await put(connection, recorded_pairs, [rows[draw] for draw in rows.keys() - let_go])
        gone = sorted(let_go - rows.keys())
        if gone:
            beyond = _is_of(stratum) & recorded_pairs.c.draw.in_(gone)
            await connection.execute(sa.delete(recorded_pairs).where(beyond))
        kept = [one for one in held.values() if one.draw not in let_go]
        self._bars[stratum] = bar(kept, is_full=bool(let_go))

    def forget(self) -> None:
        """A transaction was rolled back or rows were pruned: look at the database again."""
        self._bars.clear()


async def prune_pairs(connection: AsyncConnection, batch: Batch) -> None:
    """Delete the pairs of releases that are not compared any more."""
    pairs = recorded_pairs.c
    for epoch in batch.epochs:
        old = (pairs.domain == epoch.domain) & (pairs.stores != epoch.stores)
        await connection.execute(sa.delete(recorded_pairs).where(old))


def _stratum(pair: RecordedPair, stores: str) -> Stratum:
    frame = pair.frame
    status = frame.status if frame.side == Side.LEGACY else pair.other.status
    return (frame.domain, stores, storable(frame.route), status_class(status))


def _row(stratum: Stratum, draw: int, pair: RecordedPair) -> dict[str, Any]:
    packed = pack_pair(pair)
    return {
        **dict(zip(("domain", "stores", "route", "status_class"), stratum, strict=True)),
        "draw": draw,
        "at_s": pair.frame.at_us / 1_000_000,
        "request_id": storable(pair.frame.request_id),
        "shopper": pair.frame.shopper,
        "size_bytes": len(packed),
        "pair": packed,
    }


def _is_of(stratum: Stratum) -> sa.ColumnElement[bool]:
    pairs = recorded_pairs.c
    domain, stores, route, kind = stratum
    return sa.and_(
        pairs.domain == domain,
        pairs.stores == stores,
        pairs.route == route,
        pairs.status_class == kind,
    )


async def _held(connection: AsyncConnection, stratum: Stratum) -> list[Held]:
    pairs = recorded_pairs.c
    query = sa.select(pairs.draw, pairs.size_bytes).where(_is_of(stratum))
    return [Held(row.draw, row.size_bytes) for row in (await connection.execute(query)).all()]


async def _strata(connection: AsyncConnection, stratum: Stratum) -> int:
    pairs = recorded_pairs.c
    known = (
        sa.select(pairs.route, pairs.status_class)
        .where(pairs.domain == stratum[0], pairs.stores == stratum[1])
        .distinct()
    )
    found = {(row.route, row.status_class) for row in (await connection.execute(known)).all()}
    return len(found | {(stratum[2], stratum[3])})
