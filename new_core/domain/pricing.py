"""What something costs, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.money import MAX_UNIT_MICRO, UnitPrice


class PriceListKind(StrEnum):
    """Whom a price list is for.

    A base list holds for everybody; so does a promo list, which goes before it. A list holds
    for those it is assigned to, a contract list for those whose contract names it.
    """

    BASE = "base"
    LIST = "list"
    CONTRACT = "contract"
    PROMO = "promo"


class PriceListStatus(StrEnum):
    """Whether a price list is in force within its time."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class PriceList:
    """A set of prices in one currency.

    Attributes:
        priority: of two lists that both have a price, the higher one wins.
        valid_from, valid_to: half-open; None is without a bound.
        tax_included: whether its prices contain the tax.
        parent_id: the list whose prices it takes over where it has none of its own for a
            variant; in the same currency, taxed alike, and without a parent itself.
        adjustment_ppm: what is put on the parent's prices, in millionths; below 0 it is taken
            off.
    """

    id: UUID
    code: str
    currency: str
    kind: PriceListKind
    priority: int
    tax_included: bool
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    status: PriceListStatus = PriceListStatus.ACTIVE
    parent_id: UUID | None = None
    adjustment_ppm: int = 0


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


class Standing(StrEnum):
    """Why a list holds for a buyer, the strongest reason first."""

    AGREED = "agreed"
    LOCATION_CONTRACT = "location_contract"
    ACCOUNT_CONTRACT = "account_contract"
    ACCOUNT = "account"
    CUSTOMER = "customer"
    GROUP = "group"
    CHANNEL = "channel"
    COUNTRY = "country"
    PROMO = "promo"
    BASE = "base"


_RANK = {standing: rank for rank, standing in enumerate(Standing)}
_RANK[Standing.COUNTRY] = _RANK[Standing.CHANNEL]


class AssignedTo(StrEnum):
    """What a price list may be assigned to."""

    ACCOUNT = "account"
    CUSTOMER = "customer"
    GROUP = "group"
    CHANNEL = "channel"
    COUNTRY = "country"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A list that holds for somebody.

    Attributes:
        key: the id of the account, customer or group as text, or the channel's or country's
            code.
    """

    id: UUID
    price_list_id: UUID
    scope: AssignedTo
    key: str


@dataclass(frozen=True, slots=True)
class PriceContract:
    """Prices negotiated with an account.

    Attributes:
        location_id: the one location of the account that it is for; None is all of them.
        valid_from, valid_to: half-open; None is without a bound.
        min_commitment_minor: what the account promised to buy, in the list's currency.
    """

    id: UUID
    number: str
    account_id: UUID
    location_id: UUID | None
    price_list_id: UUID
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    min_commitment_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Entitled:
    """A price list that holds for a buyer, and why.

    Attributes:
        distance: of accounts, 0 for the buyer's own and one more with each above it.
        valid_from, valid_to: of the contract that names it; half-open.
        source: the contract's number, or what the list is assigned to.
    """

    price_list: PriceList
    standing: Standing
    distance: int = 0
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    source: str = ""

    def holds(self, at: datetime) -> bool:
        """Whether the contract holds now; without one it always does."""
        return _holds(self.valid_from, self.valid_to, at)

    @property
    def strength(self) -> tuple[int, int]:
        """Ascending: the first is the one that goes before the others."""
        return _RANK[self.standing], self.distance


@dataclass(frozen=True, slots=True)
class Offer:
    """A price that a buyer may get.

    Attributes:
        adjusted: taken over from the list's parent, by its adjustment.
    """

    listed: Listed
    entitled: Entitled
    adjusted: bool = False


class Refusal(StrEnum):
    """Why a price was not taken."""

    LIST_NOT_VALID = "list_not_valid"
    NOT_VALID = "not_valid"
    QUANTITY = "quantity"
    OTHER_PLACE = "other_place"
    OUTRANKED = "outranked"


@dataclass(frozen=True, slots=True)
class Considered:
    """One price that was looked at; refusal is None for the one taken.

    Attributes:
        standing: why its list holds for the buyer; None where nobody asked for whom.
        adjusted: taken over from the list's parent, by its adjustment.
    """

    listed: Listed
    refusal: Refusal | None
    standing: Standing | None = None
    adjusted: bool = False


@dataclass(frozen=True, slots=True)
class PriceTrace:
    """A price and how it came about.

    Attributes:
        chosen: None when no price holds; its unit_micro may be None too: on request.
        considered: every price looked at, best first.
        valid_until: when the chosen price or its list ends, or a better one begins.
        reason: why the chosen price's list holds for the buyer; `AGREED` when the price is
            pinned and the lists were not asked.
    """

    chosen: Listed | None
    considered: tuple[Considered, ...]
    valid_until: datetime | None
    reason: Standing | None = None

    @property
    def unit_price(self) -> UnitPrice | None:
        """The price of one unit, or None when there is none to show."""
        if self.chosen is None or self.chosen.price.unit_micro is None:
            return None
        return UnitPrice(self.chosen.price.unit_micro, self.chosen.price_list.currency)


NO_PRICE = PriceTrace(None, (), None)


def choose(
    candidates: Sequence[Listed], *, quantity: int, at: datetime, place: UUID | None
) -> PriceTrace:
    """The price of a variant that is sold from `place` (a stock level), for a quantity, out
    of lists that hold for everybody alike.

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


def resolve(
    offers: Iterable[Offer], *, quantity: int, at: datetime, place: UUID | None
) -> PriceTrace:
    """The price of a variant for one buyer: the strongest standing that has a price wins.

    The contract of the buyer's location goes before those of the account and of the accounts
    above it, then come lists of accounts, of the customer, of customer groups, of channel and
    country, promo lists, and base lists. Of several groups the lowest price wins; of several
    lists of another standing the higher priority. Inside a list the order is that of `choose`,
    and its own prices go before those taken over from its parent. The order is total.
    """
    judged = sorted(
        ((one, _refusal_of(one, quantity, at, place)) for one in offers),
        key=lambda pair: _strength(pair[0]),
        reverse=True,
    )
    _lowest_group_first(judged)
    considered: list[Considered] = []
    chosen: Offer | None = None
    for offer, found in judged:
        refusal = found
        if refusal is None and chosen is not None:
            refusal = Refusal.OUTRANKED
        if refusal is None:
            chosen = offer
        standing = offer.entitled.standing
        considered.append(Considered(offer.listed, refusal, standing, offer.adjusted))
    if chosen is None:
        return PriceTrace(None, tuple(considered), _better_from(judged, None, at))
    ends = (_valid_until(chosen.listed), chosen.entitled.valid_to, _better_from(judged, chosen, at))
    until = min((end for end in ends if end is not None), default=None)
    return PriceTrace(chosen.listed, tuple(considered), until, chosen.entitled.standing)


_Judged = list[tuple[Offer, Refusal | None]]

_ON_REQUEST = MAX_UNIT_MICRO
_NOT_YET = (Refusal.LIST_NOT_VALID, Refusal.NOT_VALID)


def _lowest_group_first(judged: _Judged) -> None:
    """Of lists that groups give, put first the one whose price for this is the lowest."""
    lowest: dict[UUID, int] = {}
    for offer, refusal in judged:
        if refusal is None and offer.entitled.standing is Standing.GROUP:
            micro = offer.listed.price.unit_micro
            lowest.setdefault(offer.listed.price_list.id, _ON_REQUEST if micro is None else micro)
    if len(lowest) > 1:
        judged.sort(key=lambda pair: _with_group(pair[0], lowest))


def _with_group(offer: Offer, lowest: Mapping[UUID, int]) -> tuple[int, int, int]:
    if offer.entitled.standing is not Standing.GROUP:
        return (*offer.entitled.strength, 0)
    # Lists without a price that holds come last among the groups'.
    price = lowest.get(offer.listed.price_list.id, _ON_REQUEST + 1)
    return (*offer.entitled.strength, price)


def _better_from(judged: _Judged, chosen: Offer | None, at: datetime) -> datetime | None:
    """When the first price begins that would go before the chosen one."""
    soonest: datetime | None = None
    for offer, refusal in judged:
        if offer is chosen:
            break
        if refusal not in _NOT_YET:
            continue
        of = (offer.entitled, offer.listed.price_list, offer.listed.price)
        begins = max((one.valid_from for one in of if one.valid_from is not None), default=at)
        if begins > at and (soonest is None or begins < soonest):
            soonest = begins
    return soonest


def _refusal_of(offer: Offer, quantity: int, at: datetime, place: UUID | None) -> Refusal | None:
    if not offer.entitled.holds(at):
        return Refusal.LIST_NOT_VALID
    return _refusal(offer.listed, quantity, at, place)


def _refusal(listed: Listed, quantity: int, at: datetime, place: UUID | None) -> Refusal | None:
    price, price_list = listed.price, listed.price_list
    if price_list.status is not PriceListStatus.ACTIVE:
        return Refusal.LIST_NOT_VALID
    if not _holds(price_list.valid_from, price_list.valid_to, at):
        return Refusal.LIST_NOT_VALID
    if not _holds(price.valid_from, price.valid_to, at):
        return Refusal.NOT_VALID
    if price.stock_level_id not in (None, place):
        return Refusal.OTHER_PLACE
    return Refusal.QUANTITY if quantity < price.min_qty else None


def _holds(start: datetime | None, end: datetime | None, at: datetime) -> bool:
    return (start is None or start <= at) and (end is None or at < end)


_Preference = tuple[int, bool, int, float, str, int]


def _preference(listed: Listed) -> _Preference:
    price = listed.price
    started = price.valid_from.timestamp() if price.valid_from else float("-inf")
    return (
        listed.price_list.priority,
        price.stock_level_id is not None,
        price.min_qty,
        started,
        listed.price_list.code,
        price.id.int,
    )


def _strength(offer: Offer) -> tuple[int, int, int, bool, _Preference]:
    rank, distance = offer.entitled.strength
    priority = offer.listed.price_list.priority
    return -rank, -distance, priority, not offer.adjusted, _preference(offer.listed)


def _valid_until(chosen: Listed | None) -> datetime | None:
    if chosen is None:
        return None
    ends = [end for end in (chosen.price.valid_to, chosen.price_list.valid_to) if end is not None]
    return min(ends, default=None)
