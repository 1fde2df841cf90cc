"""A cart and its money become an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from new_core.domain.cart import Cart
from new_core.domain.cart_access import token_digest
from new_core.domain.cart_lines import Goods
from new_core.domain.cart_problems import CartProblem
from new_core.domain.order import (
    FulfilmentStatus,
    NumberSeries,
    Order,
    OrderLine,
    OrderStatus,
    PaymentStatus,
)
from new_core.domain.order_access import order_secret
from new_core.domain.totals import PricedCart
from new_core.errors import Conflict, Detail


@dataclass(frozen=True, slots=True)
class Terms:
    """What every checkout of this shop goes by.

    Attributes:
        token_life: how long the secret of a guest opens their order.
        numbers: where order numbers come from.
    """

    token_life: timedelta
    numbers: NumberSeries


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the buyer says at the last step, beside what the cart knows.

    Attributes:
        secret: what opens the guest's cart; their order's secret is made from it. Empty for
            customers and for carts without one.
    """

    email: str = ""
    purchase_order_number: str = ""
    note: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """A cart with its money and what it holds, by variant."""

    cart: Cart
    priced: PricedCart
    goods: Mapping[UUID, Goods]


def place(bill: Bill, wishes: Wishes, ident: UUID, at: datetime, terms: Terms) -> Order:
    """An order for what is in a cart; it has no number yet and waits for its payment."""
    cart, priced = bill.cart, bill.priced
    is_sent = any(one.requires_shipping for one in bill.goods.values())
    is_free = priced.total_minor == 0
    is_guests = bool(cart.token_sha256) and cart.token_sha256 == token_digest(wishes.secret)
    secret = order_secret(wishes.secret, ident) if is_guests else ""
    return Order(
        id=ident,
        number="",
        cart_id=cart.id,
        buyer=cart.buyer,
        status=OrderStatus.PENDING_PAYMENT,
        payment_status=PaymentStatus.NOT_REQUIRED if is_free else PaymentStatus.UNPAID,
        fulfilment_status=(
            FulfilmentStatus.UNFULFILLED if is_sent else FulfilmentStatus.NOT_REQUIRED
        ),
        lines=_lines(bill, ident),
        shipping=priced.shipping,
        discounts=priced.discounts,
        taxes=priced.taxes,
        total_minor=priced.total_minor,
        tax_included=priced.tax_included,
        created_at=at,
        email=wishes.email or cart.email,
        shipping_address=cart.shipping_address,
        billing_address=cart.billing_address or cart.shipping_address,
        purchase_order_number=wishes.purchase_order_number,
        token_sha256=token_digest(secret) if secret else "",
        token_expires_at=at + terms.token_life if secret else None,
        note=wishes.note,
    )


def check_orderable(problems: Iterable[CartProblem], wishes: Wishes) -> None:
    """Let through what can be ordered.

    What is short is told by whoever promises the units, and what became dearer by the total
    that the buyer agreed to.

    Raises:
        Conflict: `cart_has_problems`, with all of them.
    """
    found = tuple(
        Detail(
            "/lines" if one.line_id is None else f"/lines/{one.line_id}",
            one.code,
            one.detail,
            one.meta,
        )
        for one in problems
        if one.code not in _NOT_HERE
        and not one.code.startswith("coupon_")
        and not (one.code == "missing_email" and wishes.email)
    )
    if found:
        raise Conflict("cart_has_problems", "the cart cannot be ordered as it is", found)


_NOT_HERE = frozenset({"insufficient_stock", "price_changed"})


def _lines(bill: Bill, ident: UUID) -> tuple[OrderLine, ...]:
    kept = {one.id: one for one in bill.cart.lines}
    made = []
    for position, line in enumerate(bill.priced.lines):
        goods = bill.goods[line.variant_id]
        made.append(
            OrderLine(
                # A cart that is tried twice makes two orders; their lines are not the same.
                id=uuid5(ident, line.key.hex),
                variant_id=line.variant_id,
                product_id=goods.product_id,
                sku=goods.sku,
                title=goods.title,
                quantity=line.quantity,
                unit_micro=line.unit_micro or 0,
                base_minor=line.base_minor,
                net_minor=line.net_minor,
                gross_minor=line.gross_minor,
                discounts=line.discounts,
                taxes=line.taxes,
                options=kept[line.key].options,
                position=position,
            )
        )
    return tuple(made)
