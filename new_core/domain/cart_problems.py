"""What stands between a cart and its order, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from new_core.domain.cart import Cart, CartLine
from new_core.domain.cart_lines import REFUSALS, Goods, refused_quantity
from new_core.domain.money import UnitPrice
from new_core.domain.shipping import ShippingQuote
from new_core.domain.totals import PricedCart


@dataclass(frozen=True, slots=True)
class CartProblem:
    """Something that stands between a cart and its order.

    Attributes:
        code: e.g. "insufficient_stock", "price_changed", "not_for_sale", "coupon_unknown".
        line_id: None when it is about the whole cart.
        meta: JSON that a program can act on, e.g. how many units there are.
    """

    code: str
    detail: str
    line_id: UUID | None = None
    meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShippingNeeds:
    """What a cart's way of shipping may be.

    Attributes:
        needed: whether one has to be chosen before the cart is ordered.
        ships: whether anything in the cart is sent at all.
        quotes: those that are offered.
    """

    needed: bool
    ships: bool
    quotes: tuple[ShippingQuote, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the shop says now about the goods of a cart.

    Attributes:
        goods: by variant; what is not there any more is absent.
        units: how many can be had by variant; None never runs out, absent cannot be had.
    """

    goods: Mapping[UUID, Goods]
    units: Mapping[UUID, int | None]
    shipping: ShippingNeeds


def find_problems(cart: Cart, priced: PricedCart, facts: Facts) -> tuple[CartProblem, ...]:
    """All problems: those of lines in their order, then coupons, then the whole cart's."""
    return (
        *_of_lines(cart, priced, facts),
        *_of_coupons(priced),
        *_of_cart(cart, facts.shipping),
    )


def _of_lines(cart: Cart, priced: PricedCart, facts: Facts) -> Iterator[CartProblem]:
    wanted: Counter[UUID] = Counter()
    for line in cart.lines:
        wanted[line.variant_id] += line.quantity
    unit_micro = {one.key: one.unit_micro for one in priced.lines}
    for line in cart.lines:
        goods = facts.goods.get(line.variant_id)
        if goods is None or not goods.is_for_sale:
            yield CartProblem("not_for_sale", "this is not for sale any more", line.id)
            continue
        refusal = refused_quantity(goods, line.quantity)
        if refusal is not None:
            yield CartProblem(refusal.value, REFUSALS[refusal], line.id)
        yield from _of_price(line, unit_micro.get(line.id), priced.currency)
        units = facts.units.get(line.variant_id, 0)
        if units is not None and wanted[line.variant_id] > units:
            yield _short(line, wanted[line.variant_id], max(units, 0))


def _of_price(line: CartLine, micro: int | None, currency: str) -> Iterator[CartProblem]:
    if micro is None:
        yield CartProblem("no_price", "there is no price to sell this at", line.id)
    elif line.shown_micro is not None and line.shown_micro != micro:
        shown, now = UnitPrice(line.shown_micro, currency).text, UnitPrice(micro, currency).text
        yield CartProblem(
            "price_changed", f"the price of one was {shown} and is {now}", line.id,
            {"shown": shown, "now": now, "currency": currency},
        )  # fmt: skip


def _short(line: CartLine, wanted: int, available: int) -> CartProblem:
    return CartProblem(
        "insufficient_stock", f"{available} of {wanted} can be had", line.id,
        {"variant_id": str(line.variant_id), "wanted": wanted, "available": available},
    )  # fmt: skip


def _of_coupons(priced: PricedCart) -> Iterator[CartProblem]:
    for coupon, problem in priced.coupon_problems:
        detail = f"{coupon}: {problem.value.removeprefix('coupon_').replace('_', ' ')}"
        yield CartProblem(problem.value, detail, meta={"coupon": coupon})


def _of_cart(cart: Cart, shipping: ShippingNeeds) -> Iterator[CartProblem]:
    if not cart.lines:
        yield CartProblem("cart_empty", "there is nothing in the cart")
    if cart.buyer.customer_id is None and not cart.email:
        yield CartProblem("missing_email", "nobody knows where to write to")
    if shipping.ships and cart.shipping_address is None:
        yield CartProblem("missing_shipping_address", "nobody knows where to send this")
    if not shipping.needed:
        return
    if not cart.shipping_code:
        yield CartProblem("missing_shipping", "no way of shipping is chosen")
    elif cart.shipping_code not in {one.code for one in shipping.quotes}:
        detail = f"{cart.shipping_code} is not offered for this cart"
        yield CartProblem("shipping_not_offered", detail, meta={"code": cart.shipping_code})
