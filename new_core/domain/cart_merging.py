"""One cart out of two: what a guest put together, and what they had as a customer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from new_core.domain.cart import (
    MOST_COUPONS,
    MOST_LINES,
    MOST_UNITS_OF_A_LINE,
    Cart,
    CartEvent,
    CartLine,
    moved,
)
from new_core.errors import Conflict


class Quantities(StrEnum):
    """What becomes of a line that both carts have."""

    ADDED = "added"
    LARGER = "larger"


@dataclass(frozen=True, slots=True)
class Merged:
    """Two carts after the one went into the other."""

    into: Cart
    emptied: Cart


def merge(
    into: Cart, other: Cart, new_id: Callable[[], UUID], quantities: Quantities = Quantities.ADDED
) -> Merged:
    """Put a cart's lines, coupons and addresses into another one.

    What `into` says of addresses, e-mail and shipping stays; where it says nothing the other
    one does. The other cart keeps its lines, for whoever asks later, and nothing of a person.

    Raises:
        Conflict: "cart_not_open", "too_many_lines", or "currencies_differ".
    """
    if into.buyer.currency != other.buyer.currency:
        raise Conflict("currencies_differ", "carts in two currencies do not become one")
    emptied = moved(other, CartEvent.MERGE)
    lines = {(one.variant_id, one.options): one for one in into.lines}
    position = max((one.position for one in into.lines), default=-1) + 1
    for line in other.lines:
        key = (line.variant_id, line.options)
        before = lines.get(key)
        if before is None:
            lines[key] = replace(line, id=new_id(), position=position)
            position += 1
        else:
            lines[key] = replace(before, quantity=_quantity(before, line, quantities))
    if len(lines) > MOST_LINES:
        raise Conflict("too_many_lines", f"together they have more than {MOST_LINES} lines")
    coupons = tuple(dict.fromkeys((*into.coupons, *other.coupons)))[:MOST_COUPONS]
    return Merged(
        replace(
            into,
            lines=tuple(lines.values()),
            coupons=coupons,
            email=into.email or other.email,
            shipping_code=into.shipping_code or other.shipping_code,
            shipping_address=into.shipping_address or other.shipping_address,
            billing_address=into.billing_address or other.billing_address,
        ),
        replace(without_person(emptied), merged_into=into.id),
    )


def claimed(cart: Cart, customer_id: UUID, group_ids: frozenset[UUID]) -> Cart:
    """A guest's cart that is a customer's from now on; its secret opens nothing any more."""
    buyer = replace(cart.buyer, customer_id=customer_id, group_ids=group_ids)
    return replace(cart, buyer=buyer, token_sha256="")


def without_person(cart: Cart) -> Cart:
    """The cart without what tells who it was for."""
    return replace(cart, email="", shipping_address=None, billing_address=None)


def _quantity(one: CartLine, other: CartLine, quantities: Quantities) -> int:
    if quantities is Quantities.LARGER:
        return max(one.quantity, other.quantity)
    return min(one.quantity + other.quantity, MOST_UNITS_OF_A_LINE)
