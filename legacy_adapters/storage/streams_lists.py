"""Checkpoints, and the lists of what is dirty, parked or rogue, within one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.landing import Mark, Terms
from legacy_adapters.mapping.versions import Position, Version
from legacy_adapters.ports.stage import Checkpoint, Parked, Rogue
from legacy_adapters.storage.stage_sql import Bulk
from legacy_adapters.storage.streams_sessions import microseconds, moment_of
from legacy_adapters.storage.tables.streams import checkpoint

_CHECKPOINT = sa.select(checkpoint).where(checkpoint.c.stream == sa.bindparam("stream"))
_TERMS = "SELECT terms FROM mig_checkpoint WHERE stream = :stream"
_MARKED = "kind key domain term position name"
_MARK = """
INSERT INTO mig_dirty (stream, kind, key, domain, term, position, name,
                       marks, first_us, tries, not_before_us)
SELECT :stream, kind, key, domain, term, position, name, 1, :now, 0, 0 FROM {given} WHERE true
ON CONFLICT (stream, kind, key) DO UPDATE SET
    term = CASE WHEN (excluded.term, excluded.position) > (mig_dirty.term, mig_dirty.position)
        THEN excluded.term ELSE mig_dirty.term END,
    position = CASE WHEN (excluded.term, excluded.position) > (mig_dirty.term, mig_dirty.position)
        THEN excluded.position ELSE mig_dirty.position END,
    name = CASE WHEN excluded.name = '' THEN mig_dirty.name ELSE excluded.name END,
    marks = mig_dirty.marks + 1, tries = 0, not_before_us = 0"""
_LATE = """
INSERT INTO mig_late (stream, kind, key, domain, term, position, name)
SELECT :stream, kind, key, domain, term, position, name FROM {given} WHERE true
ON CONFLICT (stream, kind, key) DO UPDATE SET
    term = excluded.term, position = excluded.position, name = excluded.name"""
_LATE_ONES = """
SELECT kind, key, term, position, name FROM mig_late
WHERE stream = :stream AND domain = :domain"""
_NO_LATE_ONES = "DELETE FROM mig_late WHERE stream = :stream AND domain = :domain"
_PARKED = """
SELECT stream, domain, kind, key, reason, since_us FROM mig_parked
ORDER BY since_us, stream, kind, key LIMIT :limit"""
_ROGUES = """
SELECT side, domain, tbl, pk, at_us FROM mig_rogue
WHERE settled_us IS NULL ORDER BY id DESC LIMIT :limit"""


async def read_checkpoint(bulk: Bulk, stream: str) -> Checkpoint | None:
    """How far a stream is; None when it never ran."""
    found = (await bulk.connection.execute(_CHECKPOINT, {"stream": stream})).mappings()
    row = found.one_or_none()
    if row is None:
        return None
    return Checkpoint(
        stream,
        Position(row["position"], row["token"]),
        load_terms(row["terms"]),
        row["source_at"],
        row["moved_at"],
        row["problem"],
        row["lag_ms"],
        row["beat_at"],
    )


async def owner_here(bulk: Bulk, stream: str, domain: str) -> bool | None:
    """Whether the stream's source owns a domain, as far as the stream has read; None before it
    ever ran. It stays so to the end of the transaction: the stream moves on after it alone.
    """
    lock = "" if bulk.is_sqlite else " FOR SHARE"
    text = (await bulk.plain(_TERMS + lock, stream=stream)).scalar_one_or_none()
    if text is None:
        return None
    owner, _ = load_terms(text).get(domain, ("", 0))
    return owner == stream.partition(">")[0]


async def mark_dirty(
    bulk: Bulk,
    stream: str,
    domains: Mapping[str, str],
    marks: Collection[Mark],
    now: datetime,
) -> None:
    """Note aggregates that are to be taken across; what failed before is tried at once."""
    if not marks:
        return
    rows = _given(domains, marks)
    await bulk.run(_MARK, _MARKED, rows, stream=stream, now=microseconds(now))


async def note_late(
    bulk: Bulk, stream: str, domains: Mapping[str, str], marks: Collection[Mark]
) -> None:
    """Note aggregates that are to be taken across once the stream's side owns them.

    1. The owner's gate is closed for a flip, 2. somebody looks at a basket, and oscar makes one
    in a table that has no fence, 3. the flip is given up, and the same side owns on. Nobody
    would write that basket again, and the other side would never get it.
    """
    if marks:
        rows = _given(domains, marks)
        await bulk.run(_LATE, _MARKED, rows, stream=stream)


async def mark_late_ones(bulk: Bulk, stream: str, domain: str, now: datetime) -> None:
    """The stream's side owns the domain: what it wrote meanwhile is to be taken across."""
    found = await bulk.plain(_LATE_ONES, stream=stream, domain=domain)
    marks = [
        Mark(AggregateKey(kind, key), Version(term, position), name)
        for kind, key, term, position, name in found
    ]
    await mark_dirty(bulk, stream, {one.key.kind: domain for one in marks}, marks, now)
    await bulk.plain(_NO_LATE_ONES, stream=stream, domain=domain)


def _given(domains: Mapping[str, str], marks: Collection[Mark]) -> list[tuple[Any, ...]]:
    return [
        (one.key.kind, one.key.key, domains[one.key.kind],
         one.version.term, one.version.order, one.name)
        for one in sorted(marks, key=lambda one: one.key)
    ]  # fmt: skip


async def read_parked(bulk: Bulk, limit: int) -> Sequence[Parked]:
    """Oldest first."""
    found = await bulk.plain(_PARKED, limit=limit)
    return [
        Parked(stream, domain, AggregateKey(kind, key), reason, moment_of(since))
        for stream, domain, kind, key, reason, since in found
    ]


async def read_rogues(bulk: Bulk, limit: int) -> Sequence[Rogue]:
    """Newest first."""
    found = await bulk.plain(_ROGUES, limit=limit)
    return [Rogue(side, domain, tbl, pk, moment_of(at)) for side, domain, tbl, pk, at in found]


def load_terms(text: str) -> Terms:
    """What `dump_terms` wrote."""
    found: dict[str, Any] = json.loads(text)
    return {domain: (str(owner), int(term)) for domain, (owner, term) in found.items()}


def dump_terms(terms: Terms) -> str:
    """As JSON text."""
    return json.dumps({domain: list(one) for domain, one in sorted(terms.items())})
