"""How the tables of a source were declared, and how the domains of a stream stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.mapping.landing import Terms
from legacy_adapters.ports.stage import Waiting
from legacy_adapters.ports.streams import Altered, Standing
from legacy_adapters.storage.streams_sessions import Sessions
from legacy_adapters.storage.tables.streams import progress

_DECLARE = """
INSERT INTO mig_definition (stream, tbl, fingerprint, altered)
SELECT :stream, tbl, fingerprint, '' FROM {given} WHERE true ON CONFLICT DO NOTHING"""
_DEFINED = "SELECT tbl, fingerprint, altered FROM mig_definition WHERE stream = :stream"
_ALTER = """
UPDATE mig_definition SET altered = given.altered
FROM {given} WHERE mig_definition.stream = :stream AND mig_definition.tbl = given.tbl"""
_ACCEPT = """
UPDATE mig_definition SET fingerprint = altered, altered = ''
WHERE stream = :stream AND tbl = :tbl AND altered <> ''"""
_COUNTS = """
SELECT
    (SELECT COUNT(*) FROM mig_dirty WHERE stream = :stream AND domain = :domain),
    (SELECT COUNT(*) FROM mig_parked AS p WHERE stream = :stream AND domain = :domain
        AND NOT EXISTS (SELECT 1 FROM mig_dirty AS d
            WHERE d.stream = p.stream AND d.kind = p.kind AND d.key = p.key)),
    (SELECT MIN(position) FROM mig_dirty WHERE stream = :stream AND domain = :domain),
    (SELECT COUNT(*) FROM mig_rogue
        WHERE side = :side AND domain = :domain AND settled_us IS NULL)"""
_NOTHING: dict[str, Any] = {"applied": 0, "failed": 0, "applied_at": None, "position": 0}
GONE = "gone"
"""Stands for the fingerprint of a table that is not there any more."""


class SqlDefinitions:
    """The part of the books that changes seldom."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = Sessions(engine)

    async def declare(self, stream: str, fingerprints: Mapping[str, str]) -> None:
        async with self._sessions.writing() as bulk:
            found = sorted(fingerprints.items())
            if found:
                await bulk.run(_DECLARE, "tbl fingerprint", found, stream=stream)

    async def altered(
        self, stream: str, fingerprints: Mapping[str, str] | None
    ) -> Sequence[Altered]:
        async with self._sessions.reading() as bulk:
            known = list(await bulk.plain(_DEFINED, stream=stream))
        if fingerprints is None:
            return [Altered(*one) for one in known if one[2]]
        seen = {tbl: fingerprints.get(tbl, GONE) for tbl, _, _ in known}
        differing = [
            Altered(tbl, declared, seen[tbl]) for tbl, declared, _ in known if seen[tbl] != declared
        ]
        now = {one.table: one.seen for one in differing}
        news = [(tbl, now.get(tbl, "")) for tbl, _, noted in known if noted != now.get(tbl, "")]
        if news:
            async with self._sessions.writing() as bulk:
                await bulk.run(_ALTER, "tbl altered", sorted(news), stream=stream)
        return differing

    async def accept(self, stream: str, table: str) -> bool:
        async with self._sessions.writing() as bulk:
            changed = await bulk.plain(_ACCEPT, stream=stream, tbl=table)
            return bool(changed.rowcount)

    async def standings(
        self, stream: str, domains: Sequence[str], terms: Terms
    ) -> Sequence[Standing]:
        side, standings = stream.partition(">")[0], []
        async with self._sessions.reading() as bulk:
            found = await bulk.connection.execute(
                sa.select(progress).where(progress.c.stream == stream)
            )
            done = {row["domain"]: dict(row) for row in found.mappings()}
            for domain in domains:
                owner, term = terms.get(domain, ("", 0))
                counted = await bulk.plain(_COUNTS, stream=stream, domain=domain, side=side)
                dirty, parked, oldest, rogues = counted.one()
                row = done.get(domain)
                waiting = Waiting(dirty, parked, oldest)
                row = done.get(domain, _NOTHING)
                standings.append(
                    Standing(
                        domain, owner, term, waiting, row["applied"], row["failed"],
                        row["applied_at"], row["position"], rogues,
                    )
                )  # fmt: skip
        return standings
