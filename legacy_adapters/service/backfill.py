"""Copies a legacy catalogue into the core: paged, resumable, as often as you like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from legacy_adapters.errors import BackfillBusy, LegacyUnreadable
from legacy_adapters.ports import CatalogSource, Entry, Kind, Progress
from legacy_adapters.service.apply import PageWriter, Written
from legacy_adapters.service.compare import Comparison
from legacy_adapters.service.report import SHOWN, Report
from new_core.domain.catalog import Structure
from new_core.domain.identity import ExternalRef
from new_core.errors import CursorMoved, InvalidValue
from new_core.ports import Clock, Database, ImportCursor, UnitOfWork

Use = Callable[[UnitOfWork, PageWriter], Awaitable[Written]]


class Backfill:
    """One run. Each page is one transaction with its place in the legacy, so that a run that
    was killed goes on after the last page that was committed, and none is half there.
    """

    def __init__(
        self,
        source: CatalogSource,
        database: Database,
        now: Clock,
        progress: Progress,
        page_size: int = 500,
    ) -> None:
        self._source = source
        self._database = database
        self._now = now
        self._progress = progress
        self._page_size = page_size
        self._done = Written()

    async def run(self, *, restart: bool = False) -> Report:
        """Copy everything, remove what vanished, compare.

        Args:
            restart: begin at the first row even when an earlier run was stopped half-way.

        Raises:
            BackfillBusy: another run moved on meanwhile; this one's last page was undone.
            LegacyUnreadable: the legacy has no products though the core has some of it.
            LegacyUnavailable, StoreUnavailable: no answer; start again to go on.
        """
        started = self._now()
        await self._refuse_empty_legacy()
        cursors = await self._cursors(restart=restart)
        resumed = any(one.position or one.finished for one in cursors.values())
        counts = {kind: await self._source.count(kind) for kind in Kind}
        finished = sum(counts[kind] for kind, one in cursors.items() if one.finished)
        self._progress.begin("copying", sum(counts.values()), finished)
        try:
            for kind in Kind:
                await self._copy(kind, cursors[kind])
        except CursorMoved as exc:
            raise BackfillBusy(f"another backfill of {self._source.system} is running") from exc
        await self._remove_vanished()
        check = await Comparison(
            self._source, self._database, self._now, self._progress, self._page_size
        ).run()
        async with self._database.reading() as uow:
            parked = await uow.imports.parked(self._source.system, SHOWN)
        return Report(
            resumed=resumed,
            written=self._done.written,
            unchanged=self._done.unchanged,
            removed=self._done.removed,
            parked=parked,
            parked_count=sum(one.parked for one in check.entities),
            check=check,
            elapsed_s=(self._now() - started).total_seconds(),
        )

    async def _refuse_empty_legacy(self) -> None:
        """An empty legacy is a wrong address far more often than a shop that sells nothing."""
        products = [await self._source.count(kind) for kind in (Kind.PRODUCT, Kind.VARIANT)]
        if any(products):
            return
        async with self._database.reading() as uow:
            known = await uow.refs.page(self._source.system, "product", "", 1)
        if known:
            raise LegacyUnreadable(
                "the legacy has no products, but the core has some of it; is the address right?"
            )

    async def _cursors(self, *, restart: bool) -> dict[Kind, ImportCursor]:
        """Where to start: after the last page of a stopped run, else at the first row."""
        async with self._database.writing() as uow:
            seen = {kind: await uow.imports.cursor(self._stream(kind)) for kind in Kind}
            known = [one for one in seen.values() if one is not None]
            stopped = known and not all(one.finished for one in known)
            if stopped and not restart and len(known) == len(seen):
                return {kind: one for kind, one in seen.items() if one is not None}
            fresh = {kind: ImportCursor(self._stream(kind), "", finished=False) for kind in Kind}
            for kind in Kind:
                await uow.imports.move_cursor(seen[kind], fresh[kind], self._now())
            await uow.commit()
        return fresh

    def _stream(self, kind: Kind) -> str:
        return f"{self._source.system}/catalog/{kind}"

    async def _copy(self, kind: Kind, cursor: ImportCursor) -> None:
        if cursor.finished:
            return
        while page := await self._source.page(kind, cursor.position, self._page_size):
            to = ImportCursor(cursor.stream, page[-1].position, finished=False)
            self._done.add(await self._write_page(kind, page, cursor, to))
            cursor = to
            self._progress.advance(len(page))
        end = ImportCursor(cursor.stream, cursor.position, finished=True)
        async with self._database.writing() as uow:
            await uow.imports.move_cursor(cursor, end, self._now())
            await uow.commit()

    async def _write_page(
        self, kind: Kind, page: Sequence[Entry], seen: ImportCursor, to: ImportCursor
    ) -> Written:
        async def whole(uow: UnitOfWork, writer: PageWriter) -> Written:
            counts = await writer.write(uow, kind, page)
            await uow.imports.move_cursor(seen, to, self._now())
            return counts

        try:
            return await self._in_transaction(whole)
        except InvalidValue:
            return await self._write_one_by_one(kind, page, seen, to)

    async def _write_one_by_one(
        self, kind: Kind, page: Sequence[Entry], seen: ImportCursor, to: ImportCursor
    ) -> Written:
        """Find the rows that break a rule of the core's tables; park them, take the rest.

        The cursor moves last: killed in between, the page is written once more, and what was
        written before is found unchanged.
        """
        counts = Written()
        for entry in page:
            try:
                counts.add(await self._in_transaction(_writing(kind, entry)))
            except InvalidValue as exc:
                counts.add(await self._in_transaction(_parking(kind, entry, str(exc))))
        async with self._database.writing() as uow:
            await uow.imports.move_cursor(seen, to, self._now())
            await uow.commit()
        return counts

    async def _in_transaction(self, use: Use) -> Written:
        async with self._database.writing() as uow:
            counts = await use(uow, PageWriter(self._source.system, self._now()))
            await uow.commit()
        return counts

    async def _remove_vanished(self) -> None:
        """Delete from the core what the legacy no longer has; its reference stays as a
        tombstone. Variants go before the products that gather them, deep categories first.
        """
        for variants in (True, False):
            await self._sweep(Kind.PRODUCT, only_variants=variants)
        for kind in (Kind.WAREHOUSE, Kind.CATEGORY, Kind.ATTRIBUTE, Kind.PRODUCT_TYPE, Kind.OPTION):
            await self._sweep(kind)
        for kind in Kind:
            await self._forget_parked(kind)

    async def _sweep(self, kind: Kind, *, only_variants: bool = False) -> None:
        after = ""
        while True:
            async with self._database.reading() as uow:
                refs = await uow.refs.page(
                    self._source.system, kind.entity_type, after, self._page_size
                )
            if not refs:
                return
            after = refs[-1].external_id
            there = await self._source.present(kind, [one.external_id for one in refs])
            gone = [one for one in refs if one.external_id not in there]
            if gone:
                self._done.add(await self._remove(kind, gone, only_variants=only_variants))

    async def _remove(
        self, kind: Kind, gone: Sequence[ExternalRef], *, only_variants: bool
    ) -> Written:
        counts = Written()
        for ref in await self._in_order(kind, gone, only_variants=only_variants):
            try:
                counts.add(await self._in_transaction(_removing(kind, ref, self._now())))
            except InvalidValue:
                reason = "is gone from the legacy, but something in the core still needs it"
                entry_id = ref.external_id
                counts.add(await self._in_transaction(_parking_id(kind, entry_id, reason)))
        return counts

    async def _in_order(
        self, kind: Kind, gone: Sequence[ExternalRef], *, only_variants: bool
    ) -> list[ExternalRef]:
        async with self._database.reading() as uow:
            if kind is Kind.CATEGORY:
                categories = (await uow.catalog.reference()).categories
                depth = {one.id: len(one.path) for one in categories.values()}
                return sorted(gone, key=lambda one: -depth.get(one.internal_id, 0))
            if not only_variants:
                return list(gone)
            stored = await uow.catalog.products([one.internal_id for one in gone])
        return [
            one
            for one in gone
            if one.internal_id in stored
            and stored[one.internal_id].value.structure is Structure.VARIANT
        ]

    async def _forget_parked(self, kind: Kind) -> None:
        """Unpark rows that are gone from the legacy and were never, or are no longer, here."""
        system = self._source.system
        async with self._database.reading() as uow:
            parked = await uow.imports.parked_ids(system, kind.entity_type)
            kept = await uow.refs.internal(system, kind.entity_type, parked)
        there = await self._source.present(kind, parked)
        gone = parked - there - kept.keys()
        if gone:
            async with self._database.writing() as uow:
                await uow.imports.unpark(system, kind.entity_type, gone)
                await uow.commit()


def _writing(kind: Kind, entry: Entry) -> Use:
    return lambda uow, writer: writer.write(uow, kind, [entry])


def _parking(kind: Kind, entry: Entry, reason: str) -> Use:
    return _parking_id(kind, entry.external_id, reason)


def _parking_id(kind: Kind, external_id: str, reason: str) -> Use:
    return lambda uow, writer: writer.park(uow, kind, external_id, reason)


def _removing(kind: Kind, ref: ExternalRef, now: datetime) -> Use:
    async def remove(uow: UnitOfWork, _writer: PageWriter) -> Written:
        ids: list[UUID] = [ref.internal_id]
        parts: list[UUID] = []
        if kind is Kind.PRODUCT:
            stored = await uow.catalog.products(ids)
            parts += [asset.id for one in stored.values() for asset in one.value.assets]
            lines = await uow.stock.lines(ids)
            parts += [line.level.value.id for some in lines.values() for line in some]
        await uow.catalog.delete(kind.entity_type, ids)
        await uow.refs.bury(ref.system, [*ids, *parts], now)
        return Written(removed=1)

    return remove
