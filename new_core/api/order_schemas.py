"""Orders and checkouts as /v1 takes and answers them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from new_core.api.schemas import Amount, Answer, Page, PostalAddressOut
from new_core.domain.catalog import Stored
from new_core.domain.checkout import CheckoutState
from new_core.domain.currency import decimals
from new_core.domain.money import Money, UnitPrice
from new_core.domain.order import (
    FulfilmentStatus,
    Order,
    OrderChange,
    OrderLine,
    OrderStatus,
    PaymentStatus,
)
from new_core.domain.order_states import OrderEvent
from new_core.domain.totals import Discount, DiscountKind, PricedShipping, TaxLine
from new_core.errors import InvalidValue

_TEXT = r"^[^\x00]*$"


class Body(BaseModel):
    """Base of all bodies: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AmountIn(Body):
    """Money: a decimal string, never a float."""

    amount: Annotated[str, Field(pattern=r"^\d{1,13}(\.\d{1,4})?$", examples=["19.99"])]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["CAD"])]

    def money(self) -> Money:
        """The same as the core has it.

        Raises:
            InvalidValue: no such currency, or it has fewer decimals.
        """
        scaled = Decimal(self.amount).scaleb(decimals(self.currency))
        if scaled != scaled.to_integral_value():
            raise InvalidValue("amount", f"{self.amount} has too many decimals")
        return Money(int(scaled), self.currency)


class CheckoutOrderOut(Answer):
    """The order that a checkout made, in short."""

    id: UUID
    number: str
    status: OrderStatus
    payment_status: PaymentStatus
    total: Amount
    has_token: bool = Field(description="whether a guest's secret opens it")


class CheckoutOut(Answer):
    """How a checkout stands."""

    id: UUID
    cart_id: UUID
    state: CheckoutState
    order: CheckoutOrderOut | None = Field(description="of the last try")
    failure: str | None = Field(description="why the last try came to nothing")
    redirect_url: str | None = Field(description="where the buyer confirms the payment")


class CompletedOut(CheckoutOut):
    """A checkout whose order was placed."""

    order_token: str | None = Field(
        default=None, description="a guest's secret for Order-Token; told here alone"
    )


class CheckoutProblemOut(Answer):
    """Something that stands between a cart and its order."""

    code: str
    detail: str
    line_id: UUID | None
    meta: dict[str, Any]


class BegunOut(Answer):
    """What a cart costs when it is ordered as it is."""

    id: UUID
    cart_id: UUID
    state: CheckoutState
    expected_total: Amount = Field(description="to send back with `complete`")
    tax: Amount
    discount: Amount
    shipping: Amount
    tax_known: bool
    valid_until: datetime | None
    problems: list[CheckoutProblemOut]


class DiscountOut(Answer):
    """What one promotion took off; positive."""

    promotion_id: UUID
    name: str
    kind: DiscountKind
    coupon: str
    amount: Amount

    @classmethod
    def all_of(cls, discounts: tuple[Discount, ...], currency: str) -> list[DiscountOut]:
        """Discounts of one currency."""
        return [
            cls(
                promotion_id=one.promotion_id, name=one.name, kind=one.kind, coupon=one.coupon,
                amount=money_out(one.minor, currency),
            )
            for one in discounts
        ]  # fmt: skip


class TaxOut(Answer):
    """One tax of one jurisdiction."""

    code: str
    name: str
    jurisdiction: str
    rate_ppm: int = Field(description="millionths, e.g. 130000 for 13 %")
    base: Amount
    amount: Amount

    @classmethod
    def all_of(cls, taxes: tuple[TaxLine, ...], currency: str) -> list[TaxOut]:
        """Taxes of one currency."""
        return [
            cls(
                code=one.code, name=one.name, jurisdiction=one.jurisdiction, rate_ppm=one.ppm,
                base=money_out(one.base_minor, currency), amount=money_out(one.minor, currency),
            )
            for one in taxes
        ]  # fmt: skip


class OrderLineOut(Answer):
    """One line, as it was placed and edited."""

    id: UUID
    variant_id: UUID
    product_id: UUID
    sku: str
    title: str
    quantity: int
    cancelled_quantity: int
    fulfilled_quantity: int
    returned_quantity: int
    unit_price: Amount
    base: Amount
    discounts: list[DiscountOut]
    net: Amount
    taxes: list[TaxOut]
    gross: Amount
    options: dict[str, str]

    @classmethod
    def of(cls, line: OrderLine, currency: str) -> OrderLineOut:
        """A line of an order in this currency."""
        unit = UnitPrice(line.unit_micro, currency)
        return cls(
            id=line.id, variant_id=line.variant_id, product_id=line.product_id, sku=line.sku,
            title=line.title, quantity=line.quantity, cancelled_quantity=line.cancelled_quantity,
            fulfilled_quantity=line.fulfilled_quantity, returned_quantity=line.returned_quantity,
            unit_price=Amount(amount=unit.text, currency=currency),
            base=money_out(line.base_minor, currency),
            discounts=DiscountOut.all_of(line.discounts, currency),
            net=money_out(line.net_minor, currency),
            taxes=TaxOut.all_of(line.taxes, currency),
            gross=money_out(line.gross_minor, currency),
            options=dict(line.options),
        )  # fmt: skip


class OrderShippingOut(Answer):
    """The way of shipping, with all its money."""

    code: str
    name: str
    base: Amount
    discounts: list[DiscountOut]
    net: Amount
    taxes: list[TaxOut]
    gross: Amount

    @classmethod
    def of(cls, shipping: PricedShipping | None, currency: str) -> OrderShippingOut | None:
        """Shipping, or null where nothing is sent."""
        if shipping is None:
            return None
        return cls(
            code=shipping.code, name=shipping.name,
            base=money_out(shipping.base_minor, currency),
            discounts=DiscountOut.all_of(shipping.discounts, currency),
            net=money_out(shipping.net_minor, currency),
            taxes=TaxOut.all_of(shipping.taxes, currency),
            gross=money_out(shipping.gross_minor, currency),
        )  # fmt: skip


class OrderOut(Answer):
    """An order; `lines` is null in lists that were not asked to expand them."""

    id: UUID
    number: str
    cart_id: UUID
    customer_id: UUID | None
    email: str
    status: OrderStatus
    payment_status: PaymentStatus
    fulfilment_status: FulfilmentStatus
    lines: list[OrderLineOut] | None
    shipping: OrderShippingOut | None
    discounts: list[DiscountOut]
    taxes: list[TaxOut]
    net: Amount
    tax: Amount
    total: Amount
    tax_included: bool = Field(description="whether list prices had the tax in them")
    shipping_address: PostalAddressOut | None
    billing_address: PostalAddressOut | None
    purchase_order_number: str
    note: str
    cancel_reason: str
    source: str
    created_at: datetime
    placed_at: datetime | None
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[Order], *, with_lines: bool = True) -> OrderOut:
        """An order as it is kept."""
        order = stored.value
        currency = order.buyer.currency
        tax = sum(one.minor for one in order.taxes)
        lines = [OrderLineOut.of(one, currency) for one in order.lines] if with_lines else None
        return cls(
            id=order.id, number=order.number, cart_id=order.cart_id,
            customer_id=order.buyer.customer_id, email=order.email, status=order.status,
            payment_status=order.payment_status, fulfilment_status=order.fulfilment_status,
            lines=lines, shipping=OrderShippingOut.of(order.shipping, currency),
            discounts=DiscountOut.all_of(order.discounts, currency),
            taxes=TaxOut.all_of(order.taxes, currency),
            net=money_out(order.total_minor - tax, currency), tax=money_out(tax, currency),
            total=money_out(order.total_minor, currency), tax_included=order.tax_included,
            shipping_address=PostalAddressOut.of(order.shipping_address),
            billing_address=PostalAddressOut.of(order.billing_address),
            purchase_order_number=order.purchase_order_number, note=order.note,
            cancel_reason=order.cancel_reason, source=order.source, created_at=order.created_at,
            placed_at=order.placed_at, updated_at=stored.updated_at, version=stored.version,
        )  # fmt: skip


class OrderList(Answer):
    """A page of orders."""

    data: list[OrderOut]
    page: Page


class TransitionOut(Answer):
    """Something that may be done to an order now."""

    event: OrderEvent
    leads_to: OrderStatus


class Transitions(Answer):
    """All that whoever asks may do to an order now."""

    status: OrderStatus
    data: list[TransitionOut]


class OrderChangeOut(Answer):
    """One edit."""

    n: int
    kind: str
    actions: list[dict[str, Any]]
    total_before: Amount
    total_after: Amount
    actor: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, change: OrderChange, currency: str) -> OrderChangeOut:
        """An edit of an order in this currency."""
        return cls(
            n=change.n, kind=change.kind, actions=[dict(one) for one in change.actions],
            total_before=money_out(change.total_before_minor, currency),
            total_after=money_out(change.total_after_minor, currency),
            actor=change.actor, reason=change.reason, at=change.at,
        )  # fmt: skip


class OrderChanges(Answer):
    """All edits of an order, oldest first."""

    data: list[OrderChangeOut]


class ReasonIn(Body):
    """Why."""

    reason: Annotated[str, Field(max_length=500, pattern=_TEXT)] = ""


def money_out(minor: int, currency: str) -> Amount:
    """An amount as JSON."""
    return Amount(amount=Money(minor, currency).text, currency=currency)
