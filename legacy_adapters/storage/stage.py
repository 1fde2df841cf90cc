"""The stage, and what of the streams' books others ask for."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.mapping.aggregates import AggregateKey, AggregateRows
from legacy_adapters.mapping.landing import Emptied, Landing, Mark
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.membership import Membership
from legacy_adapters.mapping.rows import Row, Table, key_text
from legacy_adapters.mapping.versions import Side, Version
from legacy_adapters.ports.stage import Checkpoint, Parked, Rogue, Waiting
from legacy_adapters.storage.stage_reading import staged
from legacy_adapters.storage.stage_rows import StageRows
from legacy_adapters.storage.stage_taking import Taking, bury_older
from legacy_adapters.storage.streams_lists import (
    mark_dirty,
    owner_here,
    read_checkpoint,
    read_parked,
    read_rogues,
)
from legacy_adapters.storage.streams_sessions import Sessions, lock_kinds, microseconds
from new_core.ports.clock import Clock

_LOG = logging.getLogger(__name__)
_FORWARD = stream_from(Side.LEGACY)
_WAITING = """
SELECT COALESCE(SUM(is_dirty), 0), COALESCE(SUM(1 - is_dirty), 0), MIN(position) FROM (
    SELECT 1 AS is_dirty, position FROM mig_dirty WHERE stream = :stream AND domain = :domain
    UNION ALL
    SELECT 0, p.position FROM mig_parked AS p
    WHERE p.stream = :stream AND p.domain = :domain AND NOT EXISTS (
        SELECT 1 FROM mig_dirty AS d
        WHERE d.stream = p.stream AND d.kind = p.kind AND d.key = p.key)
) AS waiting"""
_STILL = """
SELECT d.kind, d.key FROM {given} JOIN mig_dirty AS d
    ON d.stream = :stream AND d.kind = given.kind AND d.key = given.key"""
_SETTLE = """
UPDATE mig_rogue SET settled_us = :now WHERE domain = :domain AND settled_us IS NULL"""


class SqlStage:
    """The stage in the core's database. Shared by all tasks of a process."""

    def __init__(
        self, engine: AsyncEngine, homes: Membership, domains: Mapping[str, str], now: Clock
    ) -> None:
        """Begin without connections.

        Args:
            engine: of the core's database.
            homes: of the legacy's tables.
            domains: of each kind.
            now: the clock.
        """
        self._sessions = Sessions(engine)
        self._homes = homes
        self._domains = domains
        self._now = now

    async def deliver(self, table: Table, rows: Sequence[Row], version: Version) -> int:
        return await self._take(table, [(key_text(table, row), row) for row in rows], version)

    async def bury(self, table: Table, keys: Collection[str], version: Version) -> int:
        return await self._take(table, [(key, None) for key in sorted(keys)], version)

    async def _take(
        self, table: Table, rows: Sequence[tuple[str, Row | None]], version: Version
    ) -> int:
        home = self._homes[table.name]
        async with self._sessions.writing() as bulk:
            # Before the owner is read, so that whoever waits here reads it as it is then.
            await lock_kinds(bulk, [home.kind])
            owner = await owner_here(bulk, _FORWARD, home.domain)
            landings = [
                Landing(table.name, key, row, None, version, owner is not False)
                for key, row in rows
            ]
            taken = await Taking(StageRows(bulk), self._homes).take(landings)
            await mark_dirty(bulk, _FORWARD, self._domains, taken.marks.values(), self._now())
        return taken.count

    async def sweep(self, table: Table, older: Version) -> int:
        home = self._homes[table.name]
        async with self._sessions.writing() as bulk:
            await lock_kinds(bulk, [home.kind])
            owner = await owner_here(bulk, _FORWARD, home.domain)
            gone = Emptied(table.name, older, owner is not False)
            taken = await bury_older(StageRows(bulk), self._homes, gone)
            await mark_dirty(bulk, _FORWARD, self._domains, taken.marks.values(), self._now())
        return taken.count

    async def rows(self, keys: Collection[AggregateKey]) -> Mapping[AggregateKey, AggregateRows]:
        async with self._sessions.reading() as bulk:
            found = await staged(StageRows(bulk), self._homes, keys)
        return {
            key: one.rows
            for key, one in found.items()
            if any(self._homes[table].depth == 0 for table in one.rows)
        }

    async def keys(self, kind: str, after: str, size: int) -> Sequence[str]:
        """The next keys of a kind's staged aggregates, ascending as text."""
        async with self._sessions.reading() as bulk:
            return await StageRows(bulk).keys(kind, after, size)

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        async with self._sessions.reading() as bulk:
            return await read_checkpoint(bulk, stream)

    async def waiting(self, stream: str, domain: str) -> Waiting:
        async with self._sessions.reading() as bulk:
            found = await bulk.plain(_WAITING, stream=stream, domain=domain)
            dirty, parked, oldest = found.one()
        return Waiting(int(dirty), int(parked), oldest)

    async def still_waiting(
        self, stream: str, keys: Collection[AggregateKey]
    ) -> frozenset[AggregateKey]:
        if not keys:
            return frozenset()
        async with self._sessions.reading() as bulk:
            found = await bulk.run(
                _STILL, "kind key", [(one.kind, one.key) for one in keys], stream=stream
            )
            return frozenset(AggregateKey(kind, key) for kind, key in found)

    async def touch(self, stream: str, keys: Collection[AggregateKey], reason: str) -> int:
        """As the port says. Nothing is touched while the stream's side does not own the domain:
        what it would carry across is not the owner's.
        """
        now, marks = self._now(), list[Mark]()
        async with self._sessions.writing() as bulk:
            owns = {
                domain: await owner_here(bulk, stream, domain)
                for domain in sorted({self._domains[one.kind] for one in keys})
            }
            checkpoint = await read_checkpoint(bulk, stream)
            if checkpoint is None:
                return 0
            for key in sorted(keys):
                domain = self._domains[key.kind]
                if owns[domain]:
                    term = checkpoint.terms[domain][1]
                    marks.append(Mark(key, Version(term, checkpoint.position.order)))
            await mark_dirty(bulk, stream, self._domains, marks, now)
        _LOG.info("%d aggregates of %s are taken across anew: %s", len(marks), stream, reason)
        return len(marks)

    async def parked(self, limit: int) -> Sequence[Parked]:
        async with self._sessions.reading() as bulk:
            return await read_parked(bulk, limit)

    async def rogues(self, limit: int) -> Sequence[Rogue]:
        async with self._sessions.reading() as bulk:
            return await read_rogues(bulk, limit)

    async def settle_rogues(self, domain: str) -> int:
        async with self._sessions.writing() as bulk:
            settled = await bulk.plain(_SETTLE, now=microseconds(self._now()), domain=domain)
            return int(settled.rowcount)
