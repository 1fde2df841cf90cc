"""What somebody wants to buy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer

MOST_LINES = 1000
MOST_UNITS_OF_A_LINE = 1_000_000


class CartState(StrEnum):
    """Where a cart stands. Only an open one changes; frozen ones are being paid for."""

    OPEN = "open"
    FROZEN = "frozen"
    ORDERED = "ordered"
    MERGED = "merged"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class CartLine:
    """So many units of a variant, with what the shopper decided about them.

    Attributes:
        options: (code, value), sorted; the same variant with the same options is one line.
        position: ascending from 0, in the order in which lines were added.
    """

    id: UUID
    variant_id: UUID
    quantity: int
    position: int
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart.

    Attributes:
        buyer: its customer_id is None for a guest's cart.
        token_sha256: hex digest of the secret that opens a guest's cart; empty for none.
        shipping_code: the chosen way of shipping; empty while none is.
        expires_at: when nobody may expect it to be there any more.
    """

    id: UUID
    buyer: Buyer
    state: CartState
    lines: tuple[CartLine, ...]
    created_at: datetime
    expires_at: datetime
    coupons: tuple[str, ...] = ()
    token_sha256: str = ""
    email: str = ""
    shipping_code: str = ""
    shipping_address: PostalAddress | None = None
    billing_address: PostalAddress | None = None
