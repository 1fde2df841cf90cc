"""Units promised: to a checkout for a while, to an order for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.errors import Conflict, Detail


@dataclass(frozen=True, slots=True)
class Want:
    """So many units of a variant."""

    variant_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom units are promised to.

    Attributes:
        type: "order" or "cart".
    """

    type: str
    id: UUID


class ReservationState(StrEnum):
    """Where a promise stands: held -> committed -> consumed; held -> released | expired;
    committed -> released.
    """

    HELD = "held"
    COMMITTED = "committed"
    CONSUMED = "consumed"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Reservation:
    """Units of one variant in one place, promised to one owner.

    Attributes:
        variant_id: what lies in the warehouse; of a bundle each component has its own.
    """

    id: UUID
    owner: Owner
    variant_id: UUID
    stock_level_id: UUID
    quantity: int
    state: ReservationState
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shortage:
    """What there is too little of.

    Attributes:
        variant_id: of the line that asked, a bundle's own when a component is short.
        available: units that could be promised now, never negative.
    """

    variant_id: UUID
    wanted: int
    available: int


class InsufficientStock(Conflict):
    """There is too little of something; nothing was promised.

    Attributes:
        shortages: all that is short, by variant.
    """

    def __init__(self, shortages: tuple[Shortage, ...]) -> None:
        super().__init__(
            "insufficient_stock",
            f"too little stock for {len(shortages)} item(s)",
            tuple(
                Detail(
                    "/lines",
                    "insufficient_stock",
                    f"{one.available} of {one.wanted} can be had",
                    {
                        "variant_id": str(one.variant_id),
                        "wanted": one.wanted,
                        "available": one.available,
                    },
                )
                for one in shortages
            ),
        )
        self.shortages = shortages
