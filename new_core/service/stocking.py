"""Use cases of the warehouse: what lies there, comes in, goes out and is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from new_core.domain.actor import ANONYMOUS, Actor
from new_core.domain.events import AuditEntry, Event
from new_core.domain.stock import MOST_UNITS, StockLevel, StockPolicy, Warehouse
from new_core.domain.stock_movement import Movement, MovementKind
from new_core.domain.stock_plan import Shelf
from new_core.errors import ChangedMeanwhile, Conflict, Detail, NotFound
from new_core.ports import StockLine, UnitOfWork
from new_core.service.doing import Doing

Expected = Callable[[StockLine, Warehouse], bool]
"""Whether a stock level is still what the caller saw."""


async def stock_line(uow: UnitOfWork, stock_id: UUID) -> tuple[StockLine, Warehouse]:
    """A stock level and where it lies.

    Raises:
        NotFound: there is no such level.
    """
    found = await uow.stock.levels([stock_id])
    return await _placed(uow, stock_id, found.get(stock_id))


async def count_stock(
    uow: UnitOfWork,
    stock_id: UUID,
    on_hand: int | None,
    expected: Expected,
    now: datetime,
    actor: Actor = ANONYMOUS,
) -> tuple[StockLine, Warehouse]:
    """Put down what somebody counted, commit, and give the level as it is now.

    `on_hand` is None when nobody counts the units there. `expected` is asked while nobody
    else can change the level. The same count again changes nothing, its version included,
    but the accuracy of the books counts it in.

    Raises:
        NotFound: there is no such level.
        ChangedMeanwhile: it is not as expected.
        InvalidValue: no such number of units can lie there.
    """
    before = await _placed(uow, stock_id, await uow.stock.locked(stock_id))
    if not expected(*before):
        raise ChangedMeanwhile("the stock level is not what it was when you read it")
    level = before[0].level.value
    same = level.counted(on_hand) == level
    await uow.stock.count(level, on_hand, actor, now)
    if same:
        await uow.commit()
        return before
    after = await stock_line(uow, stock_id)
    told = _told("adjusted", after[0], (on_hand or 0) - (level.on_hand or 0), "counted", "")
    await uow.outbox.add([told, *_shortfalls([after[0]])], actor, now)
    entry = AuditEntry(
        "stock.counted", "stock_level", str(stock_id),
        before={"on_hand": level.on_hand}, after={"on_hand": on_hand},
    )  # fmt: skip
    await uow.audit.add([entry], actor, now)
    await uow.commit()
    return after


async def _placed(
    uow: UnitOfWork, stock_id: UUID, line: StockLine | None
) -> tuple[StockLine, Warehouse]:
    if line is None:
        raise NotFound("stock level", str(stock_id))
    warehouses = await uow.stock.warehouses()
    return line, warehouses[line.level.value.warehouse_id]


MOST_MOVES = 500
"""Most moves at a time: so many levels are locked by one statement, hence in one order."""

_TOLD = {
    MovementKind.RECEIPT: "received",
    MovementKind.RETURN: "received",
    MovementKind.TRANSFER_IN: "received",
    MovementKind.SHIP: "shipped",
}


@dataclass(frozen=True, slots=True)
class Move:
    """Units that come to a shelf, or leave it.

    Attributes:
        units: negative for those that leave.
    """

    stock_id: UUID
    units: int
    kind: MovementKind


def transfers(lines: Iterable[tuple[UUID, UUID, int]]) -> list[Move]:
    """The moves of units from one level to another, two each."""
    found: list[Move] = []
    for source, target, units in lines:
        found.append(Move(source, -units, MovementKind.TRANSFER_OUT))
        found.append(Move(target, units, MovementKind.TRANSFER_IN))
    return found


async def move_stock(
    uow: UnitOfWork, moves: Sequence[Move], reason: str, reference: str, doing: Doing
) -> tuple[StockLine, ...]:
    """Book what came and went, all of it or nothing; gives the levels as they are now, each
    once, in the order of the moves.

    What is damaged or was never there leaves a shelf whatever was promised of it: the level
    says its shortfall. A transfer takes only what nobody was promised.

    Raises:
        NotFound: there is no such level.
        Conflict: "stock_not_moved", with a reason for every move that cannot be.
    """
    ids = list(dict.fromkeys(one.stock_id for one in moves))
    shelves = await uow.stock.shelves(ids)
    missing = next((one for one in ids if one not in shelves), None)
    if missing is not None:
        raise NotFound("stock level", str(missing))
    refused = _refusals(moves, shelves)
    if refused:
        raise Conflict("stock_not_moved", f"{len(refused)} move(s) cannot be made", refused)
    movements = [
        Movement(
            one.stock_id, shelves[one.stock_id].variant_id, shelves[one.stock_id].warehouse_id,
            one.kind, one.units, reason=reason, reference=reference,
        )
        for one in moves
    ]  # fmt: skip
    await uow.stock.book(movements, doing.actor, doing.at)
    found = await uow.stock.levels(ids)
    after = tuple(found[one] for one in ids)
    told = [
        _told(_TOLD.get(one.kind, "adjusted"), found[one.stock_id], one.units, reason, reference)
        for one in moves
    ]
    await uow.outbox.add([*told, *_shortfalls(after)], doing.actor, doing.at)
    entries = [
        AuditEntry(
            f"stock.{one.kind.value}", "stock_level", str(one.stock_id),
            after={"units": one.units, "reference": reference}, reason=reason,
        )
        for one in moves
    ]  # fmt: skip
    await uow.audit.add(entries, doing.actor, doing.at)
    return after


def _refusals(moves: Sequence[Move], shelves: Mapping[UUID, Shelf]) -> tuple[Detail, ...]:
    """Why moves cannot be made, looked at in their order, each after those before it."""
    there = {one: shelf.on_hand for one, shelf in shelves.items()}
    found: list[Detail] = []
    line = -1
    for index, move in enumerate(moves):
        line += move.kind is not MovementKind.TRANSFER_IN
        units, shelf = there[move.stock_id], shelves[move.stock_id]
        leaves = move.kind is MovementKind.TRANSFER_OUT
        if leaves and shelves[moves[index + 1].stock_id].variant_id != shelf.variant_id:
            problem, code = "the other level is of another variant", "other_variant"
        elif units is None:
            problem, code = "nobody counts this shelf; count it first", "not_counted"
        elif move.units < 0 and units + move.units < 0:
            problem, code = f"{units} are on the shelf", "not_on_hand"
        elif leaves and units + move.units < shelf.reserved:
            free = max(0, units - shelf.reserved)
            problem, code = f"{free} are not promised to anybody", "promised"
        elif units + move.units > MOST_UNITS:
            problem, code = f"a shelf holds {MOST_UNITS}", "too_many"
        else:
            there[move.stock_id] = units + move.units
            continue
        meta = {"stock_id": str(move.stock_id), "units": move.units, "on_hand": units}
        found.append(Detail(f"/lines/{line}", code, problem, meta))
    return tuple(found)


async def add_stock_level(
    uow: UnitOfWork, level: StockLevel, policy: StockPolicy, doing: Doing
) -> tuple[StockLine, Warehouse]:
    """Begin to stock a variant in a place; its id is that of `level_id`.

    Raises:
        NotFound: there is no such variant or warehouse.
        Conflict: "stock_level_exists".
    """
    await uow.stock.product_of(level.variant_id)
    if level.warehouse_id not in await uow.stock.warehouses():
        raise NotFound("warehouse", str(level.warehouse_id))
    there = await uow.stock.supplies([level.variant_id])
    stocked = {one.warehouse_id for some in there.values() for one in some.shelves}
    # Two that ask at once both find nothing; the second one's row is not written.
    if level.warehouse_id in stocked or not await uow.stock.add_level(
        level, policy, doing.actor, doing.at
    ):
        raise Conflict("stock_level_exists", "this place stocks the variant already")
    placed = await stock_line(uow, level.id)
    told = _told("adjusted", placed[0], level.on_hand or 0, "first counted", "")
    await uow.outbox.add([told], doing.actor, doing.at)
    after = {"sku": level.sku, "on_hand": level.on_hand, "warehouse": placed[1].code}
    entry = AuditEntry("stock.level_added", "stock_level", str(level.id), after=after)
    await uow.audit.add([entry], doing.actor, doing.at)
    return placed


def level_id(variant_id: UUID, warehouse_id: UUID) -> UUID:
    """The id of a level that is born here: a place stocks a variant once."""
    return uuid5(warehouse_id, f"stock_level:{variant_id}")


async def set_policy(
    uow: UnitOfWork, stock_id: UUID, policy: StockPolicy, expected: Expected, doing: Doing
) -> tuple[StockLine, Warehouse]:
    """Say how far a level may be promised. What was promised stays promised.

    Raises:
        NotFound: there is no such level.
        ChangedMeanwhile: it is not as expected.
    """
    before = await _placed(uow, stock_id, await uow.stock.locked(stock_id))
    if not expected(*before):
        raise ChangedMeanwhile("the stock level is not what it was when you read it")
    if before[0].policy == policy:
        return before
    await uow.stock.put_policy(stock_id, policy, doing.at)
    after = await stock_line(uow, stock_id)
    told = _told("policy_changed", after[0], 0, "", "")
    await uow.outbox.add([told, *_shortfalls([after[0]])], doing.actor, doing.at)
    entry = AuditEntry(
        "stock.policy_changed", "stock_level", str(stock_id),
        before=_policy_told(before[0].policy), after=_policy_told(policy),
    )  # fmt: skip
    await uow.audit.add([entry], doing.actor, doing.at)
    return after


def _policy_told(policy: StockPolicy) -> dict[str, object]:
    return {
        "safety": policy.safety,
        "incoming": policy.incoming,
        "backorder_limit": policy.backorder_limit,
    }


def _told(what: str, line: StockLine, units: int, reason: str, reference: str) -> Event:
    """What happened to a level, with what it is now."""
    level = line.level.value
    data = {
        "stock_level_id": str(level.id),
        "variant_id": str(level.variant_id),
        "warehouse_id": str(level.warehouse_id),
        "units": units,
        "on_hand": level.on_hand,
        "reserved": level.reserved or 0,
        "reason": reason,
        "reference": reference,
    }
    return Event(f"inventory.stock.{what}.v1", "stock_level", level.id, data)


def _shortfalls(lines: Iterable[StockLine]) -> list[Event]:
    """An event for each level that promises more than it has and may."""
    found: list[Event] = []
    for line in lines:
        level = line.level.value
        missing = -(level.available + line.policy.backorder_limit)
        if level.on_hand is not None and missing > 0:
            found.append(_told("shortfall_detected", line, missing, "", ""))
    return found
