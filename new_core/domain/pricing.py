"""What something costs, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.money import UnitPrice


class PriceListKind(StrEnum):
    """Whom a price list is for. Only base lists, which hold for everybody, exist so far."""

    BASE = "base"


@dataclass(frozen=True, slots=True)
class PriceList:
    """A set of prices in one currency.

    Attributes:
        priority: of two lists that both have a price, the higher one wins.
        valid_from, valid_to: half-open; None is without a bound.
        tax_included: whether its prices contain the tax.
    """

    id: UUID
    code: str
    currency: str
    kind: PriceListKind
    priority: int
    tax_included: bool
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one unit of a variant.

    Attributes:
        stock_level_id: set when the price holds only for goods from that place.
        min_qty: smallest quantity it holds for.
        unit_micro: millionths of the currency's major unit; None is "on request".
        valid_from, valid_to: half-open; None is without a bound.
    """

    id: UUID
    price_list_id: UUID
    variant_id: UUID
    stock_level_id: UUID | None
    min_qty: int
    unit_micro: int | None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A price with the list it stands in."""

    price: Price
    price_list: PriceList


class Refusal(StrEnum):
    """Why a price was not taken."""

    LIST_NOT_VALID = "list_not_valid"
    NOT_VALID = "not_valid"
    QUANTITY = "quantity"
    OTHER_PLACE = "other_place"
    OUTRANKED = "outranked"


@dataclass(frozen=True, slots=True)
class Considered:
    """One price that was looked at; refusal is None for the one taken."""

    listed: Listed
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class PriceTrace:
    """A price and how it came about.

    Attributes:
        chosen: None when no price holds; its unit_micro may be None too: on request.
        considered: every price looked at, best first.
        valid_until: when the chosen price or its list ends.
    """

    chosen: Listed | None
    considered: tuple[Considered, ...]
    valid_until: datetime | None

    @property
    def unit_price(self) -> UnitPrice | None:
        """The price of one unit, or None when there is none to show."""
        if self.chosen is None or self.chosen.price.unit_micro is None:
            return None
        return UnitPrice(self.chosen.price.unit_micro, self.chosen.price_list.currency)


def choose(
    candidates: Sequence[Listed], *, quantity: int, at: datetime, place: UUID | None
) -> PriceTrace:
    """The price of a variant that is sold from `place` (a stock level), for a quantity.

    Order of preference: the list's priority, a price for that very place, the largest
    quantity step, the latest start. The order is total, so shuffled candidates give the same
    answer.
    """
    ranked = sorted(candidates, key=_preference, reverse=True)
    considered: list[Considered] = []
    chosen: Listed | None = None
    for listed in ranked:
        refusal = _refusal(listed, quantity, at, place)
        if refusal is None and chosen is not None:
            refusal = Refusal.OUTRANKED
        if refusal is None:
            chosen = listed
        considered.append(Considered(listed, refusal))
    return PriceTrace(chosen, tuple(considered), _valid_until(chosen))


def _refusal(listed: Listed, quantity: int, at: datetime, place: UUID | None) -> Refusal | None:
    price, price_list = listed.price, listed.price_list
    if not _holds(price_list.valid_from, price_list.valid_to, at):
        return Refusal.LIST_NOT_VALID
    if not _holds(price.valid_from, price.valid_to, at):
        return Refusal.NOT_VALID
    if price.stock_level_id not in (None, place):
        return Refusal.OTHER_PLACE
    return Refusal.QUANTITY if quantity < price.min_qty else None


def _holds(start: datetime | None, end: datetime | None, at: datetime) -> bool:
    return (start is None or start <= at) and (end is None or at < end)


def _preference(listed: Listed) -> tuple[int, bool, int, float, str, str]:
    price = listed.price
    started = price.valid_from.timestamp() if price.valid_from else float("-inf")
    return (
        listed.price_list.priority,
        price.stock_level_id is not None,
        price.min_qty,
        started,
        listed.price_list.code,
        str(price.id),
    )


def _valid_until(chosen: Listed | None) -> datetime | None:
    if chosen is None:
        return None
    ends = [end for end in (chosen.price.valid_to, chosen.price_list.valid_to) if end is not None]
    return min(ends, default=None)
