"""Works out all the money of a cart. Pure, in integers, and in one order of steps: prices,
discounts on lines, on the order and on shipping, then taxes on what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from new_core.domain.money import Rounding, UnitPrice
from new_core.domain.pricing import Considered, PriceTrace, Refusal, Standing
from new_core.domain.reservation import Want
from new_core.domain.totals import CartAsked, LineAsked, PricedCart, PricedLine, PricedShipping


def price_cart(
    asked: CartAsked,
    traces: Mapping[Want, PriceTrace],
    rounding: Rounding = Rounding.HALF_UP,
) -> PricedCart:
    """The money of a cart whose prices were found."""
    lines = tuple(
        _line(one, traces[Want(one.variant_id, one.quantity)], asked.buyer.currency, rounding)
        for one in asked.lines
    )
    shipping = None
    if asked.shipping is not None:
        way = asked.shipping
        shipping = PricedShipping(
            way.code, way.name, way.minor, (), net_minor=way.minor, taxes=(),
            gross_minor=way.minor,
        )  # fmt: skip
    ends = [one.trace.valid_until for one in lines if one.trace.valid_until is not None]
    return PricedCart(
        currency=asked.buyer.currency,
        lines=lines,
        shipping=shipping,
        discounts=(),
        taxes=(),
        tax_known=False,
        tax_included=False,
        total_minor=sum(one.gross_minor for one in lines)
        + (shipping.gross_minor if shipping else 0),
        valid_until=min(ends, default=None),
    )


def _line(asked: LineAsked, found: PriceTrace, currency: str, rounding: Rounding) -> PricedLine:
    trace, micro = found, found.unit_price.micro if found.unit_price else None
    if asked.agreed_unit_micro is not None:
        trace, micro = agreed(found), asked.agreed_unit_micro
    base = 0
    if micro is not None:
        base = UnitPrice(micro, currency).times(asked.quantity, rounding).minor
    return PricedLine(
        key=asked.key,
        variant_id=asked.variant_id,
        quantity=asked.quantity,
        unit_micro=micro,
        base_minor=base,
        discounts=(),
        net_minor=base,
        taxes=(),
        gross_minor=base,
        trace=trace,
    )


def agreed(found: PriceTrace) -> PriceTrace:
    """The trace of a line whose price is pinned: what the lists say is only shown."""
    considered = (
        Considered(one.listed, one.refusal or Refusal.OUTRANKED, one.standing, one.adjusted)
        for one in found.considered
    )
    return replace(
        found, chosen=None, considered=tuple(considered), valid_until=None, reason=Standing.AGREED
    )
