"""What a batch adds to mismatch groups."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.batch import Batch, Finding, Judged
from shadow_compare.core.fingerprint import crowd
from shadow_compare.core.groups import HOUR_S, HOURS, SLOT_S
from shadow_compare.core.life import Act, State, moved
from shadow_compare.core.reservoir import LAST, slots_for
from shadow_compare.core.stake import Stake
from shadow_compare.core.text import short, storable
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage import group_tables, lives, tables
from shadow_compare.storage.packing import pack
from shadow_compare.storage.upsert import add, put, put_new

GROUPS_PER_EPOCH = 1_000
PATTERNS_LIMIT = 50
SWEEP_EVERY_S = 60
_COMPARED = (Outcome.MATCH, Outcome.ACCEPTED, Outcome.MISMATCH)

Hit = tuple[Judged, Finding]


class GroupsWriter:
    """Stores the groups' part of each batch, in the batch's own transaction."""

    def __init__(self) -> None:
        self._swept_s = 0.0

    async def store(self, connection: AsyncConnection, batch: Batch) -> None:
        """Add a batch. The rows of `totals` must hold it already."""
        await _store_exposures(connection, batch.judged)
        hits = await _store_groups(connection, batch)
        if hits:
            await _store_aspects(connection, hits)
            await _store_lives(connection, hits)
        if batch.at_s - self._swept_s >= SWEEP_EVERY_S:
            await lives.sweep(connection, batch.at_s)
            old = group_tables.hits.c.at_s < int(batch.at_s) - (HOURS + 1) * HOUR_S
            await connection.execute(sa.delete(group_tables.hits).where(old))
            self._swept_s = batch.at_s


async def _store_exposures(connection: AsyncConnection, judged: Sequence[Judged]) -> None:
    counts = Counter(
        (one.domain, storable(one.route)) for one in judged if one.outcome in _COMPARED
    )
    rows = [{"domain": at[0], "route": at[1], "compared": count} for at, count in counts.items()]
    await add(connection, group_tables.exposures, rows)


async def _store_groups(connection: AsyncConnection, batch: Batch) -> list[Hit]:
    """Count each mismatch into its group. Returns them as they were counted."""
    found = [(one, one.finding) for one in batch.judged if one.finding is not None]
    if not found:
        return []
    hits: list[Hit] = []
    counts = await _counts(connection, {finding.fingerprint for _, finding in found})
    room = await _room(connection, {one.domain for one, _ in found})
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    examples: dict[tuple[str, str, int], dict[str, Any]] = {}
    for one, own in found:
        finding = own
        if (own.fingerprint, one.epoch) not in counts:
            place = (one.domain, one.epoch)
            room[place] = room.get(place, GROUPS_PER_EPOCH) - 1
            if room[place] < 0:
                finding = crowd(one.domain, one.route, own)
        key = (finding.fingerprint, one.epoch)
        if key not in counts and finding is not own:
            counts |= await _counts(connection, {finding.fingerprint})
        counts[key] = counts.get(key, 0) + 1
        hits.append((one, finding))
        _join(groups, key, one, finding)
        for slot in slots_for(one.run, one.seq, counts[key]):
            examples[(*key, slot)] = _example(key, slot, one, finding)
    await _store_group_rows(connection, list(groups.values()))
    packed = [{**row, "exchange": pack(row["exchange"])} for row in examples.values()]
    await put(connection, tables.examples, packed)
    return hits


def _join(
    groups: dict[tuple[str, str], dict[str, Any]],
    key: tuple[str, str],
    one: Judged,
    finding: Finding,
) -> None:
    patterns = [short(pattern, 500) for pattern in finding.patterns[:PATTERNS_LIMIT]]
    row = groups.setdefault(
        key,
        {
            "fingerprint": key[0],
            "epoch": key[1],
            "domain": one.domain,
            "route": storable(one.route),
            "title": short(finding.title, 500),
            "patterns": json.dumps(patterns),
            "mismatches": 0,
            "first_seen_s": one.at_s,
            "last_seen_s": one.at_s,
            "legacy_release": short(finding.releases[0], 200),
            "core_release": short(finding.releases[1], 200),
        },
    )
    row["mismatches"] += 1
    row["first_seen_s"] = min(row["first_seen_s"], one.at_s)
    row["last_seen_s"] = max(row["last_seen_s"], one.at_s)


def _example(key: tuple[str, str], slot: int, one: Judged, finding: Finding) -> dict[str, Any]:
    return {
        "fingerprint": key[0],
        "epoch": key[1],
        "slot": min(slot, LAST),
        "run": one.run,
        "seq": one.seq,
        "at_s": one.at_s,
        "exchange": finding.example,
    }


async def _store_group_rows(connection: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    """Counts and last sighting are brought forward; what a group is called stays."""
    for row in rows:
        groups = tables.groups.c
        same = (groups.fingerprint == row["fingerprint"]) & (groups.epoch == row["epoch"])
        last = sa.case(
            (groups.last_seen_s < row["last_seen_s"], row["last_seen_s"]),
            else_=groups.last_seen_s,
        )
        changed = await connection.execute(
            sa.update(tables.groups)
            .where(same)
            .values(mismatches=groups.mismatches + row["mismatches"], last_seen_s=last)
        )
        if changed.rowcount == 0:
            await put_new(connection, tables.groups, [row])


async def _counts(
    connection: AsyncConnection, fingerprints: set[str]
) -> dict[tuple[str, str], int]:
    groups = tables.groups.c
    query = sa.select(groups.fingerprint, groups.epoch, groups.mismatches).where(
        groups.fingerprint.in_(sorted(fingerprints))
    )
    rows = (await connection.execute(query)).all()
    return {(row.fingerprint, row.epoch): row.mismatches for row in rows}


async def _room(connection: AsyncConnection, domains: set[str]) -> dict[tuple[str, str], int]:
    """How many groups more each epoch may hold, so that no answer can fill the disk."""
    groups = tables.groups.c
    query = (
        sa.select(groups.domain, groups.epoch, sa.func.count())
        .where(groups.domain.in_(sorted(domains)))
        .group_by(groups.domain, groups.epoch)
    )
    rows = (await connection.execute(query)).all()
    return {(domain, epoch): GROUPS_PER_EPOCH - count for domain, epoch, count in rows}


async def _store_aspects(connection: AsyncConnection, hits: Sequence[Hit]) -> None:
    """When, by whom answered, about how much money, and with which single differences."""
    slots: Counter[tuple[str, int]] = Counter()
    cohorts: Counter[tuple[str, str, str]] = Counter()
    stakes: dict[tuple[str, str, str], Stake] = {}
    signatures: set[tuple[str, str]] = set()
    for one, finding in hits:
        name = finding.fingerprint
        slots[name, int(one.at_s) // SLOT_S * SLOT_S] += 1
        cohorts[name, one.epoch, finding.example.live_side] += 1
        signatures |= {(name, signature) for signature in finding.signatures[:PATTERNS_LIMIT]}
        if finding.stake is not None:
            key = (name, one.epoch, finding.stake.currency)
            stakes[key] = stakes[key] + finding.stake if key in stakes else finding.stake
    await add(
        connection,
        group_tables.hits,
        [{"fingerprint": at[0], "at_s": at[1], "mismatches": n} for at, n in slots.items()],
    )
    await add(
        connection,
        group_tables.cohorts,
        [
            {"fingerprint": at[0], "epoch": at[1], "cohort": at[2], "mismatches": n}
            for at, n in cohorts.items()
        ],
    )
    rows = [_stake_row(key, stake) for key, stake in stakes.items()]
    await add(connection, group_tables.stakes, rows)
    named = [{"fingerprint": name, "signature": of} for name, of in sorted(signatures)]
    await put_new(connection, group_tables.signatures, named)


def _stake_row(key: tuple[str, str, str], stake: Stake) -> dict[str, Any]:
    return {
        "fingerprint": key[0],
        "epoch": key[1],
        "currency": key[2],
        "affected_minor": stake.affected_minor,
        "over_minor": stake.over_minor,
        "under_minor": stake.under_minor,
        "exchanges": stake.exchanges,
        "compared": stake.compared,
    }


@dataclass(slots=True)
class _Seen:
    """What a batch saw of one group."""

    domain: str
    route: str
    epoch: str
    releases: tuple[str, str]
    times: list[float] = field(default_factory=list)


async def _store_lives(connection: AsyncConnection, hits: Sequence[Hit]) -> None:
    """Let new groups begin, bring forward what their closing is reckoned from, and re-open.

    1. a person calls a group fixed, now; 2. the comparer judges exchanges that shoppers
    made before that, still in the spool; 3. those are no regression: only what was answered
    after the group was fixed re-opens it.
    """
    seen: dict[str, _Seen] = {}
    for one, finding in hits:
        name = finding.fingerprint
        blank = _Seen(one.domain, storable(one.route), one.epoch, finding.releases)
        seen.setdefault(name, blank).times.append(one.at_s)
    compared = await _exposures(connection, {of.domain for of in seen.values()})
    before = await _before_epochs(connection, seen.values(), compared)
    fresh = [
        {
            "fingerprint": name,
            "domain": of.domain,
            "route": of.route,
            "state": State.NEW.value,
            "since_s": min(of.times),
            "epoch": of.epoch,
            "hits": 0,
            "compared_from": before.get((of.domain, of.route, of.epoch), 0),
            "compared_last": 0,
        }
        for name, of in sorted(seen.items())
    ]
    await lives.make(connection, fresh)
    for name, row in (await lives.locked(connection, seen)).items():
        of = seen[name]
        start = before.get((of.domain, of.route, of.epoch), 0)
        life = lives.life_of(row)
        # A group that was closed for being quiet was not quiet if any of it was under way.
        later = [at_s for at_s in of.times if at_s > life.since_s or not life.by]
        is_back = life.state is State.FIXED and bool(later)
        await _count_hits(
            connection, row, of, (start, compared.get((of.domain, of.route), 0)), anew=is_back
        )
        if is_back:
            after = moved(life, Act.HIT, _regression_note(of, later), max(later))
            await lives.move(connection, name, life, after, Act.HIT)


def _regression_note(of: _Seen, later: Sequence[float]) -> str:
    times = "once" if len(later) == 1 else f"{len(later):,} times"
    releases = ", ".join(
        f"{side} {release}"
        for side, release in zip(("legacy", "core"), of.releases, strict=True)
        if release
    )
    return f"seen again, {times} at first" + (f", with {releases}" if releases else "")


async def _count_hits(
    connection: AsyncConnection,
    row: sa.Row[Any],
    of: _Seen,
    compared: tuple[int, int],
    *,
    anew: bool,
) -> None:
    """A group's rate is that of the epoch it was last seen in, or since it came back."""
    start, now = compared
    values = {"hits": row.hits + len(of.times), "compared_last": now, "epoch": of.epoch}
    if anew:
        values |= {"hits": len(of.times), "compared_from": row.compared_last}
    elif row.epoch != of.epoch:
        values |= {"hits": len(of.times), "compared_from": start}
    own = group_tables.lives.c.fingerprint == row.fingerprint
    await connection.execute(sa.update(group_tables.lives).where(own).values(**values))


async def _exposures(connection: AsyncConnection, domains: set[str]) -> dict[tuple[str, str], int]:
    exposures = group_tables.exposures
    query = sa.select(exposures).where(exposures.c.domain.in_(sorted(domains)))
    rows = (await connection.execute(query)).all()
    return {(row.domain, row.route): row.compared for row in rows}


async def _before_epochs(
    connection: AsyncConnection,
    seen: Iterable[_Seen],
    compared: dict[tuple[str, str], int],
) -> dict[tuple[str, str, str], int]:
    """A route's exposures when each of these epochs began."""
    totals = tables.totals.c
    query = sa.select(
        totals.domain,
        totals.route,
        totals.epoch,
        (totals.matched + totals.accepted + totals.mismatched).label("own"),
    ).where(totals.epoch.in_(sorted({of.epoch for of in seen})))
    return {
        (row.domain, row.route, row.epoch): max(
            0, compared.get((row.domain, row.route), 0) - int(row.own)
        )
        for row in (await connection.execute(query)).all()
    }
