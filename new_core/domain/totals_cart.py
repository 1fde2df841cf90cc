"""Works out all the money of a cart. Pure, in integers, and in one order of steps: prices,
discounts on lines, on the order and on shipping, then taxes on what is left.

Lines are worked on in the order of their keys, so that the order in which they were added
changes no amount.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from new_core.domain.money import Rounding, UnitPrice
from new_core.domain.pricing import Considered, PriceListKind, PriceTrace, Refusal, Standing
from new_core.domain.promotions import Running, normal_code
from new_core.domain.promotions_apply import OpenCart, apply_promotions
from new_core.domain.promotions_give import OpenLine
from new_core.domain.promotions_when import CartSeen, ItemFacts, LineSeen
from new_core.domain.reservation import Want
from new_core.domain.tax import Levies, Taxable, Taxed, TaxSystem
from new_core.domain.tax_amounts import tax_all
from new_core.domain.totals import (
    CartAsked,
    LineAsked,
    PricedCart,
    PricedLine,
    PricedShipping,
    TaxLine,
)


@dataclass(frozen=True, slots=True)
class Known:
    """All that the money of a cart depends on beside the cart itself.

    Attributes:
        traces: the price of each want in it.
        facts: of its variants; of those that are absent nothing is known.
        promotions: automatic ones, and those of its coupons.
        taxes: None while nobody knows what the destination's are.
    """

    at: datetime
    traces: Mapping[Want, PriceTrace]
    facts: Mapping[UUID, ItemFacts] = field(default_factory=dict)
    promotions: Sequence[Running] = ()
    taxes: TaxSystem | None = None
    rounding: Rounding = Rounding.HALF_UP


@dataclass(frozen=True, slots=True)
class _Found:
    """A line with its price."""

    asked: LineAsked
    trace: PriceTrace
    included: bool
    open: OpenLine


def price_cart(asked: CartAsked, known: Known) -> PricedCart:
    """The money of a cart whose prices were found."""
    found = [_found(one, asked.buyer.currency, known) for one in asked.lines]
    found.sort(key=lambda one: (one.asked.position, one.asked.key.int))
    sold = [one.included for one in found if one.open.unit_micro is not None]
    included = bool(sold) and all(sold)
    cart = _open(asked, found, known)
    coupons = tuple(dict.fromkeys(normal_code(one) for one in asked.coupons))
    apply_promotions(cart, coupons, known.promotions)
    lines, shipping, tax_known = _taxed(asked, found, cart, known, included=included)
    place = {one.key: index for index, one in enumerate(asked.lines)}
    lines.sort(key=lambda one: place[one.key])
    gross = sum(one.gross_minor for one in lines) + (shipping.gross_minor if shipping else 0)
    every = [tax for one in (*lines, *([shipping] if shipping else ())) for tax in one.taxes]
    return PricedCart(
        currency=asked.buyer.currency,
        lines=tuple(lines),
        shipping=shipping,
        discounts=tuple(cart.totals),
        taxes=_summed(every),
        tax_known=tax_known,
        tax_included=included,
        total_minor=gross,
        coupon_problems=tuple(
            (code, cart.problems[code]) for code in coupons if code in cart.problems
        ),
        valid_until=_first_end(found, cart),
        explained=tuple(cart.explained),
    )


def _found(asked: LineAsked, currency: str, known: Known) -> _Found:
    trace = known.traces[Want(asked.variant_id, asked.quantity)]
    # A pinned price contains tax where the price that the lists have contains it.
    included = trace.chosen is not None and trace.chosen.price_list.tax_included
    unit = trace.unit_price
    contract = trace.chosen is not None and trace.chosen.price_list.kind is PriceListKind.CONTRACT
    if asked.agreed_unit_micro is not None:
        unit = UnitPrice(asked.agreed_unit_micro, currency)
        trace, contract = agreed(trace), True
    base = unit.times(asked.quantity, known.rounding).minor if unit else 0
    facts = known.facts.get(asked.variant_id) or ItemFacts(asked.variant_id)
    micro = unit.micro if unit else None
    opened = OpenLine(facts, asked.quantity, micro, base, contract, base)
    return _Found(asked, trace, included, opened)


def agreed(found: PriceTrace) -> PriceTrace:
    """The trace of a line whose price is pinned: what the lists say is only shown."""
    considered = (
        Considered(one.listed, one.refusal or Refusal.OUTRANKED, one.standing, one.adjusted)
        for one in found.considered
    )
    return replace(
        found, chosen=None, considered=tuple(considered), valid_until=None, reason=Standing.AGREED
    )


def _open(asked: CartAsked, found: Sequence[_Found], known: Known) -> OpenCart:
    lines = [one.open for one in found]
    buyer, to = asked.buyer, asked.destination
    return OpenCart(
        lines=lines,
        shipping_minor=asked.shipping.minor if asked.shipping else None,
        currency=buyer.currency,
        customer_id=buyer.customer_id,
        seen=CartSeen(
            tuple(LineSeen(one.facts, one.quantity, one.base_minor) for one in lines),
            buyer.group_ids,
            buyer.channel,
            to.country if to else buyer.country,
            known.at,
        ),
        rounding=known.rounding,
    )


def _taxed(
    asked: CartAsked, found: Sequence[_Found], cart: OpenCart, known: Known, *, included: bool
) -> tuple[list[PricedLine], PricedShipping | None, bool]:
    """The cart's parts with their taxes, and whether these are known."""
    levies, tax_known = _levies(asked, found, known)
    items = [
        Taxable(line.left_minor, line.quantity, levies[line.facts.tax_class], one.included)
        for one in found
        for line in (one.open,)
    ]
    way = asked.shipping
    if way is not None:
        left = cart.shipping_minor or 0
        items.append(Taxable(left, 1, levies[way.tax_class], included))
    on = (known.taxes or TaxSystem()).rounding
    taxed = tax_all(items, on, known.rounding)
    lines = [_line(one, amounts) for one, amounts in zip(found, taxed, strict=False)]
    if way is None:
        return lines, None, tax_known
    discounts = tuple(cart.shipping_discounts)
    last = taxed[-1]
    shipping = PricedShipping(
        way.code, way.name, way.minor, discounts, last.net_minor, last.taxes, last.gross_minor
    )
    return lines, shipping, tax_known


def _levies(
    asked: CartAsked, found: Sequence[_Found], known: Known
) -> tuple[dict[str, Levies], bool]:
    """The taxes of every class of goods in the cart, and whether they are known."""
    classes = {one.open.facts.tax_class for one in found}
    if asked.shipping is not None:
        classes.add(asked.shipping.tax_class)
    to, taxes = asked.destination, known.taxes
    if to is None or taxes is None or not taxes.knows(to):
        return dict.fromkeys(classes, Levies((), ())), False
    return {one: taxes.levies(to, one, known.at) for one in classes}, True


def _line(found: _Found, taxed: Taxed) -> PricedLine:
    line = found.open
    return PricedLine(
        key=found.asked.key,
        variant_id=found.asked.variant_id,
        quantity=line.quantity,
        unit_micro=line.unit_micro,
        base_minor=line.base_minor,
        discounts=tuple(line.discounts),
        net_minor=taxed.net_minor,
        taxes=taxed.taxes,
        gross_minor=taxed.gross_minor,
        trace=found.trace,
    )


def _summed(taxes: Iterable[TaxLine]) -> tuple[TaxLine, ...]:
    """Each tax once, over all that it was taken on."""
    sums: dict[tuple[str, str, str, int], tuple[int, int]] = {}
    for one in taxes:
        key = (one.jurisdiction, one.code, one.name, one.ppm)
        base, minor = sums.get(key, (0, 0))
        sums[key] = base + one.base_minor, minor + one.minor
    return tuple(
        TaxLine(code, name, jurisdiction, ppm, *sums[jurisdiction, code, name, ppm])
        for jurisdiction, code, name, ppm in sorted(sums)
    )


def _first_end(found: Sequence[_Found], cart: OpenCart) -> datetime | None:
    ends = [one.trace.valid_until for one in found]
    ends += [one.ends_at for one in cart.applied]
    return min((end for end in ends if end is not None), default=None)
