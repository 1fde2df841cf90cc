"""What somebody wants to buy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.errors import Conflict

MOST_LINES = 1000
MOST_UNITS_OF_A_LINE = 1_000_000
MOST_COUPONS = 20
GUEST_LIFE, CUSTOMER_LIFE = timedelta(days=30), timedelta(days=180)
"""How long a cart is kept after somebody last changed it."""


class CartState(StrEnum):
    """Where a cart stands. Only an open one changes; frozen ones are being paid for."""

    OPEN = "open"
    FROZEN = "frozen"
    ORDERED = "ordered"
    MERGED = "merged"
    ABANDONED = "abandoned"


class CartEvent(StrEnum):
    """What moves a cart from one state to another."""

    FREEZE = "freeze"
    THAW = "thaw"
    ORDER = "order"
    MERGE = "merge"
    ABANDON = "abandon"


TRANSITIONS: Mapping[CartState, Mapping[CartEvent, CartState]] = {
    CartState.OPEN: {
        CartEvent.FREEZE: CartState.FROZEN,
        CartEvent.MERGE: CartState.MERGED,
        CartEvent.ABANDON: CartState.ABANDONED,
    },
    CartState.FROZEN: {
        CartEvent.ORDER: CartState.ORDERED,
        CartEvent.THAW: CartState.OPEN,
    },
    CartState.ORDERED: {},
    CartState.MERGED: {},
    CartState.ABANDONED: {},
}
"""What can happen to a cart in each state; nothing else can."""


@dataclass(frozen=True, slots=True)
class CartLine:
    """So many units of a variant, with what the shopper decided about them.

    Attributes:
        options: (code, value), sorted; the same variant with the same options is one line.
        position: ascending from 0, in the order in which lines were added.
        shown_micro: the unit price that the shopper was last told; None for none.
    """

    id: UUID
    variant_id: UUID
    quantity: int
    position: int
    options: tuple[tuple[str, str], ...] = ()
    shown_micro: int | None = None


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart.

    Attributes:
        buyer: its customer_id is None for a guest's cart.
        token_sha256: hex digest of the secret that opens a guest's cart; empty for none.
        shipping_code: the chosen way of shipping; empty while none is.
        expires_at: when nobody may expect it to be there any more.
        merged_into: the cart that has its lines now.
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
    merged_into: UUID | None = None


def moved(cart: Cart, event: CartEvent) -> Cart:
    """The cart after something happened to it.

    Raises:
        Conflict: "cart_not_open" or "cart_not_frozen": that cannot happen to it now.
    """
    state = TRANSITIONS[cart.state].get(event)
    if state is None:
        wanted = next(one for one, events in TRANSITIONS.items() if event in events)
        raise Conflict(f"cart_not_{wanted}", f"the cart is {cart.state}, not {wanted}")
    return replace(cart, state=state)


def check_open(cart: Cart) -> None:
    """Let only an open cart be changed.

    Raises:
        Conflict: "cart_not_open".
    """
    if cart.state is not CartState.OPEN:
        raise Conflict("cart_not_open", f"the cart is {cart.state}; only an open one changes")


def renewed(cart: Cart, at: datetime) -> Cart:
    """The cart after somebody came to change it: its time begins anew."""
    life = GUEST_LIFE if cart.buyer.customer_id is None else CUSTOMER_LIFE
    return replace(cart, expires_at=at + life)
