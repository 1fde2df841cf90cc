"""What a cart may hold for whoever it belongs to, as of now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.buyer import Buyer
from new_core.domain.cart_lines import Goods
from new_core.ports import UnitOfWork
from new_core.service.assorting import visible_to


async def buyer_now(uow: UnitOfWork, buyer: Buyer) -> Buyer:
    """The buyer with the customer groups that they are in now: prices hang on them, and a cart
    lives for months.
    """
    if buyer.customer_id is None:
        return buyer
    return replace(buyer, group_ids=await uow.carts.groups_of(buyer.customer_id))


async def goods_for(uow: UnitOfWork, buyer: Buyer, goods: Sequence[Goods]) -> tuple[Goods, ...]:
    """The goods, of which those outside of the buyer's assortments are not for sale."""
    customer_id = buyer.customer_id
    if customer_id is None and not buyer.account_ids:
        return tuple(goods)
    if not await uow.assortments.assigned(customer_id, buyer.account_ids, buyer.group_ids):
        return tuple(goods)
    visible = await visible_to(
        uow,
        Actor(ActorKind.CUSTOMER, customer_id=customer_id, account_ids=buyer.account_ids),
    )
    products = {one.product_id for one in goods} | {one.parent_id for one in goods if one.parent_id}
    standing = await uow.carts.categories_of(products)

    def shows(one: Goods) -> bool:
        # A variant is where its parent is.
        named = standing.get(one.product_id, frozenset[UUID]())
        if one.parent_id is not None:
            named |= standing.get(one.parent_id, frozenset()) | {one.parent_id}
        return visible.shows(one.product_id, one.type_id, named)

    return tuple(one if shows(one) else replace(one, is_for_sale=False) for one in goods)
