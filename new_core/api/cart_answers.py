"""Carts as /v1 shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from new_core.api.schemas import Amount, Answer, Page, PostalAddressOut
from new_core.domain.cart import Cart, CartLine, CartState
from new_core.domain.cart_lines import REFUSALS, Goods, Placed, RowRefusal
from new_core.domain.cart_problems import CartProblem
from new_core.domain.catalog import Stored
from new_core.domain.money import Money, UnitPrice
from new_core.domain.totals import (
    Discount,
    DiscountKind,
    PricedCart,
    PricedLine,
    PricedShipping,
    TaxLine,
)
from new_core.service.cart_changes import Added
from new_core.service.carting import CartView


class LineOut(Answer):
    """A line, without the money that depends on the whole cart."""

    id: UUID
    variant_id: UUID
    product_id: UUID | None = Field(description="null when it is not in the catalogue any more")
    sku: str
    title: str
    quantity: int
    options: dict[str, str]
    unit_price: Amount | None = Field(description="null when there is no price to sell it at")

    @classmethod
    def of(cls, line: CartLine, goods: Goods | None, currency: str) -> LineOut:
        """A line as it was just priced."""
        return cls(**_line_fields(line, goods, line.shown_micro, currency))


class LineChanged(Answer):
    """A line after a change, and the cart's version, which If-Match names."""

    cart_id: UUID
    cart_version: int
    line: LineOut


class RowOut(Answer):
    """What became of one row of a batch."""

    index: int
    status: str = Field(examples=["added", "changed", "refused"])
    code: str | None = Field(description="why it was refused, for programs")
    detail: str | None = Field(description="the same for people")
    line_id: UUID | None
    quantity: int | None = Field(description="of the line after all rows")


class RowsOut(Answer):
    """What became of a batch, row by row, in the order of the rows."""

    cart_id: UUID
    cart_version: int
    accepted: int
    refused: int
    rows: list[RowOut]

    @classmethod
    def of(cls, cart_id: UUID, added: Added) -> RowsOut:
        """The rows of a batch."""
        rows = [_row(index, one) for index, one in enumerate(added.placed)]
        refused = sum(one.code is not None for one in rows)
        return cls(
            cart_id=cart_id, cart_version=added.version, accepted=len(rows) - refused,
            refused=refused, rows=rows,
        )  # fmt: skip


class DiscountOut(Answer):
    """What one promotion took off."""

    promotion_id: UUID
    name: str
    kind: DiscountKind
    coupon: str
    amount: Amount


class TaxOut(Answer):
    """One tax."""

    code: str
    name: str
    jurisdiction: str
    rate_ppm: int = Field(description="millionths: 130000 is 13 %")
    base: Amount
    amount: Amount


class CartLineOut(LineOut):
    """A line with all its money."""

    base: Amount = Field(description="unit price times quantity, as the price list says it")
    discounts: list[DiscountOut]
    net: Amount
    taxes: list[TaxOut]
    gross: Amount


class ShippingOut(Answer):
    """The chosen way of shipping with all its money."""

    code: str
    name: str
    base: Amount
    discounts: list[DiscountOut]
    net: Amount
    taxes: list[TaxOut]
    gross: Amount


class ProblemOut(Answer):
    """Something that stands between a cart and its order."""

    code: str = Field(examples=["insufficient_stock"])
    detail: str
    line_id: UUID | None
    meta: dict[str, Any]


class CartOut(Answer):
    """A cart with its money and its problems. Sum of lines and shipping = total, always."""

    id: UUID
    state: CartState
    customer_id: UUID | None
    currency: str
    channel: str
    email: str
    lines: list[CartLineOut]
    coupons: list[str]
    shipping_code: str
    shipping: ShippingOut | None
    shipping_required: bool
    shipping_address: PostalAddressOut | None
    billing_address: PostalAddressOut | None
    discounts: list[DiscountOut]
    taxes: list[TaxOut]
    tax_known: bool = Field(description="false while the destination is not known")
    tax_included: bool = Field(description="whether the price lists' prices contain the tax")
    net: Amount
    tax: Amount
    total: Amount
    problems: list[ProblemOut]
    explained: list[str] = Field(description="what promotions decided, for people")
    prices_valid_until: datetime | None
    merged_into: UUID | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    version: int
    token: str | None = Field(
        default=None, description="of a guest's new cart, once: send it as Cart-Token"
    )

    @classmethod
    def of(cls, view: CartView, token: str | None = None) -> CartOut:
        """A cart as of one moment."""
        cart, priced = view.stored.value, view.priced
        currency = priced.currency
        return cls(
            id=cart.id, state=cart.state, customer_id=cart.buyer.customer_id,
            currency=currency, channel=cart.buyer.channel, email=cart.email,
            lines=_lines(view), coupons=list(cart.coupons),
            shipping_code=cart.shipping_code, shipping=_shipping(priced.shipping, currency),
            shipping_required=view.facts.shipping.needed,
            shipping_address=PostalAddressOut.of(cart.shipping_address),
            billing_address=PostalAddressOut.of(cart.billing_address),
            discounts=_discounts(priced.discounts, currency),
            taxes=_taxes(priced.taxes, currency),
            tax_known=priced.tax_known, tax_included=priced.tax_included,
            net=_amount(priced.net_minor, currency), tax=_amount(priced.tax_minor, currency),
            total=_amount(priced.total_minor, currency),
            problems=[_problem(one) for one in view.problems],
            explained=list(priced.explained), prices_valid_until=priced.valid_until,
            merged_into=cart.merged_into, created_at=cart.created_at,
            updated_at=view.stored.updated_at, expires_at=cart.expires_at,
            version=view.stored.version, token=token,
        )  # fmt: skip


class CartSummaryOut(Answer):
    """A cart in a list, without what it holds and whom it is for."""

    id: UUID
    state: CartState
    customer_id: UUID | None
    currency: str
    channel: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[Cart]) -> CartSummaryOut:
        """A cart in a list."""
        cart = stored.value
        return cls(
            id=cart.id, state=cart.state, customer_id=cart.buyer.customer_id,
            currency=cart.buyer.currency, channel=cart.buyer.channel, created_at=cart.created_at,
            updated_at=stored.updated_at, expires_at=cart.expires_at, version=stored.version,
        )  # fmt: skip


class CartList(Answer):
    """A page of carts, ascending by (updated_at, id)."""

    data: list[CartSummaryOut]
    page: Page


def _amount(minor: int, currency: str) -> Amount:
    return Amount(amount=Money(minor, currency).text, currency=currency)


def _line_fields(
    line: CartLine, goods: Goods | None, unit_micro: int | None, currency: str
) -> dict[str, Any]:
    return {
        "id": line.id,
        "variant_id": line.variant_id,
        "product_id": goods.product_id if goods else None,
        "sku": goods.sku if goods else "",
        "title": goods.title if goods else "",
        "quantity": line.quantity,
        "options": dict(line.options),
        "unit_price": None if unit_micro is None else Amount.of(UnitPrice(unit_micro, currency)),
    }


def _lines(view: CartView) -> list[CartLineOut]:
    priced: Mapping[UUID, PricedLine] = {one.key: one for one in view.priced.lines}
    return [
        _line(line, priced[line.id], view.facts.goods.get(line.variant_id), view.priced)
        for line in view.stored.value.lines
    ]


def _line(line: CartLine, money: PricedLine, goods: Goods | None, cart: PricedCart) -> CartLineOut:
    currency = cart.currency
    return CartLineOut(
        **_line_fields(line, goods, money.unit_micro, currency),
        base=_amount(money.base_minor, currency),
        discounts=_discounts(money.discounts, currency),
        net=_amount(money.net_minor, currency),
        taxes=_taxes(money.taxes, currency),
        gross=_amount(money.gross_minor, currency),
    )


def _shipping(shipping: PricedShipping | None, currency: str) -> ShippingOut | None:
    if shipping is None:
        return None
    return ShippingOut(
        code=shipping.code,
        name=shipping.name,
        base=_amount(shipping.base_minor, currency),
        discounts=_discounts(shipping.discounts, currency),
        net=_amount(shipping.net_minor, currency),
        taxes=_taxes(shipping.taxes, currency),
        gross=_amount(shipping.gross_minor, currency),
    )


def _discounts(found: Sequence[Discount], currency: str) -> list[DiscountOut]:
    return [
        DiscountOut(
            promotion_id=one.promotion_id, name=one.name, kind=one.kind, coupon=one.coupon,
            amount=_amount(one.minor, currency),
        )
        for one in found
    ]  # fmt: skip


def _taxes(found: Sequence[TaxLine], currency: str) -> list[TaxOut]:
    return [
        TaxOut(
            code=one.code, name=one.name, jurisdiction=one.jurisdiction, rate_ppm=one.ppm,
            base=_amount(one.base_minor, currency), amount=_amount(one.minor, currency),
        )
        for one in found
    ]  # fmt: skip


def _problem(problem: CartProblem) -> ProblemOut:
    return ProblemOut(
        code=problem.code, detail=problem.detail, line_id=problem.line_id,
        meta=dict(problem.meta),
    )  # fmt: skip


def _row(index: int, placed: Placed) -> RowOut:
    refusal: RowRefusal | None = placed.refusal
    status = "refused" if refusal else "added" if placed.is_new else "changed"
    return RowOut(
        index=index,
        status=status,
        code=refusal.value if refusal else None,
        detail=REFUSALS[refusal] if refusal else None,
        line_id=placed.line.id if placed.line else None,
        quantity=placed.line.quantity if placed.line else None,
    )
