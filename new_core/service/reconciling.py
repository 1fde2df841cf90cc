"""Use cases of believing the books: sweeping, measuring, and repairing when somebody says so."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from new_core.domain.actor import system
from new_core.domain.events import AuditEntry, Event
from new_core.domain.stock_accuracy import Accuracy, Drift
from new_core.ports import Database, NewId, UnitOfWork
from new_core.service.doing import Doing
from new_core.service.inventory import sweep

SWEEPER = system("reservation-sweeper")
RECONCILER = system("stock-reconciler")
EVERY = timedelta(minutes=15)
"""One measurement is kept per so much time, whichever process makes it."""
WINDOW = timedelta(days=30)
"""Counts of so many days are in the accuracy, and measurements are kept for three times that."""
SHOWN = 100
"""Most drifted levels that a measurement names."""
_SWEPT_AT_A_TIME = 500
_SLOTS = UUID("6a4cf1b2-7a1e-4d6e-9d55-1f0f6d7c3b21")


async def sweep_overdue(database: Database, now: datetime, new_id: NewId) -> int:
    """Take back holds whose time is over; gives how many. Any number of processes may do so.

    1. Two sweepers see the same holds, 2. both want their levels, 3. the second one waits, and
    then finds the holds marked: each hold is taken back once.
    """
    async with database.reading() as uow:
        if not await uow.reservations.overdue(now, _SWEPT_AT_A_TIME):
            return 0
    async with database.writing() as uow:
        levels = await uow.reservations.overdue(now, _SWEPT_AT_A_TIME)
        await uow.stock.shelves(levels)
        swept = await sweep(uow, levels, Doing(SWEEPER, now, new_id))
        await uow.commit()
    return len(swept)


async def measure(database: Database, now: datetime) -> Accuracy | None:
    """Compare all levels with their books, and keep what was found; None when that was done
    for this quarter of an hour. Nothing is repaired.
    """
    slot = int(now.timestamp() // EVERY.total_seconds())
    ident = uuid5(_SLOTS, str(slot))
    async with database.reading() as uow:
        latest = await uow.stock_books.latest()
        if latest is not None and latest.id == ident:
            return None
        measured = await look(uow, ident, now)
    async with database.writing() as uow:
        if not await uow.stock_books.add(measured, keep_since=now - 3 * WINDOW):
            return None
        await uow.outbox.add([_measured(measured)], RECONCILER, now)
        await uow.commit()
    return measured


async def look(uow: UnitOfWork, ident: UUID, now: datetime) -> Accuracy:
    """What the books are worth in this transaction's state of them."""
    drifts = await uow.stock_books.drifts()
    return Accuracy(
        id=ident,
        at=now,
        since=now - WINDOW,
        counts=await uow.stock_books.counts(now - WINDOW),
        levels=await uow.stock_books.level_count(),
        drifted=len(drifts),
        drifts=drifts[:SHOWN],
    )


async def repair(
    uow: UnitOfWork, stock_ids: Collection[UUID], reason: str, doing: Doing
) -> tuple[Drift, ...]:
    """Make levels what their books say, where they are not; gives what they were.

    On hand becomes the sum of the movements, reserved the sum of the active reservations and
    of what other systems promised. A shelf is better counted: that says what is there.
    """
    await uow.stock.shelves(stock_ids)
    drifts = await uow.stock_books.drifts(stock_ids)
    for one in drifts:
        await uow.stock_books.repair(one, doing.actor, doing.at)
    entries = [
        AuditEntry(
            "stock.repaired", "stock_level", str(one.stock_level_id),
            before={"on_hand": one.on_hand, "reserved": one.reserved},
            after={"on_hand": max(0, one.moved_on_hand), "reserved": one.promised}, reason=reason,
        )
        for one in drifts
    ]  # fmt: skip
    await uow.audit.add(entries, doing.actor, doing.at)
    events = [
        Event(
            "inventory.stock.adjusted.v1", "stock_level", one.stock_level_id,
            {"stock_level_id": str(one.stock_level_id), "on_hand": max(0, one.moved_on_hand),
             "reserved": one.promised, "reason": "repaired"},
        )
        for one in drifts
    ]  # fmt: skip
    await uow.outbox.add(events, doing.actor, doing.at)
    return drifts


def _measured(one: Accuracy) -> Event:
    data = {
        "accuracy_ppm": one.counts.accuracy_ppm,
        "counts": one.counts.counts,
        "levels": one.levels,
        "drifted": one.drifted,
        "since": one.since.isoformat(),
    }
    return Event("inventory.accuracy.measured.v1", "stock_accuracy", one.id, data)
