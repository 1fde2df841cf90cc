"""Use cases of promised units: reserve, commit, release.

Who takes locks takes them in one order: the owner, then all levels ascending by (variant,
warehouse), then reservations. Reservations of others are only ever taken when they are free.
So nobody waits in a circle, as long as a transaction reserves for one owner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from new_core.domain.events import AuditEntry, Event
from new_core.domain.reservation import (
    InsufficientStock,
    Owner,
    Reservation,
    ReservationState,
    Want,
)
from new_core.domain.stock_movement import Movement, MovementKind
from new_core.domain.stock_plan import (
    Shelf,
    VariantSupply,
    added_up,
    most_of,
    parts_of,
    plan,
    shortages,
    taken_apart,
)
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing

OVERDUE = "the hold's time was over"

ACTIVE = frozenset((ReservationState.HELD, ReservationState.COMMITTED))
"""States in which units of a reservation are counted as promised on their level."""


@dataclass(frozen=True, slots=True)
class CanBeHad:
    """How many units of a variant can be promised now.

    Attributes:
        units: None when it never runs out.
        purchasable: whether one unit can be bought.
    """

    units: int | None
    purchasable: bool


async def can_be_had(
    uow: UnitOfWork, variant_ids: Collection[UUID], at: datetime | None = None
) -> Mapping[UUID, CanBeHad]:
    """Availability in bulk, bundles by their components; unknown ids are absent.

    From all places together, back orders included, as `reserve` would promise it. Units in
    holds whose time is over `at` that moment count as free, swept or not.
    """
    components = await uow.catalog.components(variant_ids)
    parts = {part for one in variant_ids for part, _ in parts_of(one, components)}
    supplies = await uow.stock.supplies({*parts, *variant_ids})
    if at is not None:
        overdue = await uow.reservations.overdue_units(parts, at)
        supplies = _without(supplies, overdue)
    left = {one.variant_id: one.promisable for one in supplies.values()}
    found: dict[UUID, CanBeHad] = {}
    for variant_id in variant_ids:
        if variant_id in supplies:
            units = most_of(variant_id, components, left)
            found[variant_id] = CanBeHad(units, units is None or units > 0)
    return found


async def reserve(
    uow: UnitOfWork,
    owner: Owner,
    wants: Sequence[Want],
    doing: Doing,
    *,
    expires_at: datetime | None,
) -> tuple[Reservation, ...]:
    """Promise all of it or nothing: wants of one variant are added up, bundles taken apart,
    places chosen, and each level changed by a condition, in sorted order.

    `wants` is all that the owner is to have. What it has already counts in, and what it has
    beyond that goes back in the same update: asked twice, it is promised once, and nobody
    gets in between. What never runs out is not reserved.

    Raises:
        InsufficientStock: with every variant that there is too little of. Nothing was
            written, and what the owner had before it still has.
    """
    wanted = added_up(wants)
    components = await uow.catalog.components(wanted)
    needed = taken_apart(wanted, components)
    mine = await uow.reservations.locked(owner)
    involved = {*needed, *(one.variant_id for one in mine)}
    supplies = await uow.stock.supplies(involved, lock=True)
    own = _units(one for one in mine if one.state in ACTIVE)
    free = _without(supplies, own)
    short = shortages(wanted, components, free)
    if short:
        # Nobody swept yet what is over; it is free all the same.
        swept = await sweep(uow, _by_level(supplies), doing, but=owner)
        free = _without(free, _units(swept))
        short = shortages(wanted, components, free)
    if short:
        raise InsufficientStock(short)
    shelves = _by_level(supplies)
    change = _change(owner, mine, plan(needed, free).units, shelves, expires_at, doing)
    await _write(uow, owner, change, shelves, "", doing)
    return change.kept


async def commit_reservations(uow: UnitOfWork, owner: Owner, doing: Doing) -> None:
    """What was held is an order's now, and does not expire. Nothing held: nothing to do.

    1. A hold's time is over, 2. the sweeper gives its units back, 3. the payment that it was
    for comes through after all. Then what was lost is promised anew, from wherever it still
    is; whoever bought it meanwhile keeps it. A hold that is over but that nobody swept yet is
    as good as before: its units are still counted as promised.

    Raises:
        InsufficientStock: what was lost cannot be had any more. Nothing was written.
    """
    mine = await uow.reservations.locked(owner)
    lost = [one for one in mine if one.state is ReservationState.EXPIRED]
    if lost:
        wants = [Want(one.variant_id, one.quantity) for one in mine]
        await reserve(uow, owner, wants, doing, expires_at=None)
        mine = await uow.reservations.locked(owner)
    committed = tuple(
        replace(one, state=ReservationState.COMMITTED, expires_at=None)
        for one in mine
        if one.state is ReservationState.HELD
    )
    if committed:
        await uow.reservations.put(committed, doing.at)
        await _tell(uow, "stock.committed", owner, committed, doing)


async def release_reservations(uow: UnitOfWork, owner: Owner, reason: str, doing: Doing) -> None:
    """Give back all that an owner still has. Twice is once."""
    mine = await uow.reservations.locked(owner)
    if not mine:
        return
    supplies = await uow.stock.supplies({one.variant_id for one in mine}, lock=True)
    shelves = _by_level(supplies)
    change = _change(owner, mine, {}, shelves, None, doing)
    await _write(uow, owner, change, shelves, reason, doing)


async def sweep(
    uow: UnitOfWork, level_ids: Collection[UUID], doing: Doing, *, but: Owner | None = None
) -> tuple[Reservation, ...]:
    """Take back holds whose time is over from levels that the caller has locked."""
    swept = await uow.reservations.expire(level_ids, doing.at, but=but)
    if not swept:
        return ()
    shelves = _by_level(await uow.stock.supplies({one.variant_id for one in swept}))
    moved = [_movement(one, -one.quantity, shelves, OVERDUE) for one in swept]
    await uow.stock.book(moved, doing.actor, doing.at)
    by_owner: dict[Owner, list[Reservation]] = {}
    for one in swept:
        by_owner.setdefault(one.owner, []).append(one)
    for owner, some in by_owner.items():
        await _tell(uow, "reservation.expired", owner, some, doing)
    return swept


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of an owner's reservations.

    Attributes:
        kept: what the owner has afterwards, ascending by level.
        written: those that change.
        moved: what changes hands, with the units more.
    """

    kept: tuple[Reservation, ...]
    written: tuple[Reservation, ...]
    moved: tuple[tuple[Reservation, int], ...]


def _change(
    owner: Owner,
    mine: Sequence[Reservation],
    chosen: Mapping[UUID, int],
    shelves: Mapping[UUID, Shelf],
    expires_at: datetime | None,
    doing: Doing,
) -> _Change:
    had = {one.stock_level_id: one for one in mine}
    kept: list[Reservation] = []
    written: list[Reservation] = []
    moved: list[tuple[Reservation, int]] = []
    for level_id in sorted({*had, *chosen}):
        before, units = had.get(level_id), chosen.get(level_id, 0)
        if before is None:
            before = Reservation(
                doing.new_id(), owner, shelves[level_id].variant_id, level_id, 0,
                ReservationState.EXPIRED, None,
            )  # fmt: skip
        after = _after(before, units, expires_at)
        if after != before:
            written.append(after)
        if units:
            kept.append(after)
        if more := units - _promised(before):
            moved.append((after, more))
    return _Change(tuple(kept), tuple(written), tuple(moved))


def _after(before: Reservation, units: int, expires_at: datetime | None) -> Reservation:
    if not units:
        return replace(before, state=ReservationState.RELEASED)
    if before.state is ReservationState.COMMITTED:
        return replace(before, quantity=units)
    state = ReservationState.HELD
    return replace(before, quantity=units, state=state, expires_at=expires_at)


def _promised(one: Reservation) -> int:
    return one.quantity if one.state in ACTIVE else 0


async def _write(
    uow: UnitOfWork,
    owner: Owner,
    change: _Change,
    shelves: Mapping[UUID, Shelf],
    reason: str,
    doing: Doing,
) -> None:
    """One update of the levels for what is given back and what is taken, then the promises."""
    moved = [_movement(one, more, shelves, reason) for one, more in change.moved]
    await uow.stock.book(moved, doing.actor, doing.at)
    await uow.reservations.put(change.written, doing.at)
    gone = [replace(one, quantity=-more) for one, more in change.moved if more < 0]
    come = [replace(one, quantity=more) for one, more in change.moved if more > 0]
    if gone:
        await _tell(uow, "stock.released", owner, gone, doing)
    if come:
        await _tell(uow, "stock.reserved", owner, come, doing)


def _movement(one: Reservation, units: int, shelves: Mapping[UUID, Shelf], reason: str) -> Movement:
    return Movement(
        one.stock_level_id,
        one.variant_id,
        shelves[one.stock_level_id].warehouse_id,
        MovementKind.RESERVE if units > 0 else MovementKind.RELEASE,
        reserved=units,
        reason=reason,
        reference=f"{one.owner.type}:{one.owner.id}",
    )


async def _tell(
    uow: UnitOfWork, what: str, owner: Owner, units: Sequence[Reservation], doing: Doing
) -> None:
    """One event per owner, and one entry in the audit, however many lines there are."""
    data = {
        "owner_type": owner.type,
        "owner_id": str(owner.id),
        "lines": [
            {
                "reservation_id": str(one.id),
                "variant_id": str(one.variant_id),
                "stock_level_id": str(one.stock_level_id),
                "quantity": one.quantity,
            }
            for one in units
        ],
    }
    event = Event(f"inventory.{what}.v1", "reservation", owner.id, data)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(what, owner.type, str(owner.id), after={"lines": data["lines"]})
    await uow.audit.add([entry], doing.actor, doing.at)


def _by_level(supplies: Mapping[UUID, VariantSupply]) -> dict[UUID, Shelf]:
    return {one.stock_level_id: one for some in supplies.values() for one in some.shelves}


def _units(reservations: Iterable[Reservation]) -> dict[UUID, int]:
    """Units by level."""
    found: dict[UUID, int] = {}
    for one in reservations:
        found[one.stock_level_id] = found.get(one.stock_level_id, 0) + one.quantity
    return found


def _without(
    supplies: Mapping[UUID, VariantSupply], units: Mapping[UUID, int]
) -> dict[UUID, VariantSupply]:
    """The same places with so many units, by level, not promised."""
    found = dict(supplies)
    for variant_id, one in supplies.items():
        if any(shelf.stock_level_id in units for shelf in one.shelves):
            shelves = (
                replace(shelf, reserved=shelf.reserved - units.get(shelf.stock_level_id, 0))
                for shelf in one.shelves
            )
            found[variant_id] = replace(one, shelves=tuple(shelves))
    return found
