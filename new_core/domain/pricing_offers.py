"""Which prices a buyer may get, out of the lists that hold for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from new_core.domain.money import divide
from new_core.domain.pricing import Entitled, Listed, Offer, Price, PriceTrace, resolve
from new_core.domain.reservation import Want

_WHOLE_PPM = 1_000_000


def strongest(entitled: Iterable[Entitled], at: datetime) -> tuple[Entitled, ...]:
    """Each list once, for the strongest reason that holds now, or else will or did."""
    found: dict[UUID, Entitled] = {}
    for one in entitled:
        there = found.get(one.price_list.id)
        if there is None or _rank(one, at) < _rank(there, at):
            found[one.price_list.id] = one
    return tuple(found.values())


def _rank(one: Entitled, at: datetime) -> tuple[bool, tuple[int, int], str]:
    return not one.holds(at), one.strength, one.source


def adjusted(micro: int, ppm: int) -> int:
    """A parent's price as a list takes it over, never below 0."""
    return max(0, divide(micro * (_WHOLE_PPM + ppm), _WHOLE_PPM))


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists that hold for a buyer, by where their prices stand."""

    own: Mapping[UUID, Entitled]
    by_parent: Mapping[UUID, Sequence[Entitled]]

    @classmethod
    def of(cls, entitled: Sequence[Entitled]) -> Lists:
        """The lists, and those that take prices over from each."""
        by_parent: dict[UUID, list[Entitled]] = {}
        for one in entitled:
            if one.price_list.parent_id is not None:
                by_parent.setdefault(one.price_list.parent_id, []).append(one)
        return cls({one.price_list.id: one for one in entitled}, by_parent)

    @property
    def ids(self) -> frozenset[UUID]:
        """All lists whose prices may count."""
        return frozenset((*self.own, *self.by_parent))

    def offers(self, prices: Iterable[Price]) -> list[Offer]:
        """The prices of one variant as offers."""
        offers: list[Offer] = []
        for price in prices:
            own = self.own.get(price.price_list_id)
            if own is not None:
                offers.append(Offer(Listed(price, own.price_list), own))
            for child in self.by_parent.get(price.price_list_id, ()):
                taken = price
                if price.unit_micro is not None:
                    micro = adjusted(price.unit_micro, child.price_list.adjustment_ppm)
                    taken = replace(price, unit_micro=micro)
                offers.append(Offer(Listed(taken, child.price_list), child, adjusted=True))
        return offers


def traces_of(
    wants: Iterable[Want],
    prices: Mapping[UUID, Sequence[Price]],
    lists: Lists,
    places: Mapping[UUID, UUID],
    at: datetime,
) -> dict[Want, PriceTrace]:
    """The price of each variant for a quantity, with its reasons."""
    offers: dict[UUID, list[Offer]] = {}
    traces: dict[Want, PriceTrace] = {}
    for want in wants:
        variant = want.variant_id
        if variant not in offers:
            offers[variant] = lists.offers(prices.get(variant, ()))
        if want not in traces:
            traces[want] = resolve(
                offers[variant], quantity=want.quantity, at=at, place=places.get(variant)
            )
    return traces
