"""What moved in a place: the book that a stock level is the sum of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class MovementKind(StrEnum):
    """Why units moved."""

    RECEIPT = "receipt"
    RESERVE = "reserve"
    RELEASE = "release"
    SHIP = "ship"
    RETURN = "return"
    ADJUST = "adjust"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    DAMAGE = "damage"


@dataclass(frozen=True, slots=True)
class Movement:
    """Units that come to a place or leave it, on the shelf or out of what is promised.

    Attributes:
        on_hand: units more on the shelf; negative for fewer.
        reserved: units more promised; negative for fewer.
        reference: what it is about, e.g. "order:<id>" or a delivery note's number.
    """

    stock_level_id: UUID
    variant_id: UUID
    warehouse_id: UUID
    kind: MovementKind
    on_hand: int = 0
    reserved: int = 0
    reason: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Booked:
    """A movement as the book has it; nothing changes it any more.

    Attributes:
        seq: ascending, with gaps.
    """

    seq: int
    movement: Movement
    actor_kind: str
    actor_id: str
    at: datetime
