"""Use cases of prices, promotions and taxes, always in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from new_core.domain.buyer import Buyer
from new_core.domain.pricing import PriceTrace
from new_core.domain.pricing_offers import traces_of
from new_core.domain.reservation import Want
from new_core.domain.totals import CartAsked, PricedCart
from new_core.domain.totals_cart import price_cart
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing


async def prices_for(
    uow: UnitOfWork, buyer: Buyer, wants: Sequence[Want], at: datetime
) -> Mapping[Want, PriceTrace]:
    """The price of each variant for a buyer and a quantity, with its reasons; a fixed number
    of queries, however many there are.
    """
    variants = {one.variant_id for one in wants}
    entitled = await uow.pricing.entitled(buyer)
    prices = await uow.pricing.prices([one.price_list.id for one in entitled], variants)
    bound = [
        variant
        for variant, some in prices.items()
        if any(one.stock_level_id is not None for one in some)
    ]
    places = await uow.pricing.places(bound)
    return traces_of(wants, prices, entitled, places, at)


async def priced_cart(uow: UnitOfWork, asked: CartAsked, at: datetime) -> PricedCart:
    """A cart with prices, promotions and taxes; a fixed number of queries."""
    wants = [Want(one.variant_id, one.quantity) for one in asked.lines]
    traces = await prices_for(uow, asked.buyer, wants, at)
    return price_cart(asked, traces)


async def use_promotions(
    uow: UnitOfWork, priced: PricedCart, order_id: UUID, customer_id: UUID | None, doing: Doing
) -> None:
    """Count one use of each promotion in it, by conditional updates.

    Raises:
        PromotionExhausted: the last use of one was taken meanwhile; roll back.
    """
    raise NotImplementedError


async def give_promotions_back(uow: UnitOfWork, order_id: UUID, doing: Doing) -> None:
    """An order came to nothing: its uses of promotions can be had again. Twice is once."""
    raise NotImplementedError
