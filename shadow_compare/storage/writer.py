"""Stores batches: everything of one batch in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shadow_compare.core.batch import Batch, Checkpoint, Finding, Judged
from shadow_compare.core.fingerprint import crowd
from shadow_compare.core.reservoir import LAST, slots_for
from shadow_compare.core.text import short, storable
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.storage import tables, tally
from shadow_compare.storage.books import store_books
from shadow_compare.storage.done import forget_old, only_new, remember, wait_for_turn
from shadow_compare.storage.packing import pack
from shadow_compare.storage.pairs import PairKeeper, prune_pairs
from shadow_compare.storage.rule_uses import store_rule_uses
from shadow_compare.storage.upsert import add, put, put_new

GROUPS_PER_EPOCH = 1_000
KEEP_TREND_S = 30 * 24 * 3600
PRUNE_EVERY_S = 3600
PATTERNS_LIMIT = 50


class SqlEvidenceWriter:
    """Implements ports.EvidenceWriter. One task uses it at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._pruned_s = 0.0
        self._pairs = PairKeeper()

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        runs = tables.runs.c
        query = sa.select(runs.run, runs.segment, runs.position)
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        except (SQLAlchemyError, OSError) as exc:
            raise EvidenceUnavailable(f"cannot read the checkpoints: {exc}") from exc
        return {row.run: Checkpoint(row.segment, row.position) for row in rows}

    async def commit(self, batch: Batch) -> Batch:
        try:
            async with self._engine.begin() as connection:
                await wait_for_turn(connection)
                new, before = await only_new(connection, batch)
                await self._store(connection, new)
                await remember(connection, new, before)
                return new
        except (SQLAlchemyError, OSError) as exc:
            self._pairs.forget()
            raise EvidenceUnavailable(f"cannot store the evidence: {exc}") from exc

    async def _store(self, connection: AsyncConnection, batch: Batch) -> None:
        await _store_epochs(connection, batch)
        await add(connection, tables.totals, tally.totals(batch.judged))
        await add(connection, tables.tallies, tally.tallies(batch.judged))
        await add(connection, tables.latencies, tally.latencies(batch.judged))
        await add(connection, tables.noise, tally.noise(batch.judged))
        await _store_groups(connection, batch)
        await self._pairs.store(connection, batch)
        await store_rule_uses(connection, batch)
        await store_books(connection, batch)
        if batch.at_s - self._pruned_s >= PRUNE_EVERY_S:
            await _prune(connection, batch.at_s - KEEP_TREND_S)
            await prune_pairs(connection, batch)
            await forget_old(connection, batch.at_s)
            self._pruned_s = batch.at_s


async def _store_epochs(connection: AsyncConnection, batch: Batch) -> None:
    rows = [
        {
            "domain": epoch.domain,
            "key": epoch.key,
            "rules": epoch.rules,
            "stores": epoch.stores,
            "since_s": epoch.since_s,
        }
        for epoch in batch.epochs
    ]
    await put_new(connection, tables.epochs, rows)
    current = [
        {"domain": epoch.domain, "epoch": epoch.key, "heartbeat_s": batch.at_s}
        for epoch in batch.epochs
    ]
    await put(connection, tables.domains, current)


async def _store_groups(connection: AsyncConnection, batch: Batch) -> None:
    found = [(one, one.finding) for one in batch.judged if one.finding is not None]
    if not found:
        return
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
        _join(groups, key, one, finding)
        for slot in slots_for(one.run, one.seq, counts[key]):
            examples[(*key, slot)] = _example(key, slot, one, finding)
    await _store_group_rows(connection, list(groups.values()))
    packed = [{**row, "exchange": pack(row["exchange"])} for row in examples.values()]
    await put(connection, tables.examples, packed)


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


async def _prune(connection: AsyncConnection, before_s: float) -> None:
    for table in (tables.tallies, tables.latencies):
        await connection.execute(sa.delete(table).where(table.c.at_s < int(before_s)))
