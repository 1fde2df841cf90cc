"""A cart's money as the API shows it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from new_core.api.schemas import Amount, Answer
from new_core.domain.money import Money, UnitPrice
from new_core.domain.pricing import PriceTrace, Refusal, Standing
from new_core.domain.totals import (
    CouponProblem,
    Discount,
    DiscountKind,
    PricedCart,
    PricedLine,
    PricedShipping,
    TaxLine,
)


def _money(minor: int, currency: str) -> Amount:
    return Amount(amount=Money(minor, currency).text, currency=currency)


class DiscountOut(Answer):
    """What one promotion took off."""

    promotion_id: UUID
    name: str
    kind: DiscountKind
    amount: Amount
    coupon: str | None

    @classmethod
    def of(cls, one: Discount, currency: str) -> DiscountOut:
        """A discount."""
        return cls(
            promotion_id=one.promotion_id, name=one.name, kind=one.kind,
            amount=_money(one.minor, currency), coupon=one.coupon or None,
        )  # fmt: skip


class TaxOut(Answer):
    """One tax of one jurisdiction."""

    code: str
    name: str
    jurisdiction: str
    ppm: int = Field(description="the rate in millionths")
    base: Amount
    amount: Amount

    @classmethod
    def of(cls, one: TaxLine, currency: str) -> TaxOut:
        """A tax."""
        return cls(
            code=one.code, name=one.name, jurisdiction=one.jurisdiction, ppm=one.ppm,
            base=_money(one.base_minor, currency), amount=_money(one.minor, currency),
        )  # fmt: skip


class TraceStep(Answer):
    """A price that was looked at."""

    price_list: str
    standing: Standing | None = Field(description="why the list holds for the buyer")
    min_qty: int
    unit_price: Amount | None
    adjusted: bool = Field(description="taken over from the list's parent")
    refusal: Refusal | None = Field(description="null for the one that was taken")


class TraceOut(Answer):
    """How a price came about."""

    price_list: str | None
    reason: Standing | None
    valid_until: datetime | None
    considered: list[TraceStep] = Field(description="every price looked at, best first")

    @classmethod
    def of(cls, trace: PriceTrace) -> TraceOut:
        """A trace."""
        steps = []
        for one in trace.considered:
            price, price_list = one.listed.price, one.listed.price_list
            unit = None
            if price.unit_micro is not None:
                unit = UnitPrice(price.unit_micro, price_list.currency)
            steps.append(
                TraceStep(
                    price_list=price_list.code, standing=one.standing, min_qty=price.min_qty,
                    unit_price=Amount.of(unit), adjusted=one.adjusted, refusal=one.refusal,
                )
            )  # fmt: skip
        return cls(
            price_list=trace.chosen.price_list.code if trace.chosen else None,
            reason=trace.reason, valid_until=trace.valid_until, considered=steps,
        )  # fmt: skip


class PricedLineOut(Answer):
    """One line with all its money."""

    variant_id: UUID
    quantity: int
    unit_price: Amount | None = Field(description="null when there is no price to sell it at")
    base: Amount
    discounts: list[DiscountOut]
    net: Amount
    taxes: list[TaxOut]
    gross: Amount
    trace: TraceOut

    @classmethod
    def of(cls, one: PricedLine, currency: str) -> PricedLineOut:
        """A line."""
        unit = None if one.unit_micro is None else UnitPrice(one.unit_micro, currency)
        return cls(
            variant_id=one.variant_id, quantity=one.quantity, unit_price=Amount.of(unit),
            base=_money(one.base_minor, currency),
            discounts=[DiscountOut.of(some, currency) for some in one.discounts],
            net=_money(one.net_minor, currency),
            taxes=[TaxOut.of(some, currency) for some in one.taxes],
            gross=_money(one.gross_minor, currency), trace=TraceOut.of(one.trace),
        )  # fmt: skip


class PricedShippingOut(Answer):
    """Shipping with all its money."""

    code: str
    name: str
    base: Amount
    discounts: list[DiscountOut]
    net: Amount
    taxes: list[TaxOut]
    gross: Amount

    @classmethod
    def of(cls, one: PricedShipping, currency: str) -> PricedShippingOut:
        """Shipping."""
        return cls(
            code=one.code, name=one.name, base=_money(one.base_minor, currency),
            discounts=[DiscountOut.of(some, currency) for some in one.discounts],
            net=_money(one.net_minor, currency),
            taxes=[TaxOut.of(some, currency) for some in one.taxes],
            gross=_money(one.gross_minor, currency),
        )  # fmt: skip


class CouponRefused(Answer):
    """A coupon that gives nothing."""

    code: str
    problem: CouponProblem


class PricedCartOut(Answer):
    """All the money of a cart, and how it came about."""

    currency: str
    lines: list[PricedLineOut]
    shipping: PricedShippingOut | None
    discounts: list[DiscountOut] = Field(description="per promotion, in order of application")
    taxes: list[TaxOut] = Field(description="per tax, over lines and shipping")
    tax_known: bool
    tax_included: bool
    net: Amount
    tax: Amount
    total: Amount
    coupon_problems: list[CouponRefused]
    valid_until: datetime | None
    explained: list[str] = Field(description="a sentence per decision of promotions")

    @classmethod
    def of(cls, one: PricedCart) -> PricedCartOut:
        """A priced cart."""
        currency = one.currency
        shipping = PricedShippingOut.of(one.shipping, currency) if one.shipping else None
        return cls(
            currency=currency,
            lines=[PricedLineOut.of(line, currency) for line in one.lines],
            shipping=shipping,
            discounts=[DiscountOut.of(some, currency) for some in one.discounts],
            taxes=[TaxOut.of(some, currency) for some in one.taxes],
            tax_known=one.tax_known,
            tax_included=one.tax_included,
            net=_money(one.net_minor, currency),
            tax=_money(one.tax_minor, currency),
            total=_money(one.total_minor, currency),
            coupon_problems=[
                CouponRefused(code=code, problem=problem) for code, problem in one.coupon_problems
            ],
            valid_until=one.valid_until,
            explained=list(one.explained),
        )
