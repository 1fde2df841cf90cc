"""What was bought. An order keeps its own copy of all it was placed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.totals import Discount, PricedShipping, TaxLine


class OrderStatus(StrEnum):
    """Where an order stands."""

    DRAFT = "draft"
    PENDING_APPROVAL = "pending_approval"
    PENDING_PAYMENT = "pending_payment"
    PLACED = "placed"
    PROCESSING = "processing"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class PaymentStatus(StrEnum):
    """What of an order is paid, as its payment's events say."""

    NOT_REQUIRED = "not_required"
    UNPAID = "unpaid"
    AUTHORISED = "authorised"
    PARTIALLY_CAPTURED = "partially_captured"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"
    ON_ACCOUNT = "on_account"
    OVERDUE = "overdue"
    DISPUTED = "disputed"


class FulfilmentStatus(StrEnum):
    """What of an order is on its way."""

    UNFULFILLED = "unfulfilled"
    PARTIALLY_ALLOCATED = "partially_allocated"
    ALLOCATED = "allocated"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"
    PARTIALLY_RETURNED = "partially_returned"
    RETURNED = "returned"
    NOT_REQUIRED = "not_required"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line, with title, price and taxes as they were when it was placed.

    Attributes:
        stock_level_id: where an order that came from elsewhere is sent from; of the core's own
            the reservations know.
    """

    id: UUID
    variant_id: UUID
    product_id: UUID
    sku: str
    title: str
    quantity: int
    unit_micro: int
    base_minor: int
    net_minor: int
    gross_minor: int
    discounts: tuple[Discount, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    position: int = 0
    cancelled_quantity: int = 0
    fulfilled_quantity: int = 0
    returned_quantity: int = 0
    stock_level_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """What of an order's money moved, over all attempts, in minor units.

    Attributes:
        authorised_minor: promised by a gateway, whether taken since or not.
        is_voided: what was promised was let go, and nothing was taken.
    """

    authorised_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    is_voided: bool = False
    is_disputed: bool = False


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """A range of order numbers that nobody else draws from; both ends are in it."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class OrderChange:
    """One edit of an order after it was placed; the order's versions can be read from these.

    Attributes:
        n: counts from 1.
        actions: JSON, what was done, in order.
        reason: in the words of who did it.
    """

    order_id: UUID
    n: int
    kind: str
    actions: tuple[Mapping[str, object], ...]
    total_before_minor: int
    total_after_minor: int
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """An order.

    Attributes:
        number: for people, unique, out of a range that no other system draws from.
        cart_id: a cart has at most one order that is not cancelled.
        token_sha256: hex digest of the secret by which a guest reads the order.
        token_expires_at: when that secret opens it no more.
        cancel_reason: e.g. "payment_failed"; empty unless it is cancelled.
        source: the system it was placed in, "core" for this one.
        placed_at: when its payment was settled, or did not need to be; None before.
    """

    id: UUID
    number: str
    cart_id: UUID
    buyer: Buyer
    status: OrderStatus
    payment_status: PaymentStatus
    fulfilment_status: FulfilmentStatus
    lines: tuple[OrderLine, ...]
    shipping: PricedShipping | None
    discounts: tuple[Discount, ...]
    taxes: tuple[TaxLine, ...]
    total_minor: int
    tax_included: bool
    created_at: datetime
    placed_at: datetime | None = None
    email: str = ""
    shipping_address: PostalAddress | None = None
    billing_address: PostalAddress | None = None
    purchase_order_number: str = ""
    token_sha256: str = ""
    token_expires_at: datetime | None = None
    source: str = "core"
    note: str = ""
    cancel_reason: str = ""
