"""Whether a promotion's conditions hold for a cart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from new_core.domain.promotions import (
    AllOf,
    AnyOf,
    AtTime,
    Condition,
    InChannel,
    InCountry,
    InGroup,
    Items,
    NotThat,
    QuantityFrom,
    SubtotalFrom,
)

_MINUTES = 60


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What promotions and taxes ask about a variant.

    Attributes:
        product_ids: its product and the one that gathers it.
        category_ids: of both, with all categories above.
        tax_class: its own, its product's or its type's.
    """

    variant_id: UUID
    product_ids: frozenset[UUID] = frozenset()
    category_ids: frozenset[UUID] = frozenset()
    type_id: UUID | None = None
    discountable: bool = True
    tax_class: str = "standard"

    def is_of(self, items: Items) -> bool:
        """Whether the items name it."""
        return (
            items.everything
            or self.variant_id in items.variant_ids
            or self.type_id in items.type_ids
            or not items.product_ids.isdisjoint(self.product_ids)
            or not items.category_ids.isdisjoint(self.category_ids)
        )


@dataclass(frozen=True, slots=True)
class LineSeen:
    """A line as conditions see it, before discounts."""

    facts: ItemFacts
    quantity: int
    base_minor: int


@dataclass(frozen=True, slots=True)
class CartSeen:
    """A cart as conditions see it."""

    lines: tuple[LineSeen, ...]
    group_ids: frozenset[UUID]
    channel: str
    country: str
    at: datetime

    def subtotal(self, items: Items) -> int:
        """What these items cost together."""
        return sum(one.base_minor for one in self.lines if one.facts.is_of(items))

    def quantity(self, items: Items) -> int:
        """How many units of these items there are."""
        return sum(one.quantity for one in self.lines if one.facts.is_of(items))


def holds(condition: Condition, cart: CartSeen) -> bool:
    """Whether a condition holds."""
    match condition:
        case AllOf():
            held = all(holds(one, cart) for one in condition.of)
        case AnyOf():
            held = any(holds(one, cart) for one in condition.of)
        case NotThat():
            held = not holds(condition.of, cart)
        case SubtotalFrom():
            held = cart.subtotal(condition.items) >= condition.min_minor
        case QuantityFrom():
            held = cart.quantity(condition.items) >= condition.min_quantity
        case InGroup() | InChannel() | InCountry():
            held = _is_there(condition, cart)
        case AtTime():
            held = _is_time(condition, cart.at)
        case _:
            assert_never(condition)
    return held


def _is_there(condition: InGroup | InChannel | InCountry, cart: CartSeen) -> bool:
    match condition:
        case InGroup():
            return not condition.group_ids.isdisjoint(cart.group_ids)
        case InChannel():
            return cart.channel in condition.channels
        case InCountry():
            return cart.country in condition.countries
        case _:
            assert_never(condition)


def _is_time(condition: AtTime, at: datetime) -> bool:
    if condition.weekdays and at.isoweekday() not in condition.weekdays:
        return False
    minute, start, end = at.hour * _MINUTES + at.minute, condition.from_minute, condition.to_minute
    return start <= minute < end if start < end else minute >= start or minute < end
