"""A cart with its prices, discounts and taxes, exact to the minor unit.

Sum of lines = total, always: every share of a discount or a tax is an integer, and what is
left over goes to the lines with the largest remainders.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.buyer import Buyer, Destination
from new_core.domain.pricing import PriceTrace


@dataclass(frozen=True, slots=True)
class LineAsked:
    """One line of a cart, before it has a price.

    Attributes:
        key: the line's own id; comes back in `PricedLine.key`.
        agreed_unit_micro: a price that is pinned (a quote's); None lets the lists decide.
        position: of equal lines, the one that stands first is given to first; where positions
            are equal too, their keys decide.
    """

    key: UUID
    variant_id: UUID
    quantity: int
    agreed_unit_micro: int | None = None
    position: int = 0


@dataclass(frozen=True, slots=True)
class ShippingAsked:
    """What the chosen way of shipping costs before discounts.

    Attributes:
        tax_class: as a product's; decides its taxes.
    """

    code: str
    name: str
    minor: int
    tax_class: str = "standard"


@dataclass(frozen=True, slots=True)
class CartAsked:
    """A cart that wants its totals.

    Attributes:
        destination: None while nobody knows it: taxes are unknown then, and zero.
    """

    buyer: Buyer
    lines: tuple[LineAsked, ...]
    coupons: tuple[str, ...] = ()
    shipping: ShippingAsked | None = None
    destination: Destination | None = None


class DiscountKind(StrEnum):
    """What a promotion takes its discount from."""

    LINE = "line"
    ORDER = "order"
    SHIPPING = "shipping"


@dataclass(frozen=True, slots=True)
class Discount:
    """What one promotion took off, in all or from one line; `minor` is positive."""

    promotion_id: UUID
    name: str
    kind: DiscountKind
    minor: int
    coupon: str = ""


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One tax of one jurisdiction on one line, on shipping, or on all of them.

    Attributes:
        ppm: the rate in millionths, e.g. 130,000 for 13 %.
        base_minor: what it is taken on, without this tax.
    """

    code: str
    name: str
    jurisdiction: str
    ppm: int
    base_minor: int
    minor: int


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line with all its money.

    base = unit price x quantity as the list says it (tax in it when `tax_included`);
    discounts include this line's share of discounts on the whole order.
    net = without tax, gross = with tax; gross - net = sum of taxes.

    Attributes:
        unit_micro: None when there is no price to sell it at; all its money is 0 then.
    """

    key: UUID
    variant_id: UUID
    quantity: int
    unit_micro: int | None
    base_minor: int
    discounts: tuple[Discount, ...]
    net_minor: int
    taxes: tuple[TaxLine, ...]
    gross_minor: int
    trace: PriceTrace

    @property
    def discount_minor(self) -> int:
        """All that was taken off this line."""
        return sum(one.minor for one in self.discounts)

    @property
    def tax_minor(self) -> int:
        """All taxes of this line."""
        return sum(one.minor for one in self.taxes)


@dataclass(frozen=True, slots=True)
class PricedShipping:
    """Shipping with all its money, as a line's."""

    code: str
    name: str
    base_minor: int
    discounts: tuple[Discount, ...]
    net_minor: int
    taxes: tuple[TaxLine, ...]
    gross_minor: int


class CouponProblem(StrEnum):
    """Why a coupon gives nothing."""

    UNKNOWN = "coupon_unknown"
    NOT_VALID = "coupon_not_valid"
    EXHAUSTED = "coupon_exhausted"
    CONDITION = "coupon_condition_not_met"
    OUTRANKED = "coupon_outranked"


@dataclass(frozen=True, slots=True)
class PricedCart:
    """All the money of a cart.

    total = sum of lines' gross + shipping's gross.

    Attributes:
        discounts: per promotion, in the order in which they were applied.
        taxes: per tax, over all lines and shipping.
        tax_known: False while the destination is not known.
        tax_included: whether the lists' prices contain the tax.
        coupon_problems: coupons that gave nothing, with the reason.
        valid_until: when the first of the prices and promotions in it ends.
        explained: one sentence per decision of promotions, for people.
    """

    currency: str
    lines: tuple[PricedLine, ...]
    shipping: PricedShipping | None
    discounts: tuple[Discount, ...]
    taxes: tuple[TaxLine, ...]
    tax_known: bool
    tax_included: bool
    total_minor: int
    coupon_problems: tuple[tuple[str, CouponProblem], ...] = ()
    valid_until: datetime | None = None
    explained: tuple[str, ...] = ()

    @property
    def net_minor(self) -> int:
        """Lines and shipping without tax."""
        shipping = self.shipping.net_minor if self.shipping else 0
        return sum(one.net_minor for one in self.lines) + shipping

    @property
    def tax_minor(self) -> int:
        """All taxes."""
        return sum(one.minor for one in self.taxes)

    @property
    def discount_minor(self) -> int:
        """All discounts."""
        return sum(one.minor for one in self.discounts)
