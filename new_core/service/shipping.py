"""Use cases of shipping: what is offered for a cart, and what the shop offers at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from new_core.domain.buyer import Destination
from new_core.domain.cart import Cart
from new_core.domain.cart_lines import Goods
from new_core.domain.cart_problems import ShippingNeeds
from new_core.domain.catalog import Stored
from new_core.domain.events import AuditEntry, Event
from new_core.domain.shipping import ShippingMethod, ShippingQuote, offered
from new_core.domain.totals import CartAsked, LineAsked
from new_core.errors import ChangedMeanwhile, NotFound
from new_core.ports import UnitOfWork
from new_core.service.cart_goods import buyer_now
from new_core.service.doing import Doing
from new_core.service.pricing import priced_cart


async def quotes(
    uow: UnitOfWork, cart: Cart, destination: Destination | None, at: datetime
) -> tuple[ShippingQuote, ...]:
    """What is offered for a cart, by rank; nothing where nothing is to be sent.

    A fixed number of queries. Goods count for "free from" as their lists say them (tax in it
    where the lists have it in), after discounts.
    """
    cart = replace(cart, buyer=await buyer_now(uow, cart.buyer))
    goods = await uow.carts.goods({one.variant_id for one in cart.lines})
    return (await shipping_needs(uow, cart, goods, destination, at)).quotes


async def shipping_needs(
    uow: UnitOfWork,
    cart: Cart,
    goods: Iterable[Goods],
    destination: Destination | None,
    at: datetime,
) -> ShippingNeeds:
    """What a cart of these goods needs. A shop without any way of shipping asks for none."""
    ships = any(one.requires_shipping for one in goods)
    methods = [one.value for one in await uow.shipping.methods()] if ships else []
    needed = any(one.active for one in methods)
    found = offered(methods, cart.buyer.currency, destination)
    worth = 0
    if any(one.rate.free_from_minor is not None for one in found):
        priced = await priced_cart(uow, goods_asked(cart, destination), at)
        worth = sum(one.base_minor - one.discount_minor for one in priced.lines)
    return ShippingNeeds(needed, ships, tuple(one.quote(worth) for one in found))


def goods_asked(cart: Cart, destination: Destination | None) -> CartAsked:
    """A cart without its shipping, as the pricing is asked."""
    lines = tuple(
        LineAsked(one.id, one.variant_id, one.quantity, position=one.position) for one in cart.lines
    )
    return CartAsked(cart.buyer, lines, cart.coupons, None, destination)


async def one_method(uow: UnitOfWork, method_id: UUID) -> Stored[ShippingMethod]:
    """A way of shipping, active or not.

    Raises:
        NotFound: there is no such one.
    """
    found = (one for one in await uow.shipping.methods() if one.value.id == method_id)
    stored = next(found, None)
    if stored is None:
        raise NotFound("shipping method", str(method_id))
    return stored


async def create_method(
    uow: UnitOfWork, method: ShippingMethod, doing: Doing
) -> Stored[ShippingMethod]:
    """Offer a new way of shipping. The caller commits.

    Raises:
        InvalidValue: another one has its code.
    """
    stored = await uow.shipping.put(method, doing.at)
    await _tell(uow, "created", method, doing)
    return stored


async def change_method(
    uow: UnitOfWork,
    method_id: UUID,
    versions: frozenset[int] | None,
    change: Callable[[ShippingMethod], ShippingMethod],
    doing: Doing,
) -> Stored[ShippingMethod]:
    """Change a way of shipping. The caller commits.

    Raises:
        NotFound: there is no such one.
        ChangedMeanwhile: it is another version than those.
        InvalidValue: another one has its code.
    """
    before = await _locked(uow, method_id, versions)
    method = change(before.value)
    if method == before.value:
        return before
    stored = await uow.shipping.put(method, doing.at)
    await _tell(uow, "changed", method, doing)
    return stored


async def delete_method(
    uow: UnitOfWork, method_id: UUID, versions: frozenset[int] | None, doing: Doing
) -> None:
    """Delete a way of shipping. The caller commits.

    Raises:
        NotFound, ChangedMeanwhile: see `change_method`.
    """
    stored = await _locked(uow, method_id, versions)
    await uow.shipping.delete(method_id)
    await _tell(uow, "deleted", stored.value, doing)


async def _locked(
    uow: UnitOfWork, method_id: UUID, versions: frozenset[int] | None
) -> Stored[ShippingMethod]:
    stored = await uow.shipping.locked(method_id)
    if stored is None:
        raise NotFound("shipping method", str(method_id))
    if versions is not None and stored.version not in versions:
        raise ChangedMeanwhile("the way of shipping is not what it was when you read it")
    return stored


async def _tell(uow: UnitOfWork, what: str, method: ShippingMethod, doing: Doing) -> None:
    told = {"code": method.code, "name": method.name, "active": method.active}
    event = Event(f"shipping.method.{what}.v1", "shipping_method", method.id, told)
    entry = AuditEntry(f"shipping_method.{what}", "shipping_method", str(method.id), after=told)
    await uow.outbox.add([event], doing.actor, doing.at)
    await uow.audit.add([entry], doing.actor, doing.at)
