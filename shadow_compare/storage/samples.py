"""Counts samples: each once, however often its frame comes, in the batch's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.batch import Judged
from shadow_compare.core.parity import StratumCounts
from shadow_compare.core.sampling import (
    KEYS,
    MEMORY,
    Remembered,
    Served,
    Sighting,
    Stratum,
    add_up,
    stratum_key,
)
from shadow_compare.core.text import storable
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage import tables
from shadow_compare.storage.strata_tables import samples, strata
from shadow_compare.storage.tally import Added
from shadow_compare.storage.upsert import put, put_new

KEEP_EPOCH_S = 30 * 24 * 3600
_COMPARED = (Outcome.MATCH, Outcome.ACCEPTED, Outcome.MISMATCH)
_KEYS_AT_ONCE = 1_000


class Place(NamedTuple):
    """A stratum of one epoch of one domain."""

    domain: str
    epoch: str
    stratum: Stratum


async def store_samples(
    connection: AsyncConnection, judged: Iterable[Judged], memory: int = MEMORY
) -> Added:
    """Bring the strata forward and return what is new.

    Two comparers may share a database. 1. either locks the rows of its strata, in one
    order; 2. it reads what is remembered of its samples; 3. it counts those that are new.
    The other one waits at 1, so at 2 it sees what the first one counted.

    Args:
        connection: in a transaction that is the batch's.
        judged: the batch's frames; those without a sample or a verdict count for nothing.
        memory: samples to remember of one stratum at most.
    """
    seen = _by_place(judged)
    if not seen:
        return {}
    await put_new(connection, strata, [_new_row(place) for place in sorted(seen)])
    rows = {place: row for place, row in (await _rows(connection, seen)).items() if place in seen}
    known = await _known(connection, seen, rows)
    added: dict[tuple[str, str, str], tuple[int, int]] = {}
    remembered: list[dict[str, Any]] = []
    for place, (last_s, sightings) in seen.items():
        number, row = stratum_key(*place), rows[place]
        counted = add_up(sightings, known.get(number, {}), row["below"])
        remembered += [
            {
                "stratum": number,
                "sample": key,
                "request": kept.request,
                "is_unequal": kept.is_unequal,
            }
            for key, kept in counted.changed.items()
        ]
        row["compared"] += len(sightings)
        row["mismatched"] += sum(sighting.is_unequal for sighting in sightings)
        row["samples"] += counted.samples
        row["unequal"] += counted.unequal
        row["remembered"] += counted.samples
        row["last_s"] = max(row["last_s"], last_s)
        key = (place.domain, place.epoch, place.stratum.route)
        before = added.get(key, (0, 0))
        added[key] = before[0] + counted.samples, before[1] + counted.unequal
    await put(connection, samples, remembered)
    for place, row in rows.items():
        await _thin(connection, stratum_key(*place), row, memory)
    await put(connection, strata, list(rows.values()))
    return added


def _by_place(judged: Iterable[Judged]) -> dict[Place, tuple[float, list[Sighting]]]:
    """Each stratum's sightings in order, and the moment of the last of them."""
    found: dict[tuple[str, str, Stratum], list[Judged]] = {}
    for one in judged:
        if one.sample is not None and one.outcome in _COMPARED:
            found.setdefault((one.domain, one.epoch, one.sample.stratum), []).append(one)
    seen: dict[Place, tuple[float, list[Sighting]]] = {}
    for (domain, epoch, stratum), alike in found.items():
        place = Place(domain, epoch, stratum._replace(route=storable(stratum.route)))
        last_s, sightings = seen.get(place, (alike[0].at_s, []))
        sightings += [
            Sighting(one.sample, one.outcome is Outcome.MISMATCH)
            for one in alike
            if one.sample is not None
        ]
        seen[place] = max(last_s, *(one.at_s for one in alike)), sightings
    return seen


def _new_row(place: Place) -> dict[str, Any]:
    stratum = place.stratum
    return {
        "domain": place.domain,
        "epoch": place.epoch,
        "route": stratum.route,
        "served": stratum.served.value,
        "status_class": stratum.status_class,
        "below": KEYS - 1,
        "last_s": 0.0,
    }


async def _rows(
    connection: AsyncConnection, places: Iterable[Place]
) -> dict[Place, dict[str, Any]]:
    """The strata's rows, locked until the transaction ends."""
    query = (
        sa.select(strata)
        .where(strata.c.epoch.in_(sorted({place.epoch for place in places})))
        .order_by(*strata.primary_key.columns)
        .with_for_update()
    )
    rows = (await connection.execute(query)).all()
    return {Place(row.domain, row.epoch, _stratum(row)): dict(row._mapping) for row in rows}


async def _known(
    connection: AsyncConnection,
    seen: Mapping[Place, tuple[float, list[Sighting]]],
    rows: Mapping[Place, Mapping[str, Any]],
) -> dict[int, dict[int, Remembered]]:
    """What is remembered of these samples, by stratum and key."""
    known: dict[int, dict[int, Remembered]] = {}
    found = samples.c
    for place, (_, sightings) in seen.items():
        number, below = stratum_key(*place), rows[place]["below"]
        wanted = sorted({one.sample.key for one in sightings if one.sample.key < below})
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            keys = wanted[start : start + _KEYS_AT_ONCE]
            query = sa.select(found.sample, found.request, found.is_unequal).where(
                found.stratum == number, found.sample.in_(keys)
            )
            for key, request, is_unequal in (await connection.execute(query)).all():
                known.setdefault(number, {})[key] = Remembered(request, is_unequal)
    return known


async def _thin(connection: AsyncConnection, number: int, row: dict[str, Any], memory: int) -> None:
    """Let go of every other sample while too many are remembered.

    What was counted stays counted. A key that is let go is not counted again: it lies
    above the threshold from now on, and so do half of the keys that are yet to come.
    """
    while row["remembered"] > memory:
        row["below"] //= 2
        gone = (samples.c.stratum == number) & (samples.c.sample >= row["below"])
        row["remembered"] -= (await connection.execute(sa.delete(samples).where(gone))).rowcount


async def forget_epochs(connection: AsyncConnection, before_s: float) -> None:
    """Let go of what no current epoch was compared in since then, samples and counts."""
    found = strata.c
    current = (tables.domains.c.domain == found.domain) & (tables.domains.c.epoch == found.epoch)
    query = (
        sa.select(found.domain, found.epoch)
        .where(~sa.exists().where(current))
        .group_by(found.domain, found.epoch)
        .having(sa.func.max(found.last_s) < before_s)
    )
    for old in (await connection.execute(query)).all():
        is_old = (found.domain == old.domain) & (found.epoch == old.epoch)
        rows = (await connection.execute(sa.select(strata).where(is_old))).all()
        numbers = [stratum_key(row.domain, row.epoch, _stratum(row)) for row in rows]
        await connection.execute(sa.delete(samples).where(samples.c.stratum.in_(numbers)))
        await connection.execute(sa.delete(strata).where(is_old))
        totals = tables.totals.c
        same = (totals.domain == old.domain) & (totals.epoch == old.epoch)
        await connection.execute(sa.update(tables.totals).where(same).values(samples=0, unequal=0))


async def read_strata(
    connection: AsyncConnection, epochs: Iterable[tuple[str, str]]
) -> dict[str, dict[Stratum, StratumCounts]]:
    """Every stratum of one epoch of each domain, by domain; `epochs` are (domain, epoch)."""
    query = sa.select(strata).where(sa.tuple_(strata.c.domain, strata.c.epoch).in_(sorted(epochs)))
    found: dict[str, dict[Stratum, StratumCounts]] = {}
    for row in (await connection.execute(query)).all():
        counts = StratumCounts(row.compared, row.mismatched, row.samples, row.unequal)
        found.setdefault(row.domain, {})[_stratum(row)] = counts
    return found


def _stratum(row: sa.Row[Any]) -> Stratum:
    return Stratum(row.route, Served(row.served), row.status_class)
