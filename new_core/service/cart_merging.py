"""Use cases that fill a cart from elsewhere: a guest's cart, an order. The caller commits."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from new_core.domain.cart import Cart, CartEvent, CartState, check_open, moved, renewed
from new_core.domain.cart_access import Opening, check_access, check_version
from new_core.domain.cart_lines import Wish
from new_core.domain.cart_merging import Quantities, claimed, merge, without_person
from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer
from new_core.errors import NotFound
from new_core.ports import UnitOfWork
from new_core.service.cart_changes import WRITE, Added, Mode, add_lines, tell
from new_core.service.doing import Doing


async def take_over(
    uow: UnitOfWork,
    opening: Opening,
    customer: Customer,
    doing: Doing,
    quantities: Quantities = Quantities.ADDED,
) -> Stored[Cart]:
    """What a guest had in their cart is the customer's who logged in, and twice is once.

    It goes into their open cart of the same currency and channel that was written last; where
    they have none, the guest's cart becomes theirs. `opening` shows the guest's secret.

    1. Two windows log in at once, 2. both find the guest's cart open, 3. both merge it. So
    the guest's cart is locked first, and whoever comes second finds it merged. Nobody locks
    two carts the other way round: only a guest's cart is merged, and only into a customer's.

    Raises:
        NotFound: there is no such cart, or its secret is not shown.
        Conflict: "cart_not_open": it is being paid for, was ordered, or nobody came for long;
            "too_many_lines": together they hold too many.
    """
    stored = await uow.carts.locked(opening.cart_id)
    if stored is not None and _is_done(stored.value, opening, customer.id):
        return await _taken(uow, stored, customer.id)
    guest = check_access(stored.value if stored else None, opening, doing.actor, WRITE)
    assert stored is not None  # noqa: S101 - check_access raised otherwise
    check_open(guest)
    check_version(stored.version, opening)
    buyer = guest.buyer
    into = await uow.carts.open_of(customer.id, buyer.currency, buyer.channel)
    theirs = await uow.carts.locked(into) if into is not None else None
    # It may have been ordered while this waited for it.
    if theirs is None or theirs.value.state is not CartState.OPEN:
        owned = renewed(claimed(guest, customer.id, customer.group_ids), doing.at)
        written = await uow.carts.put(owned, doing.at)
        await tell(uow, guest.id, "claimed", {"customer_id": str(customer.id)}, doing)
        return written
    both = merge(theirs.value, guest, doing.new_id, quantities)
    await uow.carts.put(both.emptied, doing.at)
    written = await uow.carts.put(renewed(both.into, doing.at), doing.at)
    await tell(uow, guest.id, "merged", {"into": str(both.into.id)}, doing)
    lines = [{"variant_id": str(one.variant_id), "quantity": one.quantity} for one in guest.lines]
    await tell(uow, both.into.id, "lines_changed", {"lines": lines, "from": str(guest.id)}, doing)
    return written


async def reorder(uow: UnitOfWork, opening: Opening, order_id: UUID, doing: Doing) -> Added:
    """Put what an order was of into a cart, at today's prices, as far as it is still sold.

    Raises:
        NotFound: no such order or cart, or not theirs.
        Forbidden, ChangedMeanwhile, Conflict: see `add_lines`.
    """
    found = await uow.orders.get(order_id)
    if found is None or not doing.actor.reaches("orders:read", found.value.buyer):
        raise NotFound("order", str(order_id))
    wishes = [
        Wish(one.quantity, variant_id=one.variant_id, options=one.options)
        for one in found.value.lines
    ]
    return await add_lines(uow, opening, wishes, Mode.PARTIAL, doing)


async def abandon(uow: UnitOfWork, cart_id: UUID, doing: Doing) -> bool:
    """Close a cart that nobody came back to, without what tells who it was for.

    1. The sweeper finds an old cart, 2. its shopper comes back and adds a line, 3. the sweeper
    closes it. So it looks again at the locked cart, whose time is new then: False.
    """
    stored = await uow.carts.locked(cart_id)
    if stored is None or stored.value.state is not CartState.OPEN:
        return False
    if stored.value.expires_at > doing.at:
        return False
    cart = without_person(moved(stored.value, CartEvent.ABANDON))
    await uow.carts.put(replace(cart, token_sha256=""), doing.at)
    await tell(uow, cart_id, "abandoned", {"lines": len(cart.lines)}, doing)
    return True


async def forget_customer(uow: UnitOfWork, customer_id: UUID, doing: Doing) -> None:
    """A customer is erased: what their carts say of a person goes, the lines stay. Orders,
    which the books need, are not touched.
    """
    for cart_id in await uow.carts.forget(customer_id, doing.at):
        await tell(uow, cart_id, "forgotten", {}, doing)


def _is_done(cart: Cart, opening: Opening, customer_id: UUID) -> bool:
    """Whether this cart was taken over before, by this customer or by whoever has its secret."""
    if cart.buyer.customer_id is not None:
        return cart.buyer.customer_id == customer_id
    has_secret = bool(opening.token_sha256) and cart.token_sha256 == opening.token_sha256
    return cart.state is CartState.MERGED and has_secret


async def _taken(uow: UnitOfWork, stored: Stored[Cart], customer_id: UUID) -> Stored[Cart]:
    into = stored.value.merged_into
    if into is None:
        return stored
    found = await uow.carts.get(into)
    if found is None or found.value.buyer.customer_id != customer_id:
        raise NotFound("cart", str(stored.value.id))
    return found
