"""What a promotion takes off, line by line. Nothing ever costs less than nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from new_core.domain.money import Rounding, divide, spread
from new_core.domain.promotions import (
    WHOLE_PPM,
    AmountOff,
    BuyXGetY,
    FixedPrice,
    Measure,
    PercentOff,
    Promotion,
    Tiered,
)
from new_core.domain.promotions_when import ItemFacts
from new_core.domain.totals import Discount, DiscountKind


@dataclass(slots=True)
class OpenLine:
    """A line while discounts are worked out; lives within one call of `price_cart`.

    Attributes:
        contract: its price was negotiated.
        left_minor: what it still costs.
    """

    facts: ItemFacts
    quantity: int
    unit_micro: int | None
    base_minor: int
    contract: bool
    left_minor: int
    discounts: list[Discount] = field(default_factory=list)


Simple = PercentOff | AmountOff | FixedPrice | BuyXGetY


def eligible(promotion: Promotion, lines: Sequence[OpenLine]) -> list[OpenLine]:
    """The lines that a promotion may give on."""
    return [
        one
        for one in lines
        if one.facts.discountable
        and one.left_minor > 0
        and (promotion.applies_to_contract or not one.contract)
        and one.facts.is_of(promotion.items)
    ]


def line_shares(promotion: Promotion, lines: Sequence[OpenLine], rounding: Rounding) -> list[int]:
    """What each of the lines gets off, by a promotion on lines or on the order."""
    action = _step(promotion, lines)
    if action is None:
        return [0] * len(lines)
    if promotion.kind is DiscountKind.ORDER:
        left = [one.left_minor for one in lines]
        return spread(_off(action, sum(left), 1, rounding), left)
    if isinstance(action, BuyXGetY):
        return _cheapest(action, lines, rounding)
    return [_off(action, one.left_minor, one.quantity, rounding) for one in lines]


def shipping_share(
    promotion: Promotion, left_minor: int, lines: Sequence[OpenLine], rounding: Rounding
) -> int:
    """What shipping gets off."""
    action = _step(promotion, lines)
    return 0 if action is None else _off(action, left_minor, 1, rounding)


def _step(promotion: Promotion, lines: Sequence[OpenLine]) -> Simple | None:
    """The action itself, or that of the highest tier that is reached."""
    action = promotion.action
    if not isinstance(action, Tiered):
        return action
    if action.measure is Measure.SUBTOTAL:
        reached = sum(one.base_minor for one in lines)
    else:
        reached = sum(one.quantity for one in lines)
    held = [one for one in action.tiers if one.least <= reached]
    return max(held, key=lambda one: one.least).gives if held else None


def _off(action: Simple, left: int, units: int, rounding: Rounding) -> int:
    match action:
        case PercentOff():
            off = divide(left * action.ppm, WHOLE_PPM, rounding)
        case AmountOff():
            off = action.minor * units
        case FixedPrice():
            off = left - action.minor * units
        case BuyXGetY():
            off = 0
        case _:
            assert_never(action)
    return max(0, min(off, left))


def _cheapest(action: BuyXGetY, lines: Sequence[OpenLine], rounding: Rounding) -> list[int]:
    """The units that get something are the cheapest of all, whichever lines they are on."""
    units = sum(one.quantity for one in lines)
    free = units // (action.buy + action.get) * action.get
    shares = [0] * len(lines)
    for index in sorted(range(len(lines)), key=lambda at: lines[at].unit_micro or 0):
        line = lines[index]
        taken = min(free, line.quantity)
        if not taken:
            break
        off = divide(line.left_minor * taken * action.ppm, line.quantity * WHOLE_PPM, rounding)
        shares[index] = min(off, line.left_minor)
        free -= taken
    return shares
