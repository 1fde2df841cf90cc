"""Use cases of selling: what something costs and whether it can be had."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from new_core.domain.pricing import (
    Entitled,
    Offer,
    PriceListKind,
    PriceTrace,
    Standing,
    resolve,
)
from new_core.domain.stock import Availability, availability, sold_from
from new_core.errors import NotFound
from new_core.ports import Sellable, UnitOfWork


async def product_price(
    uow: UnitOfWork, product_id: UUID, *, quantity: int, at: datetime
) -> PriceTrace:
    """The price of one product from the place it is sold from, with its reasons, as lists
    have it that hold for everybody.

    Raises:
        NotFound: there is no such product.
    """
    sellable = await _sellable(uow, product_id)
    source = sold_from([line.level.value for line in sellable.lines])
    place = source.id if source else None
    offers = (
        Offer(one, Entitled(one.price_list, Standing(one.price_list.kind)))
        for one in sellable.prices
        if one.price_list.kind in (PriceListKind.BASE, PriceListKind.PROMO)
    )
    return resolve(offers, quantity=quantity, at=at, place=place)


async def product_availability(uow: UnitOfWork, product_id: UUID) -> Availability:
    """Whether a product can be bought now.

    Raises:
        NotFound: there is no such product.
    """
    sellable = await _sellable(uow, product_id)
    levels = [line.level.value for line in sellable.lines]
    return availability(levels, track_stock=sellable.track_stock is not False)


async def _sellable(uow: UnitOfWork, product_id: UUID) -> Sellable:
    sellable = await uow.stock.sellable(product_id)
    if sellable is None:
        raise NotFound("product", str(product_id))
    return sellable
