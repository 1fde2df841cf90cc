"""The stage's two tables, row by row and many at once, within one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.membership import RowName
from legacy_adapters.mapping.versions import Version
from legacy_adapters.storage.stage_sql import Bulk

_HELD = """
SELECT s.tbl, s.pk, s.key, s.link, s.term, s.position, s.is_deleted
FROM {given} JOIN mig_stage AS s ON s.tbl = given.tbl AND s.pk = given.pk"""
_HANGING = """
SELECT s.tbl, s.pk, s.key, s.link, s.term, s.position, s.is_deleted
FROM {given} JOIN mig_stage AS s ON s.tbl = given.tbl AND s.link = given.link"""
_CLAIMED_BY = """
SELECT c.tbl, c.pk, c.by_tbl, c.by_pk
FROM {given} JOIN mig_claim AS c ON c.by_tbl = given.tbl AND c.by_pk = given.pk"""
_CLAIMS_ON = """
SELECT c.tbl, c.pk, c.by_tbl, c.by_pk
FROM {given} JOIN mig_claim AS c ON c.tbl = given.tbl AND c.pk = given.pk"""
_CLAIM = """
INSERT INTO mig_claim (tbl, pk, by_tbl, by_pk)
SELECT tbl, pk, by_tbl, by_pk FROM {given} WHERE true ON CONFLICT DO NOTHING"""
_UNCLAIM = """
DELETE FROM mig_claim WHERE (tbl, pk, by_tbl, by_pk) IN (
    SELECT tbl, pk, by_tbl, by_pk FROM {given})"""
_PUT = """
INSERT INTO mig_stage (tbl, pk, kind, key, link, row, term, position, is_deleted)
SELECT tbl, pk, kind, key, link, row, term, position, is_deleted FROM {given} WHERE true
ON CONFLICT (tbl, pk) DO UPDATE SET
    key = excluded.key, link = excluded.link, row = excluded.row, term = excluded.term,
    position = excluded.position, is_deleted = excluded.is_deleted
WHERE (mig_stage.term, mig_stage.position) < (excluded.term, excluded.position)"""
_REKEY = """
UPDATE mig_stage SET key = given.key
FROM {given} WHERE mig_stage.tbl = given.tbl AND mig_stage.pk = given.pk"""
_EMPTIED = """
INSERT INTO mig_emptied (tbl, term, position) VALUES (:tbl, :term, :position)
ON CONFLICT (tbl) DO UPDATE SET term = excluded.term, position = excluded.position"""
_FLOORS = "SELECT tbl, term, position FROM mig_emptied"
_AGGREGATES = """
SELECT s.tbl, s.pk, s.kind, s.key, s.row, s.term, s.position, s.is_deleted
FROM {given} JOIN mig_stage AS s ON s.kind = given.kind AND s.key = given.key"""
_EXPECT = """
INSERT INTO mig_stage (tbl, pk, kind, key, link, row, term, position, is_deleted)
SELECT tbl, pk, kind, key, link, NULL, 0, 0, true FROM {given} WHERE true
ON CONFLICT (tbl, pk) DO NOTHING"""
_KEYS = """
SELECT DISTINCT key FROM mig_stage
WHERE kind = :kind AND key > :after ORDER BY key LIMIT :size"""
_OLDER = """
SELECT pk FROM mig_stage
WHERE tbl = :tbl AND NOT is_deleted AND (term, position) < (:term, :position) LIMIT :size"""

Claim = tuple[str, str, str, str]
"""A row and the row that points at it: table and key of each."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the stage has of a row, without its cells."""

    key: str | None
    link: str | None
    version: Version
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it is to stand in the stage; `text` is None for a tombstone."""

    name: RowName
    kind: str
    key: str | None
    link: str | None
    text: str | None
    version: Version


class StageRows:
    """Reads and writes the stage in the caller's transaction."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    async def held(self, names: Collection[RowName]) -> dict[RowName, Held]:
        """What is there of these rows."""
        return await self._held(_HELD, "tbl pk", names) if names else {}

    async def hanging(self, on: Collection[RowName]) -> dict[RowName, Held]:
        """Rows of a table that name such a key: (their table, the key that they name)."""
        return await self._held(_HANGING, "tbl link", on) if on else {}

    async def _held(
        self, statement: str, columns: str, names: Iterable[RowName]
    ) -> dict[RowName, Held]:
        found = await self._bulk.run(statement, columns, names)
        return {
            (tbl, pk): Held(key, link, Version(term, position), bool(is_deleted))
            for tbl, pk, key, link, term, position, is_deleted in found
        }

    async def claimed_by(self, names: Collection[RowName]) -> set[Claim]:
        """What these rows point at."""
        return await self._claims(_CLAIMED_BY, names)

    async def claims_on(self, names: Collection[RowName]) -> set[Claim]:
        """Who points at these rows."""
        return await self._claims(_CLAIMS_ON, names)

    async def _claims(self, statement: str, names: Collection[RowName]) -> set[Claim]:
        if not names:
            return set()
        return {tuple(one) for one in await self._bulk.run(statement, "tbl pk", names)}

    async def claim(self, add: Collection[Claim], drop: Collection[Claim]) -> None:
        """Change who points at what."""
        columns = "tbl pk by_tbl by_pk"
        if drop:
            await self._bulk.run(_UNCLAIM, columns, sorted(drop))
        if add:
            await self._bulk.run(_CLAIM, columns, sorted(add))

    async def put(self, entries: Sequence[Entry]) -> None:
        """Write rows over older ones."""
        if entries:
            rows = [
                (*one.name, one.kind, one.key, one.link, one.text,
                 one.version.term, one.version.order, one.text is None)
                for one in entries
            ]  # fmt: skip
            columns = "tbl pk kind key link row term position is_deleted"
            await self._bulk.run(_PUT, columns, rows)

    async def rekey(self, keys: Mapping[RowName, str | None]) -> None:
        """Say whose these rows are."""
        if keys:
            rows = [(tbl, pk, key) for (tbl, pk), key in sorted(keys.items())]
            await self._bulk.run(_REKEY, "tbl pk key", rows)

    async def note_emptied(self, table: str, version: Version) -> None:
        """Rows of a table that are older than this are gone, whoever still delivers them."""
        await self._bulk.plain(_EMPTIED, tbl=table, term=version.term, position=version.order)

    async def floors(self) -> Mapping[str, Version]:
        """When tables were last emptied."""
        return {
            tbl: Version(term, position) for tbl, term, position in await self._bulk.plain(_FLOORS)
        }

    async def of(self, keys: Collection[AggregateKey]) -> Mapping[AggregateKey, list[Any]]:
        """(table, key, text, version, is_deleted) of each row of aggregates."""
        rows = defaultdict(list)
        if keys:
            given = [(one.kind, one.key) for one in keys]
            for tbl, pk, kind, key, text, term, position, is_deleted in await self._bulk.run(
                _AGGREGATES, "kind key", given
            ):
                version = Version(term, position)
                rows[AggregateKey(kind, key)].append((tbl, pk, text, version, bool(is_deleted)))
        return rows

    async def expect(self, entries: Sequence[Entry]) -> None:
        """Note rows that may soon be there, so that they are known when they must go again."""
        if entries:
            rows = [(*one.name, one.kind, one.key, one.link) for one in entries]
            await self._bulk.run(_EXPECT, "tbl pk kind key link", rows)

    async def keys(self, kind: str, after: str, size: int) -> list[str]:
        """Keys of a kind's aggregates as text, ascending."""
        found = await self._bulk.plain(_KEYS, kind=kind, after=after, size=size)
        return [str(key) for (key,) in found]

    async def older(self, table: str, version: Version, size: int) -> list[str]:
        """Keys of a table's rows that are there, and older than a version."""
        found = await self._bulk.plain(
            _OLDER, tbl=table, term=version.term, position=version.order, size=size
        )
        return [str(pk) for (pk,) in found]
