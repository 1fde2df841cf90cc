"""Use cases of carts: what one costs and what stands between it and its order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from new_core.domain.buyer import Destination
from new_core.domain.cart import Cart
from new_core.domain.cart_problems import CartProblem, Facts, ShippingNeeds, find_problems
from new_core.domain.catalog import Stored
from new_core.domain.totals import CartAsked, PricedCart, ShippingAsked
from new_core.ports import UnitOfWork
from new_core.service.cart_goods import buyer_now, goods_for
from new_core.service.inventory import can_be_had
from new_core.service.pricing import priced_cart
from new_core.service.shipping import goods_asked, shipping_needs

__all__ = ["CartProblem", "CartView", "asked_of", "view_cart"]


@dataclass(frozen=True, slots=True)
class CartView:
    """A cart with its money and its problems, as of one moment.

    Attributes:
        facts: what the shop says of its goods, for whoever shows the lines.
    """

    stored: Stored[Cart]
    priced: PricedCart
    problems: tuple[CartProblem, ...]
    facts: Facts


async def view_cart(uow: UnitOfWork, stored: Stored[Cart], at: datetime) -> CartView:
    """Price a cart and look for problems; a fixed number of queries."""
    cart = replace(stored.value, buyer=await buyer_now(uow, stored.value.buyer))
    variant_ids = {one.variant_id for one in cart.lines}
    found = await goods_for(uow, cart.buyer, await uow.carts.goods(variant_ids))
    goods = {one.variant_id: one for one in found}
    needs = await shipping_needs(uow, cart, goods.values(), destination_of(cart), at)
    priced = await priced_cart(uow, _asked(cart, needs), at)
    had = await can_be_had(uow, variant_ids)
    units = {one: found.units if found.purchasable else 0 for one, found in had.items()}
    facts = Facts(goods, units, needs)
    return CartView(stored, priced, find_problems(cart, priced, facts), facts)


async def asked_of(uow: UnitOfWork, cart: Cart, at: datetime) -> CartAsked:
    """What a cart asks of the pricing: its lines, coupons, way of shipping and destination."""
    cart = replace(cart, buyer=await buyer_now(uow, cart.buyer))
    goods = await uow.carts.goods({one.variant_id for one in cart.lines})
    return _asked(cart, await shipping_needs(uow, cart, goods, destination_of(cart), at))


def destination_of(cart: Cart) -> Destination | None:
    """Where a cart's goods go; where nothing is sent, where its bill goes."""
    address = cart.shipping_address or cart.billing_address
    return None if address is None else address.destination


def _asked(cart: Cart, needs: ShippingNeeds) -> CartAsked:
    asked = goods_asked(cart, destination_of(cart))
    quote = next((one for one in needs.quotes if one.code == cart.shipping_code), None)
    if quote is None:
        return asked
    shipping = ShippingAsked(quote.code, quote.name, quote.minor, quote.tax_class)
    return CartAsked(asked.buyer, asked.lines, asked.coupons, shipping, asked.destination)
