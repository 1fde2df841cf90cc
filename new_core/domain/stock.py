"""Where goods lie, and whether they can be bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.errors import InvalidValue

MOST_UNITS = 2**31 - 1
"""Most units that a count may find in one place."""


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A place that goods are sent from; a supplier that ships itself is one too."""

    id: UUID
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class StockLevel:
    """What one place has of one variant.

    Attributes:
        sku: the place's own key for it.
        rank: ascending; the first place is the one it is sold from.
        on_hand: units on the shelf; None when nobody counts them there.
        reserved: units promised to orders; None when none ever was.
        low_at: units at which to order more.
    """

    id: UUID
    variant_id: UUID
    warehouse_id: UUID
    sku: str
    rank: int
    on_hand: int | None
    reserved: int | None
    low_at: int | None
    created_at: datetime

    @property
    def available(self) -> int:
        """Units that can still be promised; negative when too many were.

        What nobody counts is not promised.
        """
        return 0 if self.on_hand is None else self.on_hand - (self.reserved or 0)

    def counted(self, on_hand: int | None) -> StockLevel:
        """The level after somebody counted the shelf, or said that nobody counts it.

        What was promised stays promised: `available` falls below zero where too little is
        left.

        Raises:
            InvalidValue: fewer than none, or more than a shelf holds.
        """
        if on_hand is not None and not 0 <= on_hand <= MOST_UNITS:
            raise InvalidValue("on_hand", f"must be from 0 to {MOST_UNITS}, or null")
        return replace(self, on_hand=on_hand)


class Supply(StrEnum):
    """On what availability rests."""

    NOWHERE = "nowhere"
    UNLIMITED = "unlimited"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a product can be bought.

    Attributes:
        units: how many, when they are counted; may be negative.
        source: the place it is sold from.
    """

    supply: Supply
    units: int | None = None
    source: StockLevel | None = None

    @property
    def purchasable(self) -> bool:
        """True when one unit may be bought now."""
        return self.supply is Supply.UNLIMITED or (self.units or 0) > 0


def sold_from(levels: Sequence[StockLevel]) -> StockLevel | None:
    """The place that a variant is sold from: the one of the lowest rank, empty or not.

    An empty first place does not fall through to the next: prices and delivery promises
    hang on the place. Splitting over places comes with fulfilment.
    """
    return min(levels, key=lambda level: (level.rank, str(level.id)), default=None)


def availability(levels: Sequence[StockLevel], *, track_stock: bool) -> Availability:
    """Whether a variant with these stock levels can be bought.

    Products whose stock is not tracked never run out; they still need a place that sells
    them.
    """
    source = sold_from(levels)
    if source is None:
        return Availability(Supply.NOWHERE)
    if not track_stock:
        return Availability(Supply.UNLIMITED, source=source)
    return Availability(Supply.COUNTED, source.available, source)
