"""Use case of promised units that leave: shelf and promise shrink in one update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from new_core.domain.events import AuditEntry, Event
from new_core.domain.reservation import Owner, Reservation, ReservationState
from new_core.domain.stock_movement import Movement, MovementKind
from new_core.domain.stock_plan import Shelf
from new_core.errors import Conflict, Detail
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing


async def ship_reservations(
    uow: UnitOfWork, owner: Owner, doing: Doing, units: Mapping[UUID, int] | None = None
) -> tuple[Reservation, ...]:
    """What was committed to an owner leaves its shelves; gives what left.

    `units` is by stock level; without it all leaves. Of what leaves in part, the rest stays
    promised.

    Raises:
        Conflict: "not_committed", more than the owner was promised there; or
            "stock_not_moved", units on back order that are not on the shelf yet.
    """
    mine = await uow.reservations.locked(owner)
    ready = {one.stock_level_id: one for one in mine if one.state is ReservationState.COMMITTED}
    leaving = {one: ready[one].quantity for one in ready} if units is None else dict(units)
    for level_id, quantity in leaving.items():
        promised = ready[level_id].quantity if level_id in ready else 0
        if not 0 < quantity <= promised:
            raise Conflict("not_committed", f"{promised} unit(s) are committed from this place")
    if not leaving:
        return ()
    shelves = await uow.stock.shelves(leaving)
    _refuse_what_is_not_there(leaving, shelves)
    movements = [_shipped(ready[one], leaving[one], shelves[one]) for one in sorted(leaving)]
    await uow.stock.book(movements, doing.actor, doing.at)
    left, written = [], []
    for level_id, quantity in sorted(leaving.items()):
        before = ready[level_id]
        rest = before.quantity - quantity
        if rest:
            written.append(replace(before, quantity=rest))
            before = replace(before, id=doing.new_id(), quantity=quantity)
        left.append(replace(before, state=ReservationState.CONSUMED))
    await uow.reservations.put([*written, *left], doing.at)
    await _tell(uow, owner, left, doing)
    return tuple(left)


def _refuse_what_is_not_there(leaving: Mapping[UUID, int], shelves: Mapping[UUID, Shelf]) -> None:
    missing = [
        Detail("/lines", "not_on_hand", f"{there} of {units} are on the shelf",
               {"stock_id": str(one), "on_hand": there})
        for one, units in sorted(leaving.items())
        if (there := shelves[one].on_hand) is not None and there < units
    ]  # fmt: skip
    if missing:
        raise Conflict("stock_not_moved", "what is on back order is not there yet", tuple(missing))


def _shipped(one: Reservation, units: int, shelf: Shelf) -> Movement:
    # What nobody counts has no number to take from.
    gone = -units if shelf.on_hand is not None else 0
    return Movement(
        one.stock_level_id, one.variant_id, shelf.warehouse_id, MovementKind.SHIP,
        gone, -units, reference=f"{one.owner.type}:{one.owner.id}",
    )  # fmt: skip


async def _tell(uow: UnitOfWork, owner: Owner, left: list[Reservation], doing: Doing) -> None:
    lines = [
        {
            "reservation_id": str(one.id),
            "variant_id": str(one.variant_id),
            "stock_level_id": str(one.stock_level_id),
            "quantity": one.quantity,
        }
        for one in left
    ]
    data = {"owner_type": owner.type, "owner_id": str(owner.id), "lines": lines}
    event = Event("inventory.stock.shipped.v1", "reservation", owner.id, data)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry("stock.shipped", owner.type, str(owner.id), after={"lines": lines})
    await uow.audit.add([entry], doing.actor, doing.at)
