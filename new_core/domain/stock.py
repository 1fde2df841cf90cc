"""Where goods lie, and whether they can be bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
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
class Site:
    """Where a warehouse stands, and how it sends.

    Attributes:
        country: ISO 3166-1, two letters; empty while nobody said.
        region: ISO 3166-2 without the country, e.g. "QC".
        active: whether anything is promised from it.
        priority: among places of a level's same rank, lower ones give first.
        cutoff: what is ordered later leaves the next day; None where nothing is promised.
        timezone: of the cutoff, an IANA name.
    """

    street: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""
    active: bool = True
    priority: int = 0
    cutoff: time | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class StockPolicy:
    """How far a level may be promised.

    It belongs to the level, not to the variant: the condition of the update and the check of
    the table both need it in the row that they change.

    Attributes:
        safety: units that are never promised.
        incoming: units on their way here; told, and not promised.
        backorder_limit: units that may be promised beyond those on the shelf; 0 for none.
    """

    safety: int = 0
    incoming: int = 0
    backorder_limit: int = 0

    def __post_init__(self) -> None:
        """Refuse what no shelf holds.

        Raises:
            InvalidValue: a number below zero, or too large.
        """
        for name in ("safety", "incoming", "backorder_limit"):
            if not 0 <= getattr(self, name) <= MOST_UNITS:
                raise InvalidValue(name, f"must be from 0 to {MOST_UNITS}")

    def promisable(self, level: StockLevel) -> int:
        """Units that can be promised now, never negative; what nobody counts is not promised."""
        if level.on_hand is None:
            return 0
        return max(0, level.available + self.backorder_limit - self.safety)


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
