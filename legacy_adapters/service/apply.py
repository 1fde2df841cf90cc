"""Writes one page of mapped rows into the core, changing only what differs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from legacy_adapters.ports import Entry, Kind, ProductRecord, Readable, Supply, Unreadable
from legacy_adapters.service.digests import record_digest, supply_digest
from new_core.domain.identity import ExternalRef
from new_core.ports import Parked, UnitOfWork


@dataclass(slots=True)
class Written:
    """What became of a page.

    Attributes:
        parked: rows that the core could not take.
    """

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    parked: list[Parked] = field(default_factory=list)

    def add(self, other: Written) -> None:
        """Count another page in."""
        self.written += other.written
        self.unchanged += other.unchanged
        self.removed += other.removed
        self.parked += other.parked


class PageWriter:
    """Writes pages of one system within the caller's transaction."""

    def __init__(self, system: str, now: datetime) -> None:
        self._system = system
        self._now = now

    async def write(self, uow: UnitOfWork, kind: Kind, page: Sequence[Entry]) -> Written:
        """Take over what can be read and has what it needs; park the rest."""
        accepted, parked = await self._sort_out(uow, kind, page)
        ids = [one.external_id for one in accepted]
        await uow.imports.unpark(self._system, kind.entity_type, ids)
        await uow.imports.park(parked, self._now)
        counts = Written(parked=parked)
        counts.add(await self._write_changed(uow, kind, accepted))
        records = [cast("Readable", one.outcome).record for one in accepted]
        products = [one for one in records if isinstance(one, ProductRecord)]
        if products:
            counts.add(await self._write_supplies(uow, products))
        return counts

    async def park(self, uow: UnitOfWork, kind: Kind, external_id: str, reason: str) -> Written:
        """Park one row."""
        parked = Parked(self._system, kind.entity_type, external_id, reason)
        await uow.imports.park([parked], self._now)
        return Written(parked=[parked])

    async def _sort_out(
        self, uow: UnitOfWork, kind: Kind, page: Sequence[Entry]
    ) -> tuple[list[Entry], list[Parked]]:
        """Rows come in an order in which what they need stands in the core or before them."""
        readable = [one.outcome for one in page if isinstance(one.outcome, Readable)]
        needed = {need.internal_id for one in readable for need in one.needs}
        there = set(await uow.refs.external(self._system, needed))
        accepted: list[Entry] = []
        parked: list[Parked] = []
        for entry in page:
            reason = _refusal(entry, there)
            if reason is None and isinstance(entry.outcome, Readable):
                there.add(entry.outcome.internal_id)
                accepted.append(entry)
            elif reason is not None:
                key = entry.external_id
                parked.append(Parked(self._system, kind.entity_type, key, reason))
        return accepted, parked

    async def _write_changed(
        self, uow: UnitOfWork, kind: Kind, accepted: Sequence[Entry]
    ) -> Written:
        ids = [one.external_id for one in accepted]
        known = await uow.refs.internal(self._system, kind.entity_type, ids)
        changed: list[Readable] = []
        refs: list[ExternalRef] = []
        for entry in accepted:
            outcome = cast("Readable", entry.outcome)
            checksum = record_digest(outcome.record)
            ref = known.get(entry.external_id)
            if ref is None or ref.checksum != checksum:
                changed.append(outcome)
                refs.append(self._ref(kind, entry.external_id, outcome.internal_id, checksum))
        await self._put(uow, kind, [one.record for one in changed])
        await uow.refs.put(refs, self._now)
        return Written(written=len(changed), unchanged=len(accepted) - len(changed))

    async def _put(self, uow: UnitOfWork, kind: Kind, records: Sequence[Any]) -> None:
        """Write records, which are all of the class that belongs to the kind."""
        if not records:
            return
        match kind:
            case Kind.OPTION:
                await uow.catalog.put_options(records, self._now)
            case Kind.PRODUCT_TYPE:
                await uow.catalog.put_types(records, self._now)
            case Kind.ATTRIBUTE:
                await uow.catalog.put_attributes(records, self._now)
            case Kind.CATEGORY:
                await uow.catalog.put_categories(records, self._now)
            case Kind.WAREHOUSE:
                await uow.stock.put_warehouses(records, self._now)
            case Kind.PRODUCT | Kind.VARIANT:
                await self._put_products(uow, records)

    async def _put_products(self, uow: UnitOfWork, records: Sequence[ProductRecord]) -> None:
        ids = [one.product.id for one in records]
        before = await uow.catalog.products(ids)
        variants = await uow.catalog.variants(ids)
        await uow.catalog.put_products([one.product for one in records], self._now)
        await uow.catalog.put_variants([v for one in records if (v := one.variant)], self._now)
        lost = [variants[r.product.id].id for r in records
                if r.variant is None and r.product.id in variants]  # fmt: skip
        await uow.catalog.delete("variant", lost)
        old = {asset.id for one in before.values() for asset in one.value.assets}
        kept = {asset.id for one in records for asset in one.product.assets}
        await uow.refs.bury(self._system, old - kept, self._now)
        await uow.refs.put([ref for one in records for ref in one.parts], self._now)

    async def _write_supplies(self, uow: UnitOfWork, products: Sequence[ProductRecord]) -> Written:
        supplies = {one.external_id: one for product in products for one in product.supplies}
        removed = await self._remove_supplies(uow, products, supplies.values())
        known = await uow.refs.internal(self._system, "stock_level", supplies)
        changed: list[Supply] = []
        refs: list[ExternalRef] = []
        for key, supply in supplies.items():
            checksum = supply_digest(supply)
            if key not in known or known[key].checksum != checksum:
                changed.append(supply)
                refs.append(
                    ExternalRef(self._system, "stock_level", key, supply.level.id, checksum)
                )
        await self._put_supplies(uow, changed)
        await uow.refs.put(refs, self._now)
        return Written(
            written=len(changed), unchanged=len(supplies) - len(changed), removed=removed
        )

    async def _put_supplies(self, uow: UnitOfWork, supplies: Sequence[Supply]) -> None:
        if not supplies:
            return
        known = {one.id: one for one in await uow.pricing.price_lists()}
        wanted = {one.price_list.id: one.price_list for one in supplies}
        new = [one for one in wanted.values() if known.get(one.id) != one]
        await uow.pricing.put_price_lists(new, self._now)
        await uow.stock.put_levels([one.level for one in supplies], self._now)
        await uow.pricing.put_prices([one.price for one in supplies], self._now)

    async def _remove_supplies(
        self,
        uow: UnitOfWork,
        products: Sequence[ProductRecord],
        supplies: Collection[Supply],
    ) -> int:
        """Remove stock records that the legacy dropped; those born in the core stay. What the
        core promised units of is kept, empty, for the orders that point at it.
        """
        stored = await uow.stock.lines([one.product.id for one in products])
        there = {line.level.value.id for lines in stored.values() for line in lines}
        gone = there - {one.level.id for one in supplies}
        ours = set(await uow.refs.external(self._system, gone)) if gone else set[UUID]()
        promised = await uow.stock.retire(ours, self._now)
        await uow.catalog.delete("stock_level", ours - promised)
        await uow.refs.bury(self._system, ours, self._now)
        return len(ours)

    def _ref(self, kind: Kind, external_id: str, internal_id: UUID, checksum: str) -> ExternalRef:
        return ExternalRef(self._system, kind.entity_type, external_id, internal_id, checksum)


def _refusal(entry: Entry, there: Collection[UUID]) -> str | None:
    """Why a row cannot be taken, or None."""
    outcome = entry.outcome
    if isinstance(outcome, Unreadable):
        return outcome.reason
    missing = next((one for one in outcome.needs if one.internal_id not in there), None)
    if missing is None:
        return None
    what = missing.what.replace("_", " ")
    return f"needs {what} {missing.external_id}, which is parked or missing"
