"""Ways of shipping, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from new_core.domain.buyer import Destination


@dataclass(frozen=True, slots=True)
class ShippingRate:
    """What a way of shipping costs in one currency.

    Attributes:
        free_from_minor: goods of this worth ship for nothing; None when they never do.
    """

    currency: str
    minor: int
    free_from_minor: int | None = None


@dataclass(frozen=True, slots=True)
class ShippingPlace:
    """A country, or one region of it when `region` is not empty."""

    country: str
    region: str = ""

    def holds(self, destination: Destination) -> bool:
        """Whether a destination lies in it."""
        return self.country == destination.country and self.region in ("", destination.region)


@dataclass(frozen=True, slots=True)
class ShippingMethod:
    """A way of shipping.

    Attributes:
        rates: one per currency; it is not offered in others.
        places: where it goes; empty is everywhere.
        tax_class: as a product's; decides its taxes.
        rank: ascending, in the order of display.
    """

    id: UUID
    code: str
    name: str
    description: str
    rates: tuple[ShippingRate, ...]
    places: tuple[ShippingPlace, ...]
    created_at: datetime
    tax_class: str = "standard"
    active: bool = True
    rank: int = 0


@dataclass(frozen=True, slots=True)
class ShippingQuote:
    """One way of shipping a cart to a place, with its price before discounts and taxes."""

    code: str
    name: str
    description: str
    minor: int
    currency: str
    tax_class: str = "standard"


@dataclass(frozen=True, slots=True)
class Offered:
    """A way of shipping with the rate that counts for a cart."""

    method: ShippingMethod
    rate: ShippingRate

    def quote(self, goods_minor: int) -> ShippingQuote:
        """What it costs for goods of some worth."""
        method, rate = self.method, self.rate
        is_free = rate.free_from_minor is not None and goods_minor >= rate.free_from_minor
        return ShippingQuote(
            method.code, method.name, method.description, 0 if is_free else rate.minor,
            rate.currency, method.tax_class,
        )  # fmt: skip


def offered(
    methods: Iterable[ShippingMethod], currency: str, destination: Destination | None
) -> tuple[Offered, ...]:
    """The ways of shipping to a place, by rank and code.

    While the place is not known, only those that go everywhere are offered.
    """
    found = (
        Offered(method, rate)
        for method in methods
        for rate in method.rates
        if method.active and rate.currency == currency and _goes_to(method, destination)
    )
    return tuple(sorted(found, key=lambda one: (one.method.rank, one.method.code)))


def _goes_to(method: ShippingMethod, destination: Destination | None) -> bool:
    if not method.places:
        return True
    return destination is not None and any(place.holds(destination) for place in method.places)
