"""An order as a document: what oscar and the core both can say of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec

from legacy_adapters.oscar.mapping.sync_customer_addresses import Address
from new_core.domain.order import OrderStatus


class Stage(StrEnum):
    """How far an order is. The core knows finer steps, which stay within one of these."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


OSCAR_STATUS: Mapping[Stage, str] = {
    Stage.PENDING: "Pending",
    Stage.PROCESSING: "Being processed",
    Stage.COMPLETED: "Complete",
    Stage.CANCELLED: "Cancelled",
}
"""Oscar's pipeline."""

STAGE_OF_OSCAR: Mapping[str, Stage] = {status: stage for stage, status in OSCAR_STATUS.items()}

STAGE: Mapping[OrderStatus, Stage] = {
    OrderStatus.DRAFT: Stage.PENDING,
    OrderStatus.PENDING_APPROVAL: Stage.PENDING,
    OrderStatus.PENDING_PAYMENT: Stage.PENDING,
    OrderStatus.PLACED: Stage.PENDING,
    OrderStatus.PROCESSING: Stage.PROCESSING,
    OrderStatus.ON_HOLD: Stage.PROCESSING,
    OrderStatus.COMPLETED: Stage.COMPLETED,
    OrderStatus.CANCELLED: Stage.CANCELLED,
}
"""Every status of the core."""

FIRST_STATUS: Mapping[Stage, OrderStatus] = {
    Stage.PENDING: OrderStatus.PLACED,
    Stage.PROCESSING: OrderStatus.PROCESSING,
    Stage.COMPLETED: OrderStatus.COMPLETED,
    Stage.CANCELLED: OrderStatus.CANCELLED,
}
"""Where in the core an order stands that comes into a stage."""


class Settled(StrEnum):
    """What of an order's money moved. UNSAID: oscar has no payment of it, or it is cancelled,
    or it was born in the core, which books its payments itself.
    """

    UNSAID = ""
    AUTHORISED = "authorised"
    PARTIALLY_CAPTURED = "partially_captured"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class Reduction(msgspec.Struct, frozen=True):
    """What an offer took off the whole order.

    Attributes:
        promotion_id: NOBODYS where oscar does not say which offer it was.
        coupon: the code that opened it; empty without one.
        of_shipping: whether shipping became cheaper by it, or the goods.
        minor: as oscar's amount, positive.
    """

    promotion_id: UUID
    name: str
    coupon: str
    of_shipping: bool
    minor: int


class Share(msgspec.Struct, frozen=True):
    """What an offer took off one line."""

    promotion_id: UUID
    coupon: str
    minor: int


class Line(msgspec.Struct, frozen=True):
    """One line. Money is in minor units: base before, net and gross after discounts.

    Attributes:
        product_id: None where oscar's product is gone.
        stock_level_id: where the goods come from; None where nobody knows any more.
        options: code and value.
    """

    id: UUID
    product_id: UUID | None
    stock_level_id: UUID | None
    sku: str
    title: str
    quantity: int
    base_minor: int
    net_minor: int
    gross_minor: int
    shares: tuple[Share, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


class Shipping(msgspec.Struct, frozen=True):
    """The way of shipping and what it costs, without and with tax."""

    code: str
    name: str
    net_minor: int
    gross_minor: int


class OrderDoc(msgspec.Struct, frozen=True):
    """An order.

    Attributes:
        cart_id: None where oscar's basket is gone.
        email: a guest's; a customer's is in the customer.
        settled: by payments that oscar knows.
        tax_included: whether lines' `base_minor` is with tax; see `told`.
        net_minor, total_minor: without and with tax, shipping and surcharges in both.
        billing_address: None where nobody gave one.
    """

    id: UUID
    number: str
    cart_id: UUID | None
    customer_id: UUID | None
    email: str
    currency: str
    stage: Stage
    settled: Settled
    placed_at: datetime
    lines: tuple[Line, ...]
    shipping: Shipping | None
    reductions: tuple[Reduction, ...]
    tax_included: bool
    net_minor: int
    total_minor: int
    shipping_address: Address | None
    billing_address: Address | None


def placed_in_oscar(order_id: UUID) -> bool:
    """Whether an order was oscar's first: ids made from its keys are of version 5."""
    return order_id.version == _OF_A_KEY


_OF_A_KEY = 5

NO_SHIPPING = Shipping("no-shipping-required", "No shipping required", 0, 0)
"""What oscar writes where the core has no shipping."""


class Sums(NamedTuple):
    """A line's money: after discounts and before, each without and with tax."""

    net: int
    gross: int
    net_before: int
    gross_before: int


def sums(base: int, net: int, gross: int, *, tax_included: bool) -> Sums:
    """All four amounts of a line of which one is known before discounts. The tax of what was
    taken off is its share of the tax of what is left, as in the facade's answers.
    """
    tax, left = gross - net, gross if tax_included else net
    before = tax if left == 0 else (2 * tax * base + left) // (2 * left)
    return Sums(net, gross, base - before * tax_included, base + before * (not tax_included))


def told(lines: Iterable[Sums]) -> tuple[bool, list[int]]:
    """Whether bases are with tax, and the bases: so that `sums` gives the four amounts back.

    Without tax where that does it for all lines, else with tax where that does. Where neither
    does, without; what `sums` makes of it is a minor unit off then.
    """
    every = list(lines)
    for tax_included in (False, True):
        bases = [one.gross_before if tax_included else one.net_before for one in every]
        if all(
            sums(base, one.net, one.gross, tax_included=tax_included) == one
            for base, one in zip(bases, every, strict=True)
        ):
            return tax_included, bases
    return False, [one.net_before for one in every]


def settled(allocated: int, debited: int, refunded: int, total: int) -> Settled:
    """What three sums of payments come to, in minor units."""
    if refunded > 0:
        return Settled.REFUNDED if refunded >= debited else Settled.PARTIALLY_REFUNDED
    if debited > 0:
        return Settled.PAID if debited >= total else Settled.PARTIALLY_CAPTURED
    return Settled.AUTHORISED if allocated > 0 else Settled.UNSAID
