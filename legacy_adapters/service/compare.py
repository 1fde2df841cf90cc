"""Compares map(legacy) with what the core reads back from its tables."""

from __future__ import annotations

from collections.abc import Sequence

from legacy_adapters.ports import CatalogSource, Entry, Kind, Progress, Readable
from legacy_adapters.service.apply import PageWriter
from legacy_adapters.service.digests import Part, mapped_digests, stored_digests
from legacy_adapters.service.report import Check, EntityCheck, Total
from new_core.ports import Clock, Database

ROUNDS = 3
"""How often a shop that sells meanwhile is compared before a difference counts."""

_ENTITIES = (
    "option", "product_type", "attribute", "category", "warehouse", "product", "stock_level",
)  # fmt: skip


class Comparison:
    """The comparison at the end of a backfill.

    1. A row is copied, 2. the shop sells one, 3. the row is compared and differs, though the
    copy was right. So a differing row whose legacy side is not the one that was copied is
    copied again, once per round; one that was copied as it is and still differs is a finding.
    """

    def __init__(
        self,
        source: CatalogSource,
        database: Database,
        now: Clock,
        progress: Progress,
        page_size: int,
    ) -> None:
        self._source = source
        self._database = database
        self._now = now
        self._progress = progress
        self._page_size = page_size
        self._recopied = 0

    async def run(self) -> Check:
        """Compare, and again while the shop is seen to change, ROUNDS times at most."""
        check = await self._round()
        for _ in range(ROUNDS - 1):
            rows_agree = all(one.equal for one in check.entities)
            if check.equal or not (rows_agree or self._recopied):
                break
            check = await self._round()
        return check

    async def _round(self) -> Check:
        counts = [await self._source.count(kind) for kind in Kind]
        self._progress.begin("comparing", sum(counts), 0)
        checks = {name: EntityCheck(name) for name in _ENTITIES}
        for kind in Kind:
            await self._compare_kind(kind, checks)
        await self._count(checks)
        return Check(tuple(checks.values()), await self._totals(), self._recopied)

    async def _compare_kind(self, kind: Kind, checks: dict[str, EntityCheck]) -> None:
        position = ""
        while page := await self._source.page(kind, position, self._page_size):
            position = page[-1].position
            expected, stored = await self._both(kind, page)
            if expected != stored and await self._recopy(kind, page, expected):
                page = await self._source.some(kind, [one.external_id for one in page])
                expected, stored = await self._both(kind, page)
            for part in expected.keys() | stored.keys():
                _note(checks[part[0]], part[1], expected.get(part), stored.get(part))
            self._progress.advance(len(page))

    async def _both(
        self, kind: Kind, page: Sequence[Entry]
    ) -> tuple[dict[Part, str], dict[Part, str]]:
        """Digests of a page as mapped and as stored, without parked rows."""
        system = self._source.system
        async with self._database.reading() as uow:
            parked = await uow.imports.parked_ids(system, kind.entity_type)
            expected: dict[Part, str] = {}
            ids: list[str] = []
            for entry in page:
                if entry.external_id in parked:
                    continue
                ids.append(entry.external_id)
                if isinstance(entry.outcome, Readable):
                    record = entry.outcome.record
                    expected |= mapped_digests(kind, entry.external_id, record)
                else:
                    # Broke since it was copied: not parked yet, so it must show up.
                    expected[kind.entity_type, entry.external_id] = entry.outcome.reason
            return expected, await stored_digests(uow, system, kind, ids)

    async def _recopy(self, kind: Kind, page: Sequence[Entry], expected: dict[Part, str]) -> bool:
        """Copy a page again if its rows are not those that were copied."""
        system = self._source.system
        async with self._database.writing() as uow:
            copied: dict[Part, str] = {}
            for entity in {part[0] for part in expected}:
                ids = [part[1] for part in expected if part[0] == entity]
                refs = await uow.refs.internal(system, entity, ids)
                copied |= {(entity, key): ref.checksum for key, ref in refs.items()}
            changed = sum(copied.get(part) != digest for part, digest in expected.items())
            if not changed:
                return False
            await PageWriter(system, self._now()).write(uow, kind, page)
            await uow.commit()
        self._recopied += changed
        return True

    async def _count(self, checks: dict[str, EntityCheck]) -> None:
        """Replace the core's counts by those its database gives, rows without a pair included."""
        async with self._database.reading() as uow:
            counts = await uow.imports.counts(self._source.system)
            for name, check in checks.items():
                parked = await uow.imports.parked_ids(self._source.system, name)
                check.parked = len(parked)
                if name != "stock_level":
                    check.core = counts[name]

    async def _totals(self) -> tuple[Total, ...]:
        system = self._source.system
        async with self._database.reading() as uow:
            parked = await uow.imports.parked_ids(system, "product")
            core = await uow.imports.totals(system)
        legacy = await self._source.totals(parked)
        return tuple(Total(name, legacy[name], core[name]) for name in legacy)


def _note(check: EntityCheck, external_id: str, expected: str | None, stored: str | None) -> None:
    if expected is not None:
        check.legacy += 1
        check.legacy_sum += _number(expected)
    if stored is not None:
        check.core += 1
        check.core_sum += _number(stored)
    if expected != stored:
        check.differs(external_id)


def _number(digest: str) -> int:
    """A digest as a summand; the reason of a row that broke meanwhile sums as nothing."""
    try:
        return int(digest[:32], 16)
    except ValueError:
        return 0
