"""Which place gives what: all of it from one place, or as few places a variant as can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from new_core.domain.catalog import BundleComponent
from new_core.domain.reservation import Shortage, Want
from new_core.errors import InvalidValue

Components = Mapping[UUID, tuple[BundleComponent, ...]]
"""What bundles are made of; what is none is absent."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A stock level as whoever promises its units sees it.

    Attributes:
        rank, priority: of the level and of its warehouse; lower ones give first.
        sends: whether the warehouse is active.
        on_hand: None when nobody counts.
        safety: units that are never promised.
        backorder_limit: units that may be promised beyond those on the shelf.
    """

    stock_level_id: UUID
    variant_id: UUID
    warehouse_id: UUID
    rank: int = 0
    priority: int = 0
    sends: bool = True
    on_hand: int | None = None
    reserved: int = 0
    safety: int = 0
    backorder_limit: int = 0

    @property
    def promisable(self) -> int:
        """Units that can be promised from here now; what nobody counts is not promised."""
        if self.on_hand is None or not self.sends:
            return 0
        return max(0, self.on_hand + self.backorder_limit - self.reserved - self.safety)


@dataclass(frozen=True, slots=True)
class VariantSupply:
    """All places of one variant.

    Attributes:
        track_stock: False for what never runs out while a place sells it.
    """

    variant_id: UUID
    track_stock: bool
    shelves: tuple[Shelf, ...]

    @property
    def promisable(self) -> int | None:
        """Units that can be promised from all places together; None when it never runs out."""
        if not self.track_stock and any(one.sends for one in self.shelves):
            return None
        return sum(one.promisable for one in self.shelves)


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of a plan, for whoever asks why."""

    variant_id: UUID | None
    warehouse_id: UUID | None
    units: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What each place gives.

    Attributes:
        units: by stock level; each positive.
        trace: how it came about, in order.
    """

    units: Mapping[UUID, int]
    trace: tuple[Step, ...] = ()


def added_up(wants: Iterable[Want]) -> dict[UUID, int]:
    """Units by variant, in the order in which variants are first named.

    Raises:
        InvalidValue: somebody wants fewer than one.
    """
    found: dict[UUID, int] = {}
    for one in wants:
        if one.quantity < 1:
            raise InvalidValue("quantity", "must be at least 1")
        found[one.variant_id] = found.get(one.variant_id, 0) + one.quantity
    return found


def taken_apart(wanted: Mapping[UUID, int], components: Components) -> dict[UUID, int]:
    """Units by what lies on shelves: bundles by their components, which two may share."""
    found: dict[UUID, int] = {}
    for variant_id, quantity in wanted.items():
        for part, each in parts_of(variant_id, components):
            found[part] = found.get(part, 0) + quantity * each
    return found


def parts_of(variant_id: UUID, components: Components) -> tuple[tuple[UUID, int], ...]:
    """What lies on shelves for one unit of a variant, and how much of it."""
    parts = components.get(variant_id)
    if not parts:
        return ((variant_id, 1),)
    return tuple((one.variant_id, one.quantity) for one in parts)


def most_of(
    variant_id: UUID, components: Components, left: Mapping[UUID, int | None]
) -> int | None:
    """Units of a variant that its parts are enough for; None when none of them runs out.

    `left` is units by part, None for what never runs out; a part that is absent is not had.
    """
    limits = [
        there // each
        for part, each in parts_of(variant_id, components)
        if (there := left.get(part, 0)) is not None
    ]
    return min(limits) if limits else None


def shortages(
    wanted: Mapping[UUID, int], components: Components, supplies: Mapping[UUID, VariantSupply]
) -> tuple[Shortage, ...]:
    """Every variant that cannot be had as wanted, those named first being served first.

    Empty exactly when all of it can be promised together.
    """
    left = {one.variant_id: one.promisable for one in supplies.values()}
    found: list[Shortage] = []
    for variant_id, quantity in wanted.items():
        most = most_of(variant_id, components, left)
        given = quantity if most is None else min(quantity, most)
        if given < quantity:
            found.append(Shortage(variant_id, quantity, given))
        for part, each in parts_of(variant_id, components):
            there = left.get(part, 0)
            if there is not None:
                left[part] = there - given * each
    return tuple(found)


def plan(needed: Mapping[UUID, int], supplies: Mapping[UUID, VariantSupply]) -> Plan:
    """Choose places for units that are there together; what never runs out takes none.

    One place for all, if one has it all; else each variant from the first place that has it
    whole; else from place to place until it is had. Places come by the rank of the level,
    then the priority of the warehouse, then ids: the same question has the same answer.
    """
    counted = {
        variant_id: units
        for variant_id, units in needed.items()
        if units > 0 and supplies[variant_id].track_stock
    }
    shelves = {one: sorted(supplies[one].shelves, key=_place) for one in sorted(counted)}
    whole = _one_place(counted, shelves)
    if whole is not None:
        reason = "one place has it all"
        trace = [Step(s.variant_id, s.warehouse_id, counted[s.variant_id], reason) for s in whole]
        return Plan({s.stock_level_id: counted[s.variant_id] for s in whole}, tuple(trace))
    units: dict[UUID, int] = {}
    steps = [Step(None, None, sum(counted.values()), "no place has it all")] if counted else []
    for variant_id, some in shelves.items():
        for shelf, given, reason in _from_shelves(counted[variant_id], some):
            units[shelf.stock_level_id] = given
            steps.append(Step(variant_id, shelf.warehouse_id, given, reason))
    return Plan(units, tuple(steps))


def _one_place(
    counted: Mapping[UUID, int], shelves: Mapping[UUID, Sequence[Shelf]]
) -> tuple[Shelf, ...] | None:
    """The shelves of the best place that has everything; None when none has."""
    enough: dict[UUID, dict[UUID, Shelf]] = {}
    for variant_id, some in shelves.items():
        for shelf in some:
            if shelf.promisable >= counted[variant_id]:
                enough.setdefault(shelf.warehouse_id, {}).setdefault(variant_id, shelf)
    whole = [tuple(some.values()) for some in enough.values() if len(some) == len(counted)]
    return min(whole, key=_together, default=None)


def _together(shelves: Sequence[Shelf]) -> tuple[int, int, UUID]:
    first = shelves[0]
    return sum(one.rank for one in shelves), first.priority, first.warehouse_id


def _from_shelves(units: int, shelves: Sequence[Shelf]) -> list[tuple[Shelf, int, str]]:
    """What one variant takes from where."""
    for shelf in shelves:
        if shelf.promisable >= units:
            return [(shelf, units, "the first place that has enough")]
    taken: list[tuple[Shelf, int, str]] = []
    for shelf in shelves:
        given = min(units, shelf.promisable)
        if given > 0:
            taken.append((shelf, given, "all that this place has" if given < units else "the rest"))
            units -= given
    if units:
        raise ValueError("a plan was asked for more units than there are")
    return taken


def _place(shelf: Shelf) -> tuple[int, int, UUID, UUID]:
    return shelf.rank, shelf.priority, shelf.warehouse_id, shelf.stock_level_id
