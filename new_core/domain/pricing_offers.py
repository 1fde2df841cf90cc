"""Which prices a buyer may get, out of the lists that hold for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from new_core.domain.pricing import Entitled, Listed, Offer, Price, PriceTrace, resolve
from new_core.domain.reservation import Want


def offers_of(prices: Iterable[Price], entitled: Mapping[UUID, Entitled]) -> list[Offer]:
    """The prices of one variant as offers."""
    offers: list[Offer] = []
    for price in prices:
        own = entitled.get(price.price_list_id)
        if own is not None:
            offers.append(Offer(Listed(price, own.price_list), own))
    return offers


def traces_of(
    wants: Iterable[Want],
    prices: Mapping[UUID, Sequence[Price]],
    entitled: Sequence[Entitled],
    places: Mapping[UUID, UUID],
    at: datetime,
) -> dict[Want, PriceTrace]:
    """The price of each variant for a quantity, with its reasons."""
    by_list = {one.price_list.id: one for one in entitled}
    offers: dict[UUID, list[Offer]] = {}
    traces: dict[Want, PriceTrace] = {}
    for want in wants:
        variant = want.variant_id
        if variant not in offers:
            offers[variant] = offers_of(prices.get(variant, ()), by_list)
        if want not in traces:
            traces[want] = resolve(
                offers[variant], quantity=want.quantity, at=at, place=places.get(variant)
            )
    return traces
