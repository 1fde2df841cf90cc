"""The streams' books in the core's database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.errors import TakenOver
from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.landing import Dirty, Landing, Staged, Step
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.membership import Membership
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import NEVER, Side, Version
from legacy_adapters.ports.stage import Checkpoint
from legacy_adapters.ports.streams import Failed
from legacy_adapters.storage.cowrites import note_cowrites
from legacy_adapters.storage.stage_reading import staged
from legacy_adapters.storage.stage_rows import Entry, StageRows
from legacy_adapters.storage.stage_sql import Bulk
from legacy_adapters.storage.stage_taking import Taking, bury_older
from legacy_adapters.storage.streams_definitions import SqlDefinitions
from legacy_adapters.storage.streams_lists import (
    dump_terms,
    mark_dirty,
    mark_late_ones,
    note_late,
    read_checkpoint,
)
from legacy_adapters.storage.streams_sessions import lock_kinds, microseconds
from legacy_adapters.storage.tables.streams import checkpoint
from new_core.ports import UnitOfWork
from new_core.storage import connection_of

_AT = checkpoint.c
_DIRTY = """
SELECT * FROM (
    SELECT kind, key, term, position, name, marks, tries FROM mig_dirty
    WHERE stream = :stream AND kind = '{kind}' AND not_before_us <= :now
    ORDER BY position LIMIT :limit
) AS {kind}_dirty"""
_IS_CLEAR = """
SELECT NOT EXISTS (SELECT 1 FROM mig_dirty WHERE stream = :stream AND domain = :domain)
   AND NOT EXISTS (SELECT 1 FROM mig_parked WHERE stream = :stream AND domain = :domain)"""
_CLEAN = """
DELETE FROM mig_dirty WHERE stream = :stream
    AND (kind, key, marks) IN (SELECT kind, key, marks FROM {given})"""
_UNPARK = """
DELETE FROM mig_parked WHERE stream = :stream
    AND (kind, key) IN (SELECT kind, key FROM {given})"""
_PROGRESS = """
INSERT INTO mig_progress (stream, domain, position, applied, failed, applied_at)
VALUES (:stream, :domain, :position, :applied, :failed, :at)
ON CONFLICT (stream, domain) DO UPDATE SET
    position = CASE WHEN excluded.position > mig_progress.position
        THEN excluded.position ELSE mig_progress.position END,
    applied = mig_progress.applied + excluded.applied,
    failed = mig_progress.failed + excluded.failed,
    applied_at = CASE WHEN excluded.applied > 0
        THEN excluded.applied_at ELSE mig_progress.applied_at END"""
_PUT_OFF = """
UPDATE mig_dirty SET tries = mig_dirty.tries + 1, not_before_us = :now + given.wait_us
FROM {given} WHERE mig_dirty.stream = :stream AND mig_dirty.kind = given.kind
    AND mig_dirty.key = given.key AND mig_dirty.marks = given.marks"""
_PARK = """
INSERT INTO mig_parked (stream, kind, key, domain, reason, is_waiting,
                        term, position, since_us, tried_us)
SELECT :stream, kind, key, :domain, reason, is_waiting, term, position, :now, :now
FROM {given} WHERE true
ON CONFLICT (stream, kind, key) DO UPDATE SET
    reason = excluded.reason, is_waiting = excluded.is_waiting, term = excluded.term,
    position = excluded.position, tried_us = excluded.tried_us"""
_ROUSE = """
INSERT INTO mig_dirty (stream, kind, key, domain, term, position, name,
                       marks, first_us, tries, not_before_us)
SELECT stream, kind, key, domain, term, position, '', 1, :now, :tries, 0 FROM mig_parked
WHERE stream = :stream AND domain = :domain AND tried_us < :before AND (is_waiting OR :everything)
    AND NOT EXISTS (SELECT 1 FROM mig_dirty AS d WHERE d.stream = mig_parked.stream
                    AND d.kind = mig_parked.kind AND d.key = mig_parked.key)
ORDER BY tried_us LIMIT :limit
ON CONFLICT DO NOTHING"""
_ROGUE = """
INSERT INTO mig_rogue (side, domain, tbl, pk, position, at_us)
SELECT :side, domain, tbl, pk, position, :now FROM {given} WHERE true"""
_FORGET = (
    "DELETE FROM mig_checkpoint WHERE stream = :stream",
    "DELETE FROM mig_dirty WHERE stream = :stream",
    "DELETE FROM mig_late WHERE stream = :stream",
    "DELETE FROM mig_parked WHERE stream = :stream",
    "DELETE FROM mig_definition WHERE stream = :stream",
)
LAST_TRY = 1_000
"""As many tries as are never left: what is roused is parked again if it fails once."""


class SqlBooks(SqlDefinitions):
    """Shared by all tasks of a process."""

    def __init__(
        self, engine: AsyncEngine, homes: Membership, kinds: Mapping[str, Sequence[str]]
    ) -> None:
        """Begin without connections.

        Args:
            engine: of the core's database.
            homes: of the legacy's tables.
            kinds: of each domain, in the order in which they are applied.
        """
        super().__init__(engine)
        self._homes = homes
        self._domains = {kind: domain for domain, some in kinds.items() for kind in some}
        self._dirty = {
            domain: " UNION ALL ".join(_DIRTY.replace("{kind}", kind) for kind in some)
            for domain, some in kinds.items()
        }
        self._order = {kind: at for some in kinds.values() for at, kind in enumerate(some)}

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        async with self._sessions.reading() as bulk:
            return await read_checkpoint(bulk, stream)

    async def advance(self, step: Step, now: datetime) -> int:
        landings = _emptied_since(step)
        tables = {one.table for one in landings} | {one.table for one in step.emptied}
        kinds = {self._homes[table].kind for table in tables}
        async with self._sessions.writing() as bulk:
            await lock_kinds(bulk, kinds)
            await _move(bulk, step, now)
            rows, marks = StageRows(bulk), {one.key: one for one in step.marks}
            if landings:
                marks |= (await Taking(rows, self._homes).take(landings)).marks
            for one in step.emptied:
                await rows.note_emptied(one.table, one.version)
                marks |= (await bury_older(rows, self._homes, one)).marks
            late = [one for one in marks.values() if one.is_late]
            live = [one for one in marks.values() if not one.is_late]
            await mark_dirty(bulk, step.stream, self._domains, live, now)
            await note_late(bulk, step.stream, self._domains, late)
            for domain in sorted(step.regained):
                await mark_late_ones(bulk, step.stream, domain, now)
            if step.stream == stream_from(Side.LEGACY):
                await note_cowrites(bulk.connection, step.wrote)
            if step.rogues:
                found = [(one.domain, one.table, one.key, one.order) for one in step.rogues]
                side, columns = step.stream.partition(">")[0], "domain tbl pk position"
                await bulk.run(_ROGUE, columns, found, side=side, now=microseconds(now))
        return len(marks)

    async def forget(self, stream: str) -> None:
        async with self._sessions.writing() as bulk:
            for statement in _FORGET:
                await bulk.plain(statement, stream=stream)

    async def say(self, stream: str, problem: str) -> None:
        await self._change(sa.update(checkpoint).values(problem=problem), stream)

    async def beaten(self, stream: str, sent_at: datetime, lag_ms: float) -> None:
        await self._change(sa.update(checkpoint).values(beat_at=sent_at, lag_ms=lag_ms), stream)

    async def _change(self, statement: sa.Update, stream: str) -> None:
        async with self._sessions.writing() as bulk:
            await bulk.connection.execute(statement.where(_AT.stream == stream))

    async def dirty(self, stream: str, domain: str, limit: int, now: datetime) -> Sequence[Dirty]:
        async with self._sessions.reading() as bulk:
            found = await bulk.plain(
                self._dirty[domain], stream=stream, now=microseconds(now), limit=limit
            )
            waiting = [
                Dirty(AggregateKey(kind, key), Version(term, position), name, marks, tries)
                for kind, key, term, position, name, marks, tries in found
            ]
        waiting.sort(key=lambda one: (self._order[one.key.kind], one.version.order))
        return waiting[:limit]

    async def is_clear(self, stream: str, domain: str) -> bool:
        async with self._sessions.reading() as bulk:
            found = await bulk.plain(_IS_CLEAR, stream=stream, domain=domain)
            return bool(found.scalar_one())

    async def applied(self, stream: str, domain: str, done: Sequence[Dirty], now: datetime) -> None:
        async with self._sessions.writing() as bulk:
            await _note_applied(bulk, stream, domain, done, now)

    async def applied_in(
        self, uow: UnitOfWork, stream: str, domain: str, done: Sequence[Dirty], now: datetime
    ) -> None:
        await _note_applied(Bulk(connection_of(uow)), stream, domain, done, now)

    async def failed(self, stream: str, domain: str, some: Sequence[Failed], now: datetime) -> None:
        later = [
            (*_name(one.dirty), one.dirty.marks, int(one.wait_s * 1_000_000))
            for one in some
            if one.wait_s is not None
        ]
        parked = [one for one in some if one.wait_s is None]
        now_us = microseconds(now)
        async with self._sessions.writing() as bulk:
            if later:
                columns = "kind key marks wait_us"
                await bulk.run(_PUT_OFF, columns, later, stream=stream, now=now_us)
            if parked:
                rows = [
                    (*_name(one.dirty), one.reason, one.is_waiting,
                     one.dirty.version.term, one.dirty.version.order)
                    for one in parked
                ]  # fmt: skip
                columns = "kind key reason is_waiting term position"
                await bulk.run(_PARK, columns, rows, stream=stream, domain=domain, now=now_us)
                await _clean(bulk, stream, [one.dirty for one in parked])
            await _note_progress(bulk, stream, domain, (0, 0, len(some)), now)

    async def rouse(
        self, stream: str, domain: str, before: datetime, limit: int, *, everything: bool
    ) -> int:
        async with self._sessions.writing() as bulk:
            roused = await bulk.plain(
                _ROUSE, stream=stream, domain=domain, now=microseconds(before),
                before=microseconds(before), everything=everything, limit=limit, tries=LAST_TRY,
            )  # fmt: skip
            return int(roused.rowcount)

    async def staged(
        self, uow: UnitOfWork | None, keys: Collection[AggregateKey]
    ) -> Mapping[AggregateKey, Staged]:
        async with self._inside(uow) as bulk:
            return await staged(StageRows(bulk), self._homes, keys)

    async def expect_in(
        self, uow: UnitOfWork, key: AggregateKey, rows: Mapping[Table, Sequence[str]]
    ) -> None:
        entries = [
            Entry((table.name, pk), key.kind, key.key, None, None, NEVER)
            for table, keys in rows.items()
            for pk in keys
        ]
        await StageRows(Bulk(connection_of(uow))).expect(entries)

    @asynccontextmanager
    async def _inside(self, uow: UnitOfWork | None) -> AsyncIterator[Bulk]:
        if uow is not None:
            yield Bulk(connection_of(uow))
            return
        async with self._sessions.reading() as bulk:
            yield bulk


def _emptied_since(step: Step) -> tuple[Landing, ...]:
    """Rows that came before their table was emptied are gone when it was."""
    emptied = {one.table: one for one in step.emptied}
    if not emptied:
        return step.landings
    return tuple(
        replace(one, row=None, before=one.row or one.before, version=emptied[one.table].version)
        if one.table in emptied and one.version < emptied[one.table].version
        else one
        for one in step.landings
    )


async def _move(bulk: Bulk, step: Step, now: datetime) -> None:
    """Move the checkpoint from where the reader saw it.

    1. A reader is cut off and another one starts, 2. the first comes back, 3. both have read
    the same batch. The condition lets one of them through; the other finds no row and stops.
    """
    values = {
        "position": step.position.order,
        "token": step.position.token,
        "terms": dump_terms(step.terms),
        "source_at": step.source_at,
        "moved_at": now,
    }
    if step.expected is None:
        found = await read_checkpoint(bulk, step.stream)
        if found is not None:
            raise TakenOver(f"stream {step.stream} was begun by another process")
        fresh = {"stream": step.stream, "problem": "", "lag_ms": None, "beat_at": None}
        await bulk.connection.execute(sa.insert(checkpoint).values(**values, **fresh))
        return
    moved = await bulk.connection.execute(
        sa.update(checkpoint)
        .where(
            _AT.stream == step.stream,
            _AT.position == step.expected.order,
            _AT.token == step.expected.token,
        )
        .values(**values)
    )
    if moved.rowcount != 1:
        raise TakenOver(f"stream {step.stream} was moved on by another process")


async def _note_applied(
    bulk: Bulk, stream: str, domain: str, done: Sequence[Dirty], now: datetime
) -> None:
    if not done:
        return
    await _clean(bulk, stream, done)
    await bulk.run(_UNPARK, "kind key", [_name(one) for one in done], stream=stream)
    newest = max(one.version.order for one in done)
    await _note_progress(bulk, stream, domain, (newest, len(done), 0), now)


async def _note_progress(
    bulk: Bulk, stream: str, domain: str, counts: tuple[int, int, int], now: datetime
) -> None:
    position, applied, failed = counts
    statement = sa.text(_PROGRESS).bindparams(sa.bindparam("at", type_=checkpoint.c.moved_at.type))
    await bulk.connection.execute(
        statement,
        {"stream": stream, "domain": domain, "position": position,
         "applied": applied, "failed": failed, "at": now},
    )  # fmt: skip


async def _clean(bulk: Bulk, stream: str, done: Sequence[Dirty]) -> None:
    rows = [(*_name(one), one.marks) for one in done]
    await bulk.run(_CLEAN, "kind key marks", rows, stream=stream)


def _name(one: Dirty) -> tuple[str, str]:
    return one.key.kind, one.key.key
